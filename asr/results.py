"""Results of transcription.

All times are in seconds. They are computed from whole sample counts, so they do not drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Token:
    """One decoded unit: a character, jamo or subword.

    Attributes:
        text: the unit.
        start: seconds from the start of the recording.
        end: seconds from the start of the recording.
        score: mean log-probability (nats) of the token's frames.
    """

    text: str
    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Word:
    """One word of a transcript. Words are in order and do not overlap.

    Attributes:
        text: the word.
        start: seconds from the start of the recording.
        end: seconds from the start of the recording.
        confidence: probability that the word is right, from 0 to 1. Of an aligned word, how well
            its letters fit the audio: the geometric mean of their probabilities.
    """

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Alternative:
    """One hypothesis of an n-best list.

    Attributes:
        text: the hypothesis.
        score: log-probability (nats) of the whole recording, language model scores included.
    """

    text: str
    score: float


@dataclass(frozen=True)
class Transcript:
    """The text of one recording, or of one of its channels.

    Attributes:
        text: the best hypothesis.
        score: mean log-probability (nats) per frame of the best path.
        duration: seconds.
        tokens: the units of the text.
        audio_filepath: path as the caller gave it; None for samples.
        words: the words of the text.
        channel: the channel, counted from 0; None if all channels were mixed.
        alternatives: the n-best list, best first; empty unless it was requested, and for a
            recording that was cut into several windows.
        offset: where a segment of a manifest begins in its recording, in seconds; 0 for a whole
            recording. Times of words and tokens count from the start of the recording.
        warnings: what is wrong although there is a result, such as a header that states another
            length than the file has.
    """

    text: str
    score: float
    duration: float
    tokens: tuple[Token, ...] = ()
    audio_filepath: str | None = None
    words: tuple[Word, ...] = ()
    channel: int | None = None
    alternatives: tuple[Alternative, ...] = ()
    offset: float = 0.0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alignment(Transcript):
    """The times of a known text in a recording.

    `text` and `words` are as the caller wrote them; `tokens` are of the normalised text.

    Attributes:
        confidence: how well the text fits the audio, from 0 to 1; docs/transcribe.md says how it is
            computed. A low confidence is among the warnings.
    """

    confidence: float = 0.0


@dataclass(frozen=True)
class Partial:
    """A result of a stream: the words since the last final result.

    Attributes:
        text: the words. Empty if a pause follows and all words before it were final already.
        final: whether the words stay; otherwise the next result replaces them.
        start: seconds from the start of the stream.
        end: seconds from the start of the stream.
        tokens: the units of the text.
        pause: whether a pause, or the end of the stream, follows.
        words: the words of the text.
    """

    text: str
    final: bool
    start: float
    end: float
    tokens: tuple[Token, ...] = ()
    pause: bool = False
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A recording that could not be transcribed.

    Attributes:
        audio_filepath: the recording.
        error: message with the cause.
        traceback: traceback of an unexpected error; empty for an `AsrError`.
    """

    audio_filepath: str
    error: str
    traceback: str = ""

    def to_dict(self) -> dict[str, str]:
        """The attributes for JSON; without `traceback` if it is empty."""
        return {key: value for key, value in vars(self).items() if value or key != "traceback"}


def in_order(results: Iterable[tuple[int, T]]) -> Iterator[T]:
    """Sort results that arrive out of order, while they arrive.

    Args:
        results: pairs of index and result; the indices are 0, 1, 2 … in any order.
    """
    waiting: dict[int, T] = {}
    following = 0
    for index, result in results:
        waiting[index] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1
