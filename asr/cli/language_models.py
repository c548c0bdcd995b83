"""The commands `asr lm train`, `asr lm convert`, `asr lm evaluate` and `asr lm generate`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from asr.base.files import output_file
from asr.base.progress import spinner
from asr.cli.options import JsonOption, LanguageOption, NormaliserOption
from asr.cli.program import resumable
from asr.errors import ConfigError

lm_app = typer.Typer(
    no_args_is_help=True, help="Train, convert, evaluate and sample language models."
)

TextsArgument = Annotated[
    list[Path],
    typer.Argument(help="text files with one sentence per line, or .jsonl manifests"),
]
NGRAM, RECURRENT = "With --kind ngram", "With --kind rnn"


@lm_app.command("train")
def train(
    texts: TextsArgument,
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="output: for ngram an ARPA file, gzipped if the name ends in .gz, with the binary "
            "form beside it, or only the binary form if the name ends in .ngrams; a folder for rnn",
        ),
    ],
    kind: Annotated[
        Literal["ngram", "rnn"],
        typer.Option(help="model: word n-grams (modified Kneser-Ney) or a recurrent network"),
    ] = "ngram",
    normaliser: NormaliserOption = None,
    language: LanguageOption = "",
    order: Annotated[
        int | None,
        typer.Option(
            help="maximum words per n-gram", show_default="3", rich_help_panel=NGRAM, metavar="N"
        ),
    ] = None,
    prune: Annotated[
        str | None,
        typer.Option(
            help="drop n-grams that occur at most this often: one number per order from the first, "
            "such as 0,1,2; the last holds for all higher orders",
            show_default="0",
            rich_help_panel=NGRAM,
            metavar="COUNTS",
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="recogniser, or n-gram model, whose language model gets the words and phrases of "
            "the texts; how much they weigh is found on every tenth sentence",
            show_default="none, a model of the texts alone",
            rich_help_panel=NGRAM,
        ),
    ] = None,
    dev: Annotated[
        list[Path] | None,
        typer.Option(
            help="text file or manifest on which the best epoch is chosen; required with --kind "
            "rnn, may be repeated",
            show_default=False,
            rich_help_panel=RECURRENT,
        ),
    ] = None,
    cell: Annotated[
        Literal["rnn", "lstm", "gru"] | None,
        typer.Option(help="recurrent cell", show_default="lstm", rich_help_panel=RECURRENT),
    ] = None,
    units: Annotated[
        int | None,
        typer.Option(help="units per layer", show_default="512", rich_help_panel=RECURRENT),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(help="number of layers", show_default="1", rich_help_panel=RECURRENT),
    ] = None,
    embedding: Annotated[
        int | None,
        typer.Option(help="size of the embeddings", show_default="256", rich_help_panel=RECURRENT),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            help="dropout rate, from 0 to 1", show_default="0.1", rich_help_panel=RECURRENT
        ),
    ] = None,
    subwords: Annotated[
        int | None,
        typer.Option(
            help="size of the subword vocabulary; 0 models characters",
            show_default="0",
            rich_help_panel=RECURRENT,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="passes over the text", show_default="5", rich_help_panel=RECURRENT),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="peak learning rate", show_default="0.002", rich_help_panel=RECURRENT),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="seed of the random numbers", show_default="1", rich_help_panel=RECURRENT
        ),
    ] = None,
) -> None:
    """Estimate a word n-gram model, or train a recurrent language model."""
    network = {
        "cell": cell,
        "units": units,
        "layers": layers,
        "embedding": embedding,
        "dropout": dropout,
    }
    training = {"epochs": epochs, "learning_rate": learning_rate, "seed": seed}
    if kind == "ngram":
        _refuse("rnn", {"dev": dev, "subwords": subwords, **network, **training})
        file = output_file(out)  # before the work of minutes
        if base is not None:
            if order is not None or prune is not None:
                raise ConfigError("--base: its order holds, without --order and --prune")
            _adapt(base, _read_sentences(texts, normaliser, language), file)
            return
        sentences = _read_sentences(texts, normaliser, language)
        _estimate_ngrams(sentences, file, 3 if order is None else order, prune or "0")
        return
    _refuse("ngram", {"order": order, "prune": prune, "base": base})
    if not dev:
        raise ConfigError("lm train --kind rnn: give --dev, a text to choose the best epoch on")

    for path in (*texts, *dev):
        if not path.is_file():
            raise ConfigError(f"{path}: no such file")

    from asr.base.config import replace
    from asr.base.progress import TrainingProgress
    from asr.training.train_language_model import (
        LanguageExperimentConfig,
        TextDataConfig,
        train_language_model,
    )

    text = TextDataConfig(
        tuple(map(str, texts)),
        tuple(map(str, dev)),
        normaliser or "",
        subwords or 0,
        language,
    )
    folder = Path(out)
    config = LanguageExperimentConfig(folder.resolve().name, text)
    config = replace(
        config,
        network=replace(config.network, **_given(network)),
        training=replace(config.training, **_given(training)),
    )
    with resumable(), TrainingProgress(config.training.epochs) as progress:
        trained = train_language_model(
            config, Path(), folder, None, progress.update, progress.print_line
        )
    typer.echo(trained)


@lm_app.command("convert")
def convert(
    model: Annotated[Path, typer.Argument(help="n-gram model: an ARPA file or its binary form")],
    out: Annotated[
        Path,
        typer.Argument(
            help="output: the binary form if the name ends in .ngrams, else an ARPA file, gzipped "
            "if the name ends in .gz, with the binary form beside it",
            parser=lambda name: output_file(name, "lm convert"),
            metavar="PATH",
        ),
    ],
) -> None:
    """Convert an n-gram model from an ARPA file to its binary form, or back.

    Both forms have the same values. The binary form is mapped into memory, so it loads at once.
    """
    from asr.language.ngram_file import BINARY_SUFFIX, read_ngrams, write_model, write_ngrams

    if (model.suffix == BINARY_SUFFIX) == (out.suffix == BINARY_SUFFIX):
        raise ConfigError(
            f"lm convert {model} {out}: the name of one of both must end in {BINARY_SUFFIX}"
        )
    with spinner(f"converting {model}"):
        if out.suffix == BINARY_SUFFIX:
            converted = write_ngrams(model, out)
        else:
            converted = read_ngrams(model)
            write_model(converted, out, digits=None)
    typer.echo(f"{out}: {len(converted.vocabulary)} words, {len(converted)} n-grams")


@lm_app.command("evaluate")
def evaluate(
    texts: TextsArgument,
    lm: Annotated[
        Path | None,
        typer.Option(
            help="n-gram model: an ARPA file or its binary form", show_default="no n-gram model"
        ),
    ] = None,
    rnn_lm: Annotated[
        str | None,
        typer.Option(
            help="recurrent model: a shipped name (see asr models) or a model directory",
            show_default="no recurrent model",
        ),
    ] = None,
    share: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="weight of the recurrent model in the interpolation, if both models are given",
        ),
    ] = 0.5,
    normaliser: NormaliserOption = None,
    language: LanguageOption = "",
    json: JsonOption = False,
) -> None:
    """Measure how well language models predict a text.

    Prints bits per character and perplexity of an n-gram model, of a recurrent model, or of both
    and their interpolation.
    """
    from asr.language.ngram_file import read_ngrams
    from asr.language.perplexity import compare
    from asr.language.recurrent_lm import RecurrentLM

    if lm is None and rnn_lm is None:
        raise ConfigError("lm evaluate: give a model with --lm, --rnn-lm or both")
    with spinner("loading language models"):
        ngram = None if lm is None else read_ngrams(lm)
        recurrent = None if rnn_lm is None else RecurrentLM.load(rnn_lm)
    found = compare(_read_sentences(texts, normaliser, language), ngram, recurrent, share)
    if json:
        from dataclasses import asdict
        from json import dumps

        typer.echo(dumps(asdict(found)))
        return
    typer.echo(
        f"{found.sentences} sentences, {found.words} words, {found.characters} characters; "
        f"{found.unknown} words unknown to the n-gram model, none in {found.known_sentences} "
        "sentences"
    )
    typer.echo(f"{'':10} bits/character  of known sentences  perplexity of these")
    for p in found.predictions:
        typer.echo(
            f"{p.model:10} {p.bits_per_character:14.4f}  {p.known_bits_per_character:18.4f}  "
            f"{p.perplexity:19.1f}"
        )


@lm_app.command("generate")
def generate(
    model: Annotated[
        str,
        typer.Argument(help="recurrent model: a shipped name (see asr models) or model directory"),
    ],
    prompt: Annotated[
        str, typer.Option(help="beginning of each sentence", show_default="empty")
    ] = "",
    sentences: Annotated[int, typer.Option(min=1, help="number of sentences")] = 5,
    temperature: Annotated[
        float,
        typer.Option(help="randomness, above 0; below 1 prefers what the model finds likely"),
    ] = 1.0,
    top_p: Annotated[
        float,
        typer.Option(
            help="sample only from the most likely labels whose probabilities add up to this, "
            "above 0 and at most 1 (nucleus sampling)"
        ),
    ] = 1.0,
    seed: Annotated[
        int, typer.Option(help="seed of the random numbers; the same seed gives the same text")
    ] = 0,
) -> None:
    """Sample sentences from a recurrent language model."""
    from asr.language.recurrent_lm import RecurrentLM

    with spinner(f"loading {model}"):
        lm = RecurrentLM.load(model)
    for i in range(sentences):
        typer.echo(lm.generate(prompt, temperature, top_p, (seed, i)))


def _read_sentences(texts: list[Path], normaliser: str | None, language: str) -> list[list[str]]:
    from asr.language.text_corpus import read_sentences
    from asr.text.languages import check_language_code
    from asr.text.normalisers import default_normaliser

    code = language and check_language_code(language, "--language")
    with spinner("reading texts"):
        return read_sentences(texts, normaliser or default_normaliser(code), code)


def _estimate_ngrams(sentences: list[list[str]], out: Path, order: int, prune: str) -> None:
    from asr.language.kneser_ney import estimate, parse_prune_counts
    from asr.language.ngram_file import write_model

    counts = parse_prune_counts(prune)
    with spinner(f"estimating n-grams of {len(sentences)} sentences"):
        model = estimate(sentences, order, counts)
    with spinner(f"writing {len(model)} n-grams"):
        write_model(model, out)
    typer.echo(f"{out}: {len(model.vocabulary)} words, {len(model)} n-grams")


def _adapt(base: str, sentences: list[list[str]], out: Path) -> None:
    from asr.base.config import replace
    from asr.base.provenance import this_command
    from asr.decoding.decoding_options import general_lm
    from asr.decoding.lm_record import LmRecord
    from asr.language.adaptation import adapted
    from asr.language.ngram_file import MIXED_DIGITS, read_ngrams, write_model
    from asr.models import find_model

    file = Path(base)
    if not file.is_file():
        found = general_lm(find_model(base))
        if found is None:
            raise ConfigError(f"--base {base}: this recogniser has no language model")
        file = found
    with spinner(f"mixing {len(sentences)} sentences into {file}"):
        made = adapted(read_ngrams(file), sentences)
    with spinner(f"writing {len(made.model)} n-grams"):
        write_model(made.model, out, MIXED_DIGITS)
        record = {"command": this_command(), "base": str(file), "share": made.share}
        replace(LmRecord.read(file), tuned={}, made=record).write(out)
    typer.echo(
        f"{out}: {len(made.model.vocabulary)} words, {len(made.new_words)} of them new, "
        f"{len(made.model)} n-grams; the texts weigh {made.share:.0%}"
    )


def _given(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def _refuse(kind: str, options: Mapping[str, object]) -> None:
    """Raise a `ConfigError` if options of the other kind are given, which would have no effect."""
    if given := ", ".join(f"--{name.replace('_', '-')}" for name in _given(options)):
        raise ConfigError(f"{given}: only with --kind {kind}")
