"""Options that several commands of the command line share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from asr import runtimes
from asr.subtitles import Captions
from asr.writers import WRITERS

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
HotWords = Annotated[
    str | None, typer.Option(help="likelier words or phrases: a,b,c or a file, one a line")
]
HotWeight = Annotated[float, typer.Option(help="added for each hot word, in nats")]
Lexicon = Annotated[Path | None, typer.Option(help="text file; only its words can come out")]
Format = Annotated[str, typer.Option(help=", ".join(WRITERS))]
ExportFormat = Literal["savedmodel", "onnx", "onnx-int8"]
LineLength = Annotated[int | None, typer.Option(help="of srt and vtt: characters a line [42]")]
Lines = Annotated[int | None, typer.Option(help="of srt and vtt: lines a caption [2]")]


def captions_of(line_length: int | None, lines: int | None) -> Captions | None:
    """What was asked for; None if nothing was, for only some formats have lines."""
    given = {"line_length": line_length, "lines": lines}
    chosen = {key: value for key, value in given.items() if value is not None}
    return Captions(**chosen) if chosen else None
