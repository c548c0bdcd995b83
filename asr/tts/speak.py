"""`asr speak`: text from the command line, a file or stdin → audio files, a folder, or raw PCM."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import soundfile

from asr.base.files import atomic_write, json_line
from asr.base.progress import track
from asr.errors import AsrError, ConfigError, TextError
from asr.tts.synthesizer import Synthesizer, joined

FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}


@dataclass(frozen=True)
class Said:
    """What became of one text: its words as they were said, its file (None: standard output),
    seconds and warnings."""

    text: str
    spoken: str
    audio_filepath: str | None
    duration: float
    warnings: tuple[str, ...]


def read_text(text: str) -> str:
    """The text itself; of a name that ends in .txt, or of -, what the file or stdin holds.

    Raises:
        TextError: the file cannot be read, or is not UTF-8.
    """
    if text != "-" and not text.endswith(".txt"):
        return text
    try:
        if text == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        return Path(text).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TextError(f"{text}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise TextError(f"{text}: is not UTF-8 text") from None


def phone_lines(voice: Synthesizer, text: str) -> Iterator[str]:
    """What the voice would say: each sentence's symbols, in a line.

    Raises:
        TextError: nothing in the text can be said.
    """
    for sentence in voice.sentences(text):
        _warn(sentence.warnings)
        yield " ".join(sentence.symbols)


def speak_to_file(voice: Synthesizer, text: str, out: Path, rate: float, pitch: float) -> Said:
    """Write a text as .wav, .flac or .ogg, a sentence at a time.

    Raises:
        AsrError: see `Synthesizer.speak_each`; or the file's ending is of no format.
    """
    if out.suffix.lower() not in FORMATS:
        raise ConfigError(f"{out}: the file's name must end in {', '.join(FORMATS)}")
    with atomic_write(out, binary=True) as file:
        return _write(voice, text, file, out, rate, pitch)


def speak_raw(voice: Synthesizer, text: str, out: IO[bytes], rate: float, pitch: float) -> Said:
    """Write 16-bit little-endian samples at the voice's rate, each sentence as soon as it is made.

    Raises: as `Synthesizer.speak_each`.
    """

    def write(samples: np.ndarray) -> None:
        out.write((samples * 32767).astype("<i2").tobytes())
        out.flush()

    return _say(voice, text, write, None, rate, pitch)


def speak_lines(
    voice: Synthesizer, texts: Iterable[str], folder: Path, suffix: str, rate: float, pitch: float
) -> tuple[list[Said], int]:
    """Each line of text to a file of `folder`, with a manifest.jsonl of all for `asr data check`.

    A line that cannot be said goes to stderr and stops nothing; returns what was said, and how
    many lines failed.

    Raises:
        TextError: there is no line.
        ConfigError: the format is not known, or rate or pitch is out of range.
    """
    if suffix not in FORMATS:
        known = ", ".join(s.removeprefix(".") for s in FORMATS)
        raise ConfigError(f"format: {suffix.removeprefix('.')!r} is not known; one of {known}")
    voice.check(rate, pitch)
    lines = [(n, line.strip()) for n, line in enumerate(texts, 1) if line.strip()]
    if not lines:
        raise TextError("there is no line to say")
    said, failed = [], 0
    for number, line in track(lines, len(lines), "speaking"):
        path = folder / f"{number:05d}{suffix}"
        try:
            said.append(speak_to_file(voice, line, path, rate, pitch))
        except AsrError as error:
            failed += 1
            print(f"failed: line {number}: {error}", file=sys.stderr)
    with atomic_write(folder / "manifest.jsonl") as file:
        for s in said:
            assert s.audio_filepath is not None
            entry = {
                "audio_filepath": Path(s.audio_filepath).name,
                "text": s.spoken,
                "duration": s.duration,
                "speaker": voice.config.voice,
            }
            file.write(json_line(entry))
    return said, failed


def said_text(said: Said, as_json: bool) -> str:
    """A line for people or for programs."""
    if as_json:
        return json_line(vars(said)).rstrip("\n")
    return f"{said.audio_filepath}: {said.duration:.2f} s"


def _write(
    voice: Synthesizer, text: str, file: IO[bytes], out: Path, rate: float, pitch: float
) -> Said:
    kind = FORMATS[out.suffix.lower()]
    with soundfile.SoundFile(file, "w", voice.config.mel.sample_rate, 1, format=kind) as audio:
        return _say(voice, text, audio.write, str(out), rate, pitch)


def _say(
    voice: Synthesizer, text: str, write: Callable[[np.ndarray], object], name: str | None,
    rate: float, pitch: float,
) -> Said:  # fmt: skip
    count, words, warnings = 0, list[str](), list[str]()
    for samples, speech in joined(voice.speak_each(text, rate, pitch)):
        write(samples)
        count += len(samples)
        words.append(speech.sentence.text)
        warnings += speech.sentence.warnings
        _warn(speech.sentence.warnings)
    seconds = count / voice.config.mel.sample_rate
    return Said(text, " ".join(words), name, seconds, tuple(warnings))


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
