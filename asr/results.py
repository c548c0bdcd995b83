"""What transcription returns: typed, with times in seconds computed from whole sample counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Token:
    """One decoded unit (character, jamo or subword).

    `start` and `end` are seconds from the start of the recording; `score` is the mean
    log-probability (nats) over its frames.
    """

    text: str
    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Word:
    """One word of a transcript.

    `start` and `end` are seconds from the start of the recording; words are in order and do not
    overlap. `confidence` is the probability (0–1) that the word is right.
    """

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Alternative:
    """A text that a beam search found, and its score: log-probability (nats) of the whole
    recording, with what a language model added."""

    text: str
    score: float


@dataclass(frozen=True)
class Transcript:
    """The text of one recording.

    `score` is the best path's mean log-probability (nats) a frame; `duration` is in seconds;
    `audio_filepath` is as the caller gave it, None for samples; `channel` is the one that was
    transcribed by itself, from 0, None for a mix of all. `alternatives` are what was found where
    n-best was asked for, the best first; none for a recording of several windows.
    """

    text: str
    score: float
    duration: float
    tokens: tuple[Token, ...] = ()
    audio_filepath: str | None = None
    words: tuple[Word, ...] = ()
    channel: int | None = None
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True)
class Partial:
    """What a stream has heard: words behind its last final result.

    A `final` one stays; one that is not is replaced by the next result, whichever that is. `start`
    and `end` are seconds from the start of the stream; `tokens` is as in `Transcript`. `pause`: a
    pause, or the end, follows; if all that it ends was final before, the text is empty.
    """

    text: str
    final: bool
    start: float
    end: float
    tokens: tuple[Token, ...] = ()
    pause: bool = False


@dataclass(frozen=True)
class Failure:
    """A recording that could not be used, and why; with the `traceback` of what nobody expected."""

    audio_filepath: str
    error: str
    traceback: str = ""

    def to_dict(self) -> dict[str, str]:
        """Plain values for JSON; a traceback only where there is one."""
        return {key: value for key, value in vars(self).items() if value or key != "traceback"}


def in_order(results: Iterable[tuple[int, T]]) -> Iterator[T]:
    """Put (index, result) pairs, which come as batches finish, back into the inputs' order."""
    waiting: dict[int, T] = {}
    following = 0
    for index, result in results:
        waiting[index] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1
