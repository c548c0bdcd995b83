"""`asr lm`: language models made, measured and let speak."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from asr.errors import ConfigError

lm_app = typer.Typer(no_args_is_help=True, help="Language models.")


@lm_app.command("train")
def train(
    texts: Annotated[list[Path], typer.Argument(help="text, a sentence a line, or manifests")],
    out: Annotated[
        Path, typer.Option(help="ARPA file, gzip if it ends in .gz; of kind rnn a folder")
    ],
    kind: Annotated[Literal["ngram", "rnn"], typer.Option(help="words, or a network")] = "ngram",
    order: Annotated[int | None, typer.Option(help="ngram: words an n-gram [3]")] = None,
    prune: Annotated[
        str | None,
        typer.Option(help="ngram: leave out what occurs so often or less, by order, as 1,1,2"),
    ] = None,
    normaliser: Annotated[str, typer.Option(help="english, korean or none")] = "english",
    dev: Annotated[
        list[Path] | None, typer.Option(help="rnn: text that the epoch is chosen by")
    ] = None,
    cell: Annotated[
        Literal["rnn", "lstm", "gru"] | None, typer.Option(help="rnn: rnn, lstm or gru [lstm]")
    ] = None,
    units: Annotated[int | None, typer.Option(help="rnn: state size of a layer [512]")] = None,
    layers: Annotated[int | None, typer.Option(help="rnn: how many [1]")] = None,
    embedding: Annotated[int | None, typer.Option(help="rnn: size of a label's vector")] = None,
    dropout: Annotated[float | None, typer.Option(help="rnn: share dropped [0.1]")] = None,
    subwords: Annotated[
        int | None, typer.Option(help="rnn: pieces to make of the text; 0, the default: characters")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="rnn [5]")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="rnn: peak [0.002]")] = None,
    seed: Annotated[int | None, typer.Option(help="rnn [1]")] = None,
) -> None:
    """Estimate a word n-gram model (modified Kneser-Ney), or train a recurrent one."""
    network = {"cell": cell, "units": units, "layers": layers, "embedding": embedding,
               "dropout": dropout}  # fmt: skip
    training = {"epochs": epochs, "learning_rate": learning_rate, "seed": seed}
    if kind == "ngram":
        _refuse("rnn", {"dev": dev, "subwords": subwords, **network, **training})
        return _ngram(texts, out, 3 if order is None else order, prune or "0", normaliser)
    _refuse("ngram", {"order": order, "prune": prune})
    if not dev:
        raise ConfigError("lm train --kind rnn: the epoch is chosen by a text of its own: --dev")

    from asr.base.config import replace
    from asr.base.progress import TrainingProgress
    from asr.training.train_language_model import (
        LanguageExperimentConfig,
        TextConfig,
        train_language_model,
    )

    text = TextConfig(tuple(map(str, texts)), tuple(map(str, dev)), normaliser, subwords or 0)
    config = LanguageExperimentConfig(out.resolve().name, text)
    config = replace(
        config,
        network=replace(config.network, **_given(network)),
        training=replace(config.training, **_given(training)),
    )
    with TrainingProgress(config.training.epochs) as progress:
        typer.echo(train_language_model(config, out, None, progress.update, progress.say))


@lm_app.command("evaluate")
def evaluate(
    texts: Annotated[list[Path], typer.Argument(help="text, a sentence a line, or manifests")],
    lm: Annotated[Path | None, typer.Option(help="ARPA file")] = None,
    rnn_lm: Annotated[
        str | None, typer.Option(help="recurrent model, by shipped name or directory")
    ] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="of the latter in their mean")] = 0.5,
    normaliser: Annotated[str, typer.Option(help="english, korean or none")] = "english",
    json: Annotated[bool, typer.Option("--json", help="one JSON object on stdout")] = False,
) -> None:
    """Bits per character and perplexity of a text, by an n-gram model, a recurrent one, or both."""
    from asr.language.ngram import read_arpa, read_sentences
    from asr.language.perplexity import compare
    from asr.language.recurrent_lm import RecurrentLM

    if lm is None and rnn_lm is None:
        raise ConfigError("lm evaluate: give a model, --lm or --rnn-lm, or both")
    ngram = None if lm is None else read_arpa(lm)
    recurrent = None if rnn_lm is None else RecurrentLM.load(rnn_lm)
    found = compare(read_sentences(texts, normaliser), ngram, recurrent, share)
    if json:
        from dataclasses import asdict
        from json import dumps

        return typer.echo(dumps(asdict(found)))
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
    model: Annotated[str, typer.Argument(help="recurrent model, by shipped name or directory")],
    prompt: Annotated[str, typer.Option(help="how each sentence begins")] = "",
    sentences: Annotated[int, typer.Option(min=1, help="how many")] = 5,
    temperature: Annotated[float, typer.Option(help="above 0; low is likely, high is odd")] = 1.0,
    top_p: Annotated[float, typer.Option(help="draw from the likeliest with this share")] = 1.0,
    seed: Annotated[int, typer.Option(help="the same seed, the same text")] = 0,
) -> None:
    """Let a recurrent language model write sentences."""
    from asr.language.recurrent_lm import RecurrentLM

    lm = RecurrentLM.load(model)
    for i in range(sentences):
        typer.echo(lm.generate(prompt, temperature, top_p, (seed, i)))


def _ngram(texts: list[Path], out: Path, order: int, prune: str, normaliser: str) -> None:
    from asr.language.kneser_ney import estimate, read_counts
    from asr.language.ngram import read_sentences, write_arpa

    counts = read_counts(prune)
    model = estimate(read_sentences(texts, normaliser), order, counts)
    write_arpa(model, out)
    typer.echo(f"{out}: {len(model.vocabulary)} words, {len(model)} n-grams")


def _given(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def _refuse(kind: str, options: Mapping[str, object]) -> None:
    """Options of the other kind, which nothing would read, are errors."""
    if given := ", ".join(f"--{name.replace('_', '-')}" for name in _given(options)):
        raise ConfigError(f"{given}: of --kind {kind} only")
