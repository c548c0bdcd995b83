"""The command `asr speak`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.base.files import names_folder
from asr.errors import ConfigError

if TYPE_CHECKING:
    from asr.tts.speak import SpokenText

VoiceOption = Annotated[
    str,
    typer.Option(
        help="voice: a shipped name (see asr models) or a model directory; NAME:SPEAKER if it has "
        "several speakers"
    ),
]


def speak(
    text: Annotated[
        str,
        typer.Argument(
            help="text or SSML to speak, a file with it (.txt, .ssml, …), or - for stdin"
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
    timings: Annotated[
        Path | None,
        typer.Option(
            help="file for the times of words and phones: .json, .srt or .TextGrid; default: none"
        ),
    ] = None,
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
    if timings is not None:
        _check_timings(timings, phones or to_folder)

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
        spoken = speech.speak_raw(speaker, content, sys.stdout.buffer, rate, pitch)
        _write_timings(timings, spoken)
        return
    if to_folder:
        suffix = f".{format or 'wav'}"
        results, failed = speech.speak_lines(
            speaker, content.splitlines(), Path(out), suffix, rate, pitch
        )
    else:
        results = [speech.speak_to_file(speaker, content, Path(out), rate, pitch)]
        _write_timings(timings, results[0])
    for result in results:
        typer.echo(speech.result_line(result, json))
    if failed:
        typer.echo(f"{len(results) + failed} lines, {failed} failed", err=True)
        raise typer.Exit(1)


TIMINGS = {".json": "json", ".srt": "srt", ".textgrid": "TextGrid"}
"""Formats of `--timings` by the ending of the file, in small letters."""


def _check_timings(path: Path, several: bool) -> None:
    """Check `--timings` before the voice is loaded.

    Raises:
        ConfigError: the ending is unknown, or there is not one speech.
    """
    if path.suffix.lower() not in TIMINGS:
        raise ConfigError(f"--timings {path}: the name must end in .json, .srt or .TextGrid")
    if several:
        raise ConfigError("--timings describes one speech: it needs a file or - as --out")


def _write_timings(path: Path | None, spoken: SpokenText) -> None:
    if path is None:
        return
    from asr.base.files import atomic_write
    from asr.formats.writers import find_writer
    from asr.tts.speak import timings_json
    from asr.tts.timings import as_transcript

    format = TIMINGS[path.suffix.lower()]
    transcript = as_transcript(spoken.words, spoken.duration, spoken.audio_filepath)
    with atomic_write(path) as file:
        if format == "json":
            file.write(timings_json(spoken))
        else:
            file.writelines(find_writer(format).write([transcript]))
