"""`asr speak` and `asr evaluate-tts`; as in cli.py, each imports what it needs when it runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from asr.errors import ConfigError

Voice = Annotated[str, typer.Option(help="shipped name or directory of a voice")]


def speak(
    text: Annotated[str, typer.Argument(help="what to say; a .txt file; or - for stdin")],
    voice: Voice = "en-kathleen",
    out: Annotated[
        str,
        typer.Option(
            help="a .wav, .flac or .ogg file; a folder (ends in / or is one): a file for each "
            "line, with a manifest; or - for raw 16-bit samples on stdout"
        ),
    ] = "speech.wav",
    format: Annotated[
        str | None, typer.Option(help="of a folder's files: wav (the default), flac or ogg")
    ] = None,
    rate: Annotated[float, typer.Option(help="speed; 2 is twice as fast")] = 1.0,
    pitch: Annotated[float, typer.Option(help="semitones up, or down if negative")] = 0.0,
    phones: Annotated[
        bool, typer.Option("--phones", help="print what would be said, as phones; no audio")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="a JSON object for each file")] = False,
) -> None:
    """Say a text; what cannot be said is named on stderr.

    asr speak "Author of the danger trail." --out trail.wav

    asr speak book.txt --out - | aplay -f S16_LE -r 22050
    """
    to_folder = out.endswith(os.sep) or Path(out).is_dir()
    if format is not None and (phones or not to_folder):
        raise ConfigError("--format is for a folder's files; a file's own ending says what it is")
    if json and (phones or out == "-"):
        raise ConfigError("--json tells of files, and none is written")

    from asr.tts import speak as run
    from asr.tts.synthesizer import Synthesizer

    said = run.read_text(text)
    speaker = Synthesizer.load(voice)
    failed = 0
    if phones:
        for line in run.phone_lines(speaker, said):
            typer.echo(line)
        return
    if out == "-":
        run.speak_raw(speaker, said, sys.stdout.buffer, rate, pitch)
        return
    if to_folder:
        suffix = f".{format or 'wav'}"
        results, failed = run.speak_lines(
            speaker, said.splitlines(), Path(out), suffix, rate, pitch
        )
    else:
        results = [run.speak_to_file(speaker, said, Path(out), rate, pitch)]
    for result in results:
        typer.echo(run.said_text(result, json))
    if failed:
        typer.echo(f"{len(results) + failed} lines, {failed} failed", err=True)
        raise typer.Exit(1)


def evaluate_tts(
    manifest: Annotated[Path, typer.Argument(help="recordings of the voice's speaker, with texts")],
    voice: Voice = "en-kathleen",
    model: Annotated[str, typer.Option("--model", "-m", help="recogniser that reads")] = "en-small",
    lm: Annotated[
        str | None, typer.Option(help="language model that it reads with; default: greedy")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON object on stdout")] = False,
) -> None:
    """Let recognisers read what a voice says, beside the recordings, flite and espeak-ng.

    PocketSphinx, flite and espeak-ng take part where they are installed.
    """
    from asr.decoding.decoder import Decoding
    from asr.recognizer import load_recognizer

    recognizer = load_recognizer(model, Decoding(lm=lm))

    from asr.data.manifest import read_manifest
    from asr.evaluation.round_trip import round_trip, round_trip_record, round_trip_text
    from asr.tts.synthesizer import Synthesizer

    speaker = Synthesizer.load(voice)
    result = round_trip(speaker, recognizer, read_manifest(manifest))
    if json:
        from json import dumps

        typer.echo(dumps(round_trip_record(result, speaker, recognizer, manifest)))
    else:
        typer.echo(round_trip_text(result))
