"""Speak texts to audio files, to a folder with a manifest, or as raw samples, for `asr speak`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from asr.audio.writing import audio_writer
from asr.base.files import atomic_write, json_line
from asr.base.progress import portion_bar, track
from asr.base.text_files import text_argument
from asr.errors import AsrError, ConfigError, TextError
from asr.tts.synthesizer import Speech, Synthesizer, with_pauses
from asr.tts.timings import TimedPhone, TimedWord, joined_words

SHORT_TEXT = 200
"""Characters of the longest text whose speaking shows no bar."""
FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}


@dataclass(frozen=True)
class SpokenText:
    """A text that was spoken.

    Attributes:
        text: the text.
        spoken: its words as they were spoken.
        audio_filepath: the file; None for standard output.
        duration: in seconds.
        warnings: parts that were skipped, spelled or pronounced by a rule.
        words: the words as they were written, with their times.
    """

    text: str
    spoken: str
    audio_filepath: str | None
    duration: float
    warnings: tuple[str, ...]
    words: tuple[TimedWord, ...] = ()


def read_text(text: str) -> str:
    """The text of an argument: the content of stdin for -, of a text file, or itself.

    Raises:
        TextError: the file cannot be read or is not UTF-8, see `text_argument`.
    """
    if text != "-":
        return text_argument(text)
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TextError("-: is not UTF-8 text") from None


def phone_lines(voice: Synthesizer, text: str) -> Iterator[str]:
    """The symbols of each sentence, as a line each.

    Raises:
        TextError: the text has nothing that can be spoken.
    """
    for sentence in voice.sentences(text):
        _warn(sentence.warnings)
        yield " ".join(sentence.symbols)


def speak_to_file(
    voice: Synthesizer, text: str, out: Path, rate: float, pitch: float
) -> SpokenText:
    """Speak a text to a .wav, .flac or .ogg file.

    Args:
        voice: the voice.
        text: any number of sentences.
        out: the file; its ending chooses the format.
        rate: speed, from 0.25 to 4; 1 as recorded.
        pitch: semitones by which the pitch is raised, from −12 to 12.

    Raises:
        ConfigError: the ending is not one of FORMATS, or rate or pitch is out of range.
        TextError: the text has nothing that can be spoken.
    """
    if out.suffix.lower() not in FORMATS:
        raise ConfigError(f"{out}: the name must end in one of {', '.join(FORMATS)}")
    kind = FORMATS[out.suffix.lower()]
    with audio_writer(out, voice.config.mel.sample_rate, kind) as audio:
        return _speak(voice, text, audio.write, str(out), rate, pitch)


def speak_raw(
    voice: Synthesizer, text: str, out: IO[bytes], rate: float, pitch: float
) -> SpokenText:
    """Write 16-bit little-endian samples at the voice's sample rate, sentence by sentence.

    Arguments and exceptions are those of `speak_to_file`, with a binary stream as `out`.
    """

    def write(samples: np.ndarray) -> None:
        out.write((samples * 32767).astype("<i2").tobytes())
        out.flush()

    return _speak(voice, text, write, None, rate, pitch)


def speak_lines(
    voice: Synthesizer, texts: Iterable[str], folder: Path, suffix: str, rate: float, pitch: float
) -> tuple[list[SpokenText], int]:
    """Speak each line of a text to a file of its own, and write a manifest of the files.

    A line that cannot be spoken is reported on stderr; the other lines are spoken all the same.

    Args:
        voice: the voice.
        texts: the lines; empty lines are skipped.
        folder: folder of the files and of `manifest.jsonl`.
        suffix: file ending, one of FORMATS.
        rate, pitch: see `speak_to_file`.

    Returns:
        The spoken lines, and the number of lines that failed.

    Raises:
        TextError: all lines are empty.
        ConfigError: the format is unknown, or rate or pitch is out of range.
    """
    if suffix not in FORMATS:
        known = ", ".join(s.removeprefix(".") for s in FORMATS)
        raise ConfigError(f"format: {suffix.removeprefix('.')!r} is not known; one of {known}")
    voice.check_options(rate, pitch)
    lines = [(n, line.strip()) for n, line in enumerate(texts, 1) if line.strip()]
    if not lines:
        raise TextError("the text has no line that is not empty")
    spoken, failed = list[SpokenText](), 0
    for number, line in track(lines, len(lines), "speaking"):
        path = folder / f"{number:05d}{suffix}"
        try:
            spoken.append(speak_to_file(voice, line, path, rate, pitch))
        except AsrError as error:
            failed += 1
            print(f"failed: line {number}: {error}", file=sys.stderr)
    with atomic_write(folder / "manifest.jsonl") as file:
        for line_spoken in spoken:
            entry = {
                "audio_filepath": Path(line_spoken.audio_filepath or "").name,
                "text": line_spoken.spoken,
                "duration": line_spoken.duration,
                "speaker": voice.config.voice,
            }
            file.write(json_line(entry))
    return spoken, failed


def timings_json(spoken: SpokenText) -> str:
    """The words of a spoken text with their times in seconds, rounded to ms, as JSON."""

    def times(item: TimedWord | TimedPhone) -> dict[str, float]:
        return {"start": round(item.start, 3), "end": round(item.end, 3)}

    words = [
        {
            "text": word.text,
            "spoken": " ".join(word.spoken),
            **times(word),
            "phones": [{"phone": phone.phone, **times(phone)} for phone in word.phones],
        }
        for word in spoken.words
    ]
    return json_line({"text": spoken.text, "duration": round(spoken.duration, 3), "words": words})


def result_line(spoken: SpokenText, as_json: bool) -> str:
    """A spoken text as a line of text, or as a JSON object with all attributes but the words."""
    if as_json:
        values = {key: value for key, value in vars(spoken).items() if key != "words"}
        return json_line(values).rstrip("\n")
    return f"{spoken.audio_filepath}: {spoken.duration:.2f} s"


def _speak(
    voice: Synthesizer,
    text: str,
    write: Callable[[np.ndarray], object],
    name: str | None,
    rate: float,
    pitch: float,
) -> SpokenText:
    """Speak a text, and pass the samples of each sentence to `write`."""
    count, words, warnings = 0, list[str](), list[str]()
    timed = list[tuple[str | None, TimedWord]]()
    for samples, speech in with_pauses(_spoken(voice, text, rate, pitch)):
        write(samples)
        count += len(samples)
        timed += speech.spoken_words(speech.start_before(count))
        words.append(speech.sentence.text)
        warnings += speech.sentence.warnings
        _warn(speech.sentence.warnings)
    seconds = count / voice.config.mel.sample_rate
    spoken = " ".join(words)
    return SpokenText(text, spoken, name, seconds, tuple(warnings), tuple(joined_words(timed)))


def _spoken(voice: Synthesizer, text: str, rate: float, pitch: float) -> Iterator[Speech]:
    """As `Synthesizer.speak_each`, with a bar on the terminal if the text is long."""
    with portion_bar(len(text), "speaking", len(text) > SHORT_TEXT) as show_done:
        for speech in voice.speak_each(text, rate, pitch):
            yield speech
            show_done(speech.sentence.characters)


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
