"""Options that several commands of the command line share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asr import runtimes
from asr.writers import WRITERS

Model = Annotated[str, typer.Option("--model", "-m", help="shipped name or model directory")]
Runtime = Annotated[
    runtimes.Runtime,
    typer.Option(help="what computes the network; tensorflow starts slowly and can use a GPU"),
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
LineLength = Annotated[int | None, typer.Option(help="of srt and vtt: characters a line [42]")]
Lines = Annotated[int | None, typer.Option(help="of srt and vtt: lines a caption [2]")]
