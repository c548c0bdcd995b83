"""Options that several commands share: their types, defaults and help texts.

Each help text says the effect and the unit or the choices; typer adds the default. Options without
a fixed default say what happens without them (`show_default`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from asr.base.files import output_file
from asr.formats.subtitles import Captions
from asr.formats.writers import WRITERS
from asr.networks.runtimes import Runtime

INPUT, OUTPUT, DECODING, SPEED = "Input", "Output", "Decoding", "Speed"
CLUSTER, ACCESS, LIMITS = "Cluster", "Access", "Limits"
"""Titles of the groups of options in `--help`."""

ModelArgument = Annotated[
    str, typer.Argument(help="model: a shipped name (see asr models) or a model directory")
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="recogniser: a shipped name (see asr models) or a model directory",
        rich_help_panel=INPUT,
    ),
]
ChannelOption = Annotated[
    int | None,
    typer.Option(
        help="use only this channel, counted from 0",
        show_default="mix of all channels",
        rich_help_panel=INPUT,
    ),
]
FormatOption = Annotated[
    str,
    typer.Option(help=f"output format: {', '.join(WRITERS)}", rich_help_panel=OUTPUT),
]
LineLengthOption = Annotated[
    int | None,
    typer.Option(
        help="maximum characters per line of a caption (srt and vtt only)",
        show_default=str(Captions.line_length),
        rich_help_panel=OUTPUT,
    ),
]
LinesOption = Annotated[
    int | None,
    typer.Option(
        help="maximum lines per caption (srt and vtt only)",
        show_default=str(Captions.lines),
        rich_help_panel=OUTPUT,
    ),
]
WrittenOption = Annotated[
    bool,
    typer.Option(
        "--written",
        help="write numbers, dates, amounts of money and times with digits (English only)",
        rich_help_panel=OUTPUT,
    ),
]
RuntimeOption = Annotated[
    Runtime | None,
    typer.Option(
        help="library that computes the network; tensorflow starts slowly but can use a GPU",
        show_default="onnx",
        rich_help_panel=SPEED,
    ),
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        help="compute the network on a model server, such as http://HOST:8501 or "
        "grpc://HOST:8500; asr export writes the model for it",
        show_default="in this process",
        rich_help_panel=SPEED,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON object instead of text")]
NormaliserOption = Annotated[
    str | None,
    typer.Option(
        help="text normalisation: english, neutral, korean or none",
        metavar="NAME",
        show_default="english, or neutral if --language is another one",
    ),
]
LanguageOption = Annotated[
    str,
    typer.Option(
        help="language of the texts: an ISO 639 code, such as de",
        metavar="CODE",
        show_default="English",
    ),
]


def picture_file(name: str) -> Path:
    """The file that --plot names."""
    return output_file(name, "--plot")


AS_TUNED = "the value that asr tune found"


def _decoding_option(
    name: str, kind: Any, help: str, *, default: Any = None, show_default: bool | str = True
) -> inspect.Parameter:
    """An option whose value goes to the field `name` of `Decoding`."""
    option = typer.Option(help=help, show_default=show_default, rich_help_panel=DECODING)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


DECODING_OPTIONS = {
    option.name: option
    for option in (
        _decoding_option(
            "beam",
            int | None,
            "number of prefixes that the beam search keeps; 0 decodes greedily",
            show_default=f"{AS_TUNED}; 0 without a language model",
        ),
        _decoding_option(
            "lm",
            str | None,
            "language model: general (the recogniser's own), none (fast), an ARPA file or its "
            "binary form",
            show_default="general, if the recogniser has one",
        ),
        _decoding_option(
            "alpha",
            float | None,
            "weight of the language model's log-probability",
            show_default=AS_TUNED,
        ),
        _decoding_option(
            "beta", float | None, "score added for each word, in nats", show_default=AS_TUNED
        ),
        _decoding_option(
            "unknown",
            float | None,
            "score added for each word that is not in the language model, in nats",
            show_default=AS_TUNED,
        ),
        _decoding_option(
            "rnn_lm",
            str | None,
            "recurrent language model to combine with --lm: a shipped name, such as en-general, or "
            "a directory written by asr lm train",
            show_default="no recurrent model",
        ),
        _decoding_option(
            "fusion",
            Literal["rescore", "shallow"] | None,
            "use of the recurrent model: rescore the n-best list, or shallow fusion during the "
            "search (much slower)",
            show_default="rescore",
        ),
        _decoding_option(
            "share",
            float | None,
            "weight of the recurrent model in the interpolation with --lm, from 0 to 1",
            show_default=AS_TUNED,
        ),
        _decoding_option(
            "hot_words",
            str | None,
            "words or phrases to favour, comma-separated, or a text file with one per line",
            show_default="none",
        ),
        _decoding_option(
            "hot_weight",
            float,
            "score added for each word of --hot-words, in nats",
            default=5.0,
        ),
        _decoding_option(
            "lexicon",
            Path | None,
            "text file with the only words that the transcript may contain",
            show_default="any word",
        ),
        _decoding_option(
            "vad",
            bool,
            "find words only where there is a voice (voice activity detection)",
            default=True,
        ),
        _decoding_option(
            "nbest",
            int,
            "number of alternative texts to add to the formats json and jsonl",
            default=0,
        ),
    )
}
"""Options that `decoding_options` can give a command, by the field of `Decoding` that they set."""
SINGLE_TEXT_OPTIONS = [name for name in DECODING_OPTIONS if name != "nbest"]
"""Options of commands whose output has no place for alternative texts."""


def decoding_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command some of `DECODING_OPTIONS` in place of its parameter `decoding`.

    typer reads a command's options from its signature. The decorated command therefore has a
    signature with one parameter per option, and passes their values on as one `Decoding`.

    Args:
        names: keys of `DECODING_OPTIONS`, in the order of the help text.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            from asr.decoding.decoding_options import Decoding
            from asr.decoding.word_lists import read_phrases

            settings = {name: values.pop(name) for name in names}
            if "hot_words" in settings:
                settings["hot_words"] = read_phrases(settings["hot_words"])
            command(**values, decoding=Decoding(**settings))

        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command).parameters.values():
            if parameter.name == "decoding":
                parameters += [DECODING_OPTIONS[name] for name in names]
            else:
                parameters.append(parameter)
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def captions_from(line_length: int | None, lines: int | None) -> Captions | None:
    """Caption settings from --line-length and --lines; None if neither is given.

    A format without captions refuses any `Captions`, so the defaults must not be filled in here.
    """
    if line_length is None and lines is None:
        return None
    return Captions(
        Captions.line_length if line_length is None else line_length,
        Captions.lines if lines is None else lines,
    )
