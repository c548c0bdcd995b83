"""The command `asr speak`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from asr.base.files import names_folder
from asr.errors import ConfigError

VoiceOption = Annotated[
    str, typer.Option(help="voice: a shipped name (see asr models) or a model directory")
]


def speak(
    text: Annotated[
        str,
        typer.Argument(
            help="text to speak, a text file with it (.txt, .md, …), or - to read it from stdin"
        ),
    ],
    voice: VoiceOption = "en-kathleen",
    out: Annotated[
        str,
        typer.Option(
            help="a .wav, .flac or .ogg file; a folder (an existing one or a name that ends in /) "
            "for one file per line of text and a manifest; or - for raw 16-bit samples on stdout"
        ),
    ] = "speech.wav",
    format: Annotated[
        str | None,
        typer.Option(
            help="format of the files in an --out folder: wav, flac or ogg", show_default="wav"
        ),
    ] = None,
    rate: Annotated[float, typer.Option(help="speed of speech; 2 is twice as fast")] = 1.0,
    pitch: Annotated[
        float, typer.Option(help="shift of the pitch, in semitones; negative lowers it")
    ] = 0.0,
    threads: Annotated[
        int, typer.Option(help="number of threads; 0 lets ONNX Runtime choose", min=0)
    ] = 0,
    phones: Annotated[
        bool, typer.Option("--phones", help="print the phones of the text and write no audio")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="print one JSON object per file instead of text")
    ] = False,
) -> None:
    """Speak a text. Characters that cannot be pronounced are reported on stderr.

    asr speak "Author of the danger trail." --out trail.wav

    asr speak book.txt --out - | aplay -f S16_LE -r 22050
    """
    to_folder = names_folder(out)
    if format is not None and (phones or not to_folder):
        raise ConfigError(
            "--format needs a folder as --out; the format of a single file follows from its name"
        )
    if json and (phones or out == "-"):
        raise ConfigError("--json describes audio files: it needs a file or a folder as --out")

    from asr.base.progress import spinner
    from asr.tts import speak as speech
    from asr.tts.synthesizer import Synthesizer

    content = speech.read_text(text)
    with spinner(f"loading {voice}"):
        speaker = Synthesizer.load(voice, threads=threads)
    failed = 0
    if phones:
        for line in speech.phone_lines(speaker, content):
            typer.echo(line)
        return
    if out == "-":
        speech.speak_raw(speaker, content, sys.stdout.buffer, rate, pitch)
        return
    if to_folder:
        suffix = f".{format or 'wav'}"
        results, failed = speech.speak_lines(
            speaker, content.splitlines(), Path(out), suffix, rate, pitch
        )
    else:
        results = [speech.speak_to_file(speaker, content, Path(out), rate, pitch)]
    for result in results:
        typer.echo(speech.result_line(result, json))
    if failed:
        typer.echo(f"{len(results) + failed} lines, {failed} failed", err=True)
        raise typer.Exit(1)
