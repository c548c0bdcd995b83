"""Times of words and phones in speech that was synthesised: known exactly, not aligned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from asr.base.units import Hertz, Seconds
from asr.results import Token, Transcript, Word


@dataclass(frozen=True)
class TimedPhone:
    """A phone that was spoken.

    Attributes:
        phone: its ARPAbet symbol with stress, such as AA1.
        start, end: seconds from the start of the speech.
    """

    phone: str
    start: Seconds
    end: Seconds


@dataclass(frozen=True)
class TimedWord:
    """Written text that was spoken, mostly one word.

    Attributes:
        text: the text as it was written, such as "$5".
        spoken: the words that were spoken for it, such as "five" and "dollars".
        start, end: seconds from the start of the speech.
        phones: the phones of the words.
    """

    text: str
    spoken: tuple[str, ...]
    start: Seconds
    end: Seconds
    phones: tuple[TimedPhone, ...]


@dataclass(frozen=True)
class TimedSpeech:
    """Speech with the times of its words.

    Attributes:
        samples: mono samples, float32 [n], in −1…1.
        sample_rate: in Hz.
        words: the words in order; they do not overlap.
    """

    samples: np.ndarray
    sample_rate: Hertz
    words: tuple[TimedWord, ...]


def joined_words(words: Iterable[tuple[str | None, TimedWord]]) -> Iterator[TimedWord]:
    """Spoken words as the written texts that they stand for.

    Args:
        words: for each spoken word, the written text that begins with it, or None if it continues
            the text before it, and its times.
    """
    held: TimedWord | None = None
    for begins, word in words:
        if held is not None and begins is None:
            spoken, phones = held.spoken + word.spoken, held.phones + word.phones
            held = TimedWord(held.text, spoken, held.start, word.end, phones)
            continue
        if held is not None:
            yield held
        held = word if begins is None else TimedWord(begins, *_fields(word))
    if held is not None:
        yield held


def _fields(word: TimedWord) -> tuple[tuple[str, ...], float, float, tuple[TimedPhone, ...]]:
    return word.spoken, word.start, word.end, word.phones


def as_transcript(words: Iterable[TimedWord], duration: Seconds, name: str | None) -> Transcript:
    """Timed words as a transcript, for the formats of transcripts: its tokens are the phones.

    Args:
        words: the words.
        duration: of the speech, in seconds.
        name: its file; None for samples.
    """
    words = tuple(words)
    return Transcript(
        text=" ".join(word.text for word in words),
        score=0.0,
        duration=duration,
        tokens=tuple(Token(p.phone, p.start, p.end, 0.0) for word in words for p in word.phones),
        audio_filepath=name,
        words=tuple(Word(word.text, word.start, word.end, 1.0) for word in words),
    )
