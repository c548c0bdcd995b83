"""The `asr` command. Each command imports what it needs when it runs: `asr --help` is quick."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from asr.errors import AsrError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
data_app = typer.Typer(no_args_is_help=True, help="Prepare and check training data.")
app.add_typer(data_app, name="data")

lm_app = typer.Typer(no_args_is_help=True, help="Language models.")
app.add_typer(lm_app, name="lm")

Model = Annotated[str, typer.Option("--model", "-m", help="shipped name or model directory")]
Beam = Annotated[
    int | None, typer.Option(help="prefixes kept by the beam search; 0: greedy, the default")
]
Lm = Annotated[
    str | None, typer.Option(help="language model: general (the recogniser's own) or an ARPA file")
]
Alpha = Annotated[
    float | None, typer.Option(help="weight of the language model; default: as it was tuned")
]
Beta = Annotated[float | None, typer.Option(help="added for each word; default: as tuned")]
Unknown = Annotated[
    float | None, typer.Option(help="added for a word the model does not know; default: as tuned")
]
HotWords = Annotated[
    str | None, typer.Option(help="likelier words or phrases: a,b,c or a file, one a line")
]
HotWeight = Annotated[float, typer.Option(help="added for each hot word, in nats")]
Lexicon = Annotated[Path | None, typer.Option(help="text file; only its words can come out")]


@app.callback()
def options() -> None:
    """Speech to text that you can train, understand and ship."""


@app.command()
def transcribe(
    paths: Annotated[
        list[str],
        typer.Argument(help="files, folders, globs, a .jsonl manifest, or - for a list on stdin"),
    ],
    model: Model = "en-small",
    format: Annotated[str, typer.Option(help="txt or jsonl")] = "txt",
    channel: Annotated[int | None, typer.Option(help="from 0; default: mix all")] = None,
    out: Annotated[Path | None, typer.Option(help="write here instead of stdout")] = None,
    beam: Beam = None,
    lm: Lm = None,
    alpha: Alpha = None,
    beta: Beta = None,
    unknown: Unknown = None,
    hot_words: HotWords = None,
    hot_weight: HotWeight = 5.0,
    lexicon: Lexicon = None,
    nbest: Annotated[int, typer.Option(help="alternatives in jsonl, with their scores")] = 0,
) -> None:
    """Transcribe recordings; a bad one is reported and skipped, and the exit status is then 1."""
    from asr.batch import transcribe_files
    from asr.decoding import Decoding, read_phrases

    hot = read_phrases(hot_words)
    decoding = Decoding(beam, lm, alpha, beta, unknown, hot, hot_weight, lexicon, nbest)
    if not transcribe_files(paths, model, format, channel, out, decoding):
        raise typer.Exit(1)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="shipped name or model directory")],
    manifest: Path,
    json: Annotated[bool, typer.Option("--json", help="one JSON object on stdout")] = False,
    worst: Annotated[int, typer.Option(help="worst utterances to show aligned")] = 5,
    beam: Beam = None,
    lm: Lm = None,
    alpha: Alpha = None,
    beta: Beta = None,
    unknown: Unknown = None,
    hot_words: HotWords = None,
    hot_weight: HotWeight = 5.0,
    lexicon: Lexicon = None,
) -> None:
    """WER and CER of a model on a manifest, with interval, error kinds, RTF and the worst lines."""
    from asr.batch import evaluate_manifest
    from asr.decoding import Decoding, read_phrases
    from asr.report import evaluation_text

    hot = read_phrases(hot_words)
    decoding = Decoding(beam, lm, alpha, beta, unknown, hot, hot_weight, lexicon)
    result, record = evaluate_manifest(model, manifest, decoding)
    if json:
        from json import dumps

        typer.echo(dumps(record))
    else:
        typer.echo(evaluation_text(result, worst))
    if result.failures:
        raise typer.Exit(1)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="YAML file, as in pipelines/configs")],
    data: Annotated[Path, typer.Option(help="folder that the manifests' names start from")] = Path(
        "data"
    ),
    out: Annotated[Path | None, typer.Option(help="default: runs/NAME")] = None,
    max_steps: Annotated[int | None, typer.Option(help="stop after so many batches")] = None,
) -> None:
    """Train a recogniser; resumes by itself where --out was left."""
    from asr.quiet import import_tensorflow

    import_tensorflow()
    from asr.config import load_yaml
    from asr.experiment import ExperimentConfig, train_recognizer
    from asr.progress import TrainingProgress

    experiment = load_yaml(ExperimentConfig, config)
    folder = out or Path("runs") / experiment.name
    with TrainingProgress(experiment.training.epochs) as progress:
        model = train_recognizer(experiment, data, folder, max_steps, progress.update, progress.say)
    typer.echo(model)


@app.command()
def tune(
    model: Annotated[str, typer.Argument(help="shipped name or model directory")],
    manifest: Annotated[Path, typer.Argument(help="a dev set, never a test set")],
    lm: Annotated[str, typer.Option(help="general (the recogniser's own) or an ARPA file")],
    beam: Annotated[int, typer.Option(help="prefixes kept by the beam search")] = 16,
    save: Annotated[
        bool, typer.Option("--save", help="keep the best beside the language model, as its default")
    ] = False,
) -> None:
    """Find the language model weights that make the fewest word errors."""
    from asr.tuning import save_best
    from asr.tuning import tune as try_all

    trials = try_all(model, manifest, lm, beam)
    for trial in trials[:5]:
        w = trial.weights
        typer.echo(
            f"--beam {w.beam} --lm {lm} --alpha {w.alpha} --beta {w.beta} --unknown {w.unknown}: "
            f"{trial.wer:.2%}"
        )
    if save:
        typer.echo(f"kept: {save_best(trials, model, manifest, lm)}")


@lm_app.command("train")
def lm_train(
    texts: Annotated[list[Path], typer.Argument(help="text, a sentence a line, or manifests")],
    out: Annotated[Path, typer.Option(help="ARPA file; gzip if it ends in .gz")],
    order: Annotated[int, typer.Option(help="words an n-gram")] = 3,
    prune: Annotated[
        str, typer.Option(help="leave out what occurs so often or less, by order, such as 1,1,2")
    ] = "0",
    normaliser: Annotated[str, typer.Option(help="english, korean or none")] = "english",
) -> None:
    """Estimate a word n-gram model (modified Kneser-Ney)."""
    from asr.kneser_ney import estimate, read_counts
    from asr.lm import read_sentences, write_arpa

    counts = read_counts(prune)
    model = estimate(read_sentences(texts, normaliser), order, counts)
    write_arpa(model, out)
    typer.echo(f"{out}: {len(model.vocabulary)} words, {len(model)} n-grams")


@data_app.command("prepare")
def data_prepare(
    corpus: Annotated[str, typer.Argument(help="see data/README.md; folder for one of your own")],
    source: Annotated[Path, typer.Option(help="where the corpus was unpacked")],
    out: Annotated[Path, typer.Option(help="folder for train, dev and test.jsonl")],
) -> None:
    """Write the manifests of a corpus."""
    from asr.corpora import prepare

    prepared = prepare(corpus, source, out)
    for line in prepared.skipped:
        typer.echo(f"left out: {line}", err=True)
    for split, path in prepared.manifests.items():
        typer.echo(f"{split}: {prepared.counts[split]} utterances, {path}")


@data_app.command("check")
def data_check(
    manifests: list[Path],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="use its alphabet and frame rate")
    ] = None,
) -> None:
    """Validate manifests and print their statistics; errors end with exit status 1."""
    from asr.features import FeatureConfig
    from asr.manifest_check import check
    from asr.report import check_text
    from asr.text import Tokenizer, TokenizerConfig

    features, tokenizer, stride = FeatureConfig(), Tokenizer(TokenizerConfig()), 2
    if model is not None:
        from asr.recognizer import Recognizer

        config = Recognizer.load(model).config
        features, tokenizer = config.features, Tokenizer(config.tokenizer)
        stride = config.acoustic.stride
    report = check(
        manifests,
        tokenizer.encode,
        lambda seconds: int(seconds * features.frames_per_second) // stride,
    )
    typer.echo(check_text(report))
    if any(finding.level == "error" for finding in report.findings):
        raise typer.Exit(1)


def main() -> Any:
    """Entry point: errors for people go to stderr without a traceback, with exit status 1."""
    try:
        return app()
    except BrokenPipeError:
        # The reader, such as `head`, has had enough; Python must not try to flush to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (AsrError, OSError) as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
