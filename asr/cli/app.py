"""The `asr` command. Each command imports what it needs when it runs: `asr --help` is quick."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from asr.cli.language_models import lm_app
from asr.cli.options import (
    DECODING,
    ExportFormat,
    Format,
    LineLength,
    Lines,
    Model,
    Runtime,
    Server,
    Written,
    captions_of,
    decodes,
)
from asr.cli.speech import evaluate_tts, speak
from asr.errors import AsrError, ConfigError, explain

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
data_app = typer.Typer(no_args_is_help=True, help="Prepare and check training data.")
app.add_typer(data_app, name="data")

app.add_typer(lm_app, name="lm")

TEXT_ALONE = [name for name in DECODING if name != "nbest"]
"""How to decode where there is no place for alternatives."""

app.command()(speak)
app.command("evaluate-tts")(evaluate_tts)


@app.callback()
def options() -> None:
    """Speech to text that you can train, understand and ship."""


@app.command()
@decodes(*DECODING)
def transcribe(
    decoding: Any,
    paths: Annotated[
        list[str],
        typer.Argument(help="files, folders, globs, a .jsonl manifest, or - for a list on stdin"),
    ],
    model: Model = "en-small",
    format: Format = "txt",
    channel: Annotated[int | None, typer.Option(help="from 0; default: mix all")] = None,
    split_channels: Annotated[
        bool, typer.Option("--split-channels", help="transcribe each channel by itself")
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(help="a file, or a folder if it is one or ends in /; default: stdout"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="keep the folder's results that are still right")
    ] = False,
    workers: Annotated[
        int, typer.Option(help="processes, each with the model; 1: this one alone")
    ] = 1,
    errors: Annotated[
        Path | None, typer.Option(help="failures as JSON lines; default: DIR/errors.jsonl")
    ] = None,
    runtime: Runtime = None,
    server: Server = None,
    written: Written = False,
    line_length: LineLength = None,
    lines: Lines = None,
) -> None:
    """Transcribe recordings; a bad one is reported and skipped, and the exit status is then 1."""
    from asr.batch.processes import start_ahead

    start_ahead(workers)  # they import while this process does
    from asr.batch.transcribe_files import Batch, transcribe_files
    from asr.batch.workers import Transcriber

    how = Transcriber(
        model, decoding, channel, split_channels, runtime=runtime, server=server, written=written
    )
    captions = captions_of(line_length, lines)
    totals = transcribe_files(paths, Batch(how, format, captions, out, workers, resume, errors))
    if totals.status:
        raise typer.Exit(totals.status)


@app.command()
def align(
    audio: Annotated[str, typer.Argument(help="a recording, or a .jsonl manifest with texts")],
    text: Annotated[
        str | None, typer.Argument(help="what it says, or a .txt file; not for a manifest")
    ] = None,
    model: Model = "en-small",
    format: Format = "TextGrid",
    channel: Annotated[int | None, typer.Option(help="from 0; default: mix all")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="file instead of stdout; for a manifest a folder, a file a recording"),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="PNG: the words over the spectrogram of a recording")
    ] = None,
    line_length: LineLength = None,
    lines: Lines = None,
) -> None:
    """Find when each word and character of a known text is said."""
    from asr.cli.align import align_files

    captions = captions_of(line_length, lines)
    if not align_files(audio, text, model, format, channel, out, plot, captions):
        raise typer.Exit(1)


@app.command()
@decodes(*TEXT_ALONE)
def listen(
    decoding: Any,
    model: Model = "en-small",
    rate: Annotated[int, typer.Option(help="samples a second on stdin")] = 16_000,
    encoding: Annotated[str, typer.Option(help="of stdin: s16le or f32le")] = "s16le",
    channels: Annotated[int, typer.Option(help="on stdin, mixed into one")] = 1,
    microphone: Annotated[
        bool, typer.Option("--microphone", help="instead of stdin; needs the library sounddevice")
    ] = False,
    chunk: Annotated[float, typer.Option(help="seconds between results")] = 0.5,
    look_ahead: Annotated[float, typer.Option(help="seconds after a word make it final")] = 2.0,
    json: Annotated[bool, typer.Option("--json", help="a JSON object a result")] = False,
) -> None:
    """Transcribe raw samples from stdin, or a microphone, while they come; Ctrl-C ends it.

    ffmpeg -i talk.mp3 -f s16le -ac 1 -ar 16000 - | asr listen
    """
    from asr.cli.listen import listen as run
    from asr.cli.listen import microphone_blocks, pcm_blocks, printer
    from asr.recognizer import load_recognizer

    if microphone:
        rate, blocks = microphone_blocks()
    elif sys.stdin.isatty():
        raise ConfigError("nothing to listen to: pipe raw samples into it, or give --microphone")
    else:
        blocks = pcm_blocks(sys.stdin.buffer, encoding, channels)
    recognizer = load_recognizer(model, decoding)
    recognizer.warm_up()
    run(recognizer.stream(chunk, look_ahead, rate), blocks, printer(sys.stdout, json))


@app.command()
@decodes(*TEXT_ALONE)
def evaluate(
    decoding: Any,
    model: Annotated[str, typer.Argument(help="shipped name or model directory")],
    manifest: Path,
    json: Annotated[bool, typer.Option("--json", help="one JSON object on stdout")] = False,
    worst: Annotated[int, typer.Option(min=0, help="worst utterances to show aligned")] = 5,
    plot: Annotated[
        Path | None, typer.Option(help="PNG: how often words of each confidence are right")
    ] = None,
    runtime: Runtime = None,
) -> None:
    """WER and CER of a model on a manifest, with interval, error kinds, RTF and the worst lines."""
    from asr.evaluation.error_rates import evaluate_manifest
    from asr.evaluation.report import evaluation_text

    result, record = evaluate_manifest(model, manifest, decoding, runtime or "onnx")
    if json:
        from json import dumps

        typer.echo(dumps(record))
    else:
        typer.echo(evaluation_text(result, worst))
    if plot is not None:
        from asr.evaluation.plots import reliability

        reliability(plot, result.judged, f"{record['model']}, {manifest}")
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
    """Train a recogniser, or a voice if the config has one; resumes where --out was left."""

    from asr.training.from_yaml import train_from_yaml

    typer.echo(train_from_yaml(config, data, out, max_steps))


@app.command()
@decodes("lm", "beam", "rnn_lm", "fusion")
def tune(
    decoding: Any,
    model: Annotated[str, typer.Argument(help="shipped name or model directory")],
    manifest: Annotated[Path, typer.Argument(help="a dev set, never a test set")],
    save: Annotated[
        bool,
        typer.Option("--save", help="keep the best as the default, beside the (recurrent) model"),
    ] = False,
) -> None:
    """Find the language model weights that make the fewest word errors."""
    from asr.evaluation.tuning import save_best
    from asr.evaluation.tuning import tune as try_all

    trials = try_all(model, manifest, decoding)
    for trial in trials[:5]:
        w = trial.weights
        rnn = decoding.rnn_lm
        mixed = f" --rnn-lm {rnn} --share {w.share}" if rnn else ""
        typer.echo(
            f"--beam {w.beam} --lm {decoding.lm} --alpha {w.alpha} --beta {w.beta} "
            f"--unknown {w.unknown}{mixed}, spelling {w.spelling}: {trial.wer:.2%}"
        )
    if save:
        typer.echo(f"kept: {save_best(trials, model, manifest, decoding)}")


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="shipped name or model directory")],
    out: Annotated[Path, typer.Argument(help="folder of models")],
    format: Annotated[
        ExportFormat, typer.Option(help="onnx: features in, logits out; int8: of half the size")
    ] = "savedmodel",
) -> None:
    """Write a model for TensorFlow Serving, OUT/NAME/VERSION, or for others, OUT/NAME.onnx."""
    if format != "savedmodel":
        from asr.networks.onnx_model import export_onnx

        return typer.echo(export_onnx(model, out, int8=format == "onnx-int8"))

    from asr.serving.voice_savedmodel import export_model

    typer.echo(export_model(model, out))


@app.command()
@decodes("beam", "lm", "alpha", "beta", "unknown")
def calibrate(
    decoding: Any,
    model: Annotated[str, typer.Argument(help="shipped name or model directory")],
    manifests: Annotated[list[Path], typer.Argument(help="dev sets, never a test set")],
) -> None:
    """Make words' confidences probabilities; with --lm, those of decoding with a model.

    Writes calibration.json beside the model's weights.
    """
    from asr.evaluation.calibration import calibrate as fit

    curve, failures = fit(model, manifests, decoding)
    typer.echo(
        f"{curve.words} words; expected calibration error {curve.ece_before:.2%} before, "
        f"{curve.ece_after:.2%} after (cross-validated)"
    )
    for failure in failures:
        typer.echo(f"failed: {failure.error}", err=True)
    if failures:
        raise typer.Exit(1)


@data_app.command("prepare")
def data_prepare(
    corpus: Annotated[str, typer.Argument(help="see data/README.md; folder for one of your own")],
    source: Annotated[Path, typer.Option(help="where the corpus was unpacked")],
    out: Annotated[Path, typer.Option(help="folder for train, dev and test.jsonl")],
) -> None:
    """Write the manifests of a corpus."""
    from asr.data.corpora import prepare

    prepared = prepare(corpus, source, out)
    for line in prepared.skipped:
        typer.echo(f"left out: {line}", err=True)
    for split in ("train", "dev", "test"):
        if split in prepared.manifests:
            utterances, path = prepared.counts[split], prepared.manifests[split]
            typer.echo(f"{split}: {utterances} utterances, {path}")
        else:
            typer.echo(f"{split}: no utterances, no manifest")


@data_app.command("check")
def data_check(
    manifests: list[Path],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="use its alphabet and frame rate")
    ] = None,
) -> None:
    """Validate manifests and print their statistics; errors end with exit status 1."""
    from asr.audio.features import FeatureConfig
    from asr.data.manifest_check import check_manifests
    from asr.evaluation.report import check_text
    from asr.text.tokenizers import Tokenizer, TokenizerConfig

    features, tokenizer, stride = FeatureConfig(), Tokenizer(TokenizerConfig()), 2
    if model is not None:
        from asr.networks.model_directory import read_model

        _, config = read_model(model)
        features, tokenizer = config.features, Tokenizer(config.tokenizer)
        stride = config.acoustic.stride
    report = check_manifests(
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
        # The reader, such as `head`, has had enough.
        _drop_stdout()
        sys.exit(1)
    except (AsrError, OSError) as error:
        typer.secho(f"error: {explain(error)}", fg="red", err=True)
        try:
            sys.stdout.flush()
        except OSError:  # its disk is full
            _drop_stdout()
        sys.exit(1)


def _drop_stdout() -> None:
    """Python must not try at exit to write what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
