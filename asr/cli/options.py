"""Options that several commands of the command line share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from asr.formats.subtitles import Captions
from asr.formats.writers import WRITERS
from asr.networks import runtimes

Model = Annotated[str, typer.Option("--model", "-m", help="shipped name or model directory")]
Runtime = Annotated[
    runtimes.Runtime | None,
    typer.Option(help="what computes the network [onnx]; tensorflow can use a GPU"),
]
Server = Annotated[
    str | None,
    typer.Option(help="where asr export's model is served: http://HOST:8501 or grpc://HOST:8500"),
]
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
RnnLm = Annotated[
    str | None,
    typer.Option(help="recurrent model beside --lm: en-general, or a directory of asr lm train"),
]
Fusion = Annotated[
    Literal["rescore", "shallow"] | None,
    typer.Option(help="it ranks anew what is found [rescore], or takes part in the search (slow)"),
]
Share = Annotated[
    float | None, typer.Option(help="of the recurrent model in their mean; default: as tuned")
]
HotWords = Annotated[
    str | None, typer.Option(help="likelier words or phrases: a,b,c or a file, one a line")
]
HotWeight = Annotated[float, typer.Option(help="added for each hot word, in nats")]
Lexicon = Annotated[Path | None, typer.Option(help="text file; only its words can come out")]
Nbest = Annotated[int, typer.Option(help="alternatives in json and jsonl")]
DECODING: dict[str, tuple[Any, Any]] = {
    "beam": (Beam, None), "lm": (Lm, None), "alpha": (Alpha, None), "beta": (Beta, None),
    "unknown": (Unknown, None), "rnn_lm": (RnnLm, None), "fusion": (Fusion, None),
    "share": (Share, None), "hot_words": (HotWords, None), "hot_weight": (HotWeight, 5.0),
    "lexicon": (Lexicon, None), "nbest": (Nbest, 0),
}  # fmt: skip
"""Types and defaults of the options that `asr.decoding.decoder.Decoding` is made of."""
Written = Annotated[
    bool, typer.Option("--written", help="numbers, dates, money and times with digits; English")
]
Format = Annotated[str, typer.Option(help=", ".join(WRITERS))]
ExportFormat = Literal["savedmodel", "onnx", "onnx-int8"]
LineLength = Annotated[int | None, typer.Option(help="of srt and vtt: characters a line [42]")]
Lines = Annotated[int | None, typer.Option(help="of srt and vtt: lines a caption [2]")]


def captions_of(line_length: int | None, lines: int | None) -> Captions | None:
    """What was asked for; None if nothing was, for only some formats have lines."""
    given = {"line_length": line_length, "lines": lines}
    chosen = {key: value for key, value in given.items() if value is not None}
    return Captions(**chosen) if chosen else None


def decodes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options of `DECODING`; it gets a `Decoding` of them, as `decoding`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(**values: Any) -> None:
            from asr.decoding.decoder import Decoding, read_phrases

            chosen = {name: values.pop(name) for name in names}
            if "hot_words" in chosen:
                chosen["hot_words"] = read_phrases(chosen["hot_words"])
            command(**values, decoding=Decoding(**chosen))

        own = inspect.signature(command, eval_str=True).parameters.values()
        parameters = [p for p in own if p.name != "decoding"] + [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY,
                annotation=DECODING[name][0], default=DECODING[name][1],
            )
            for name in names
        ]  # fmt: skip
        # What typer reads a command's options from.
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate
