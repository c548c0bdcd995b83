"""Captions from timed words: short lines that appear and disappear with the speech."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asr.errors import ConfigError
from asr.results import Word

MAX_DURATION = 7000
"""Longest time of a caption in ms, the usual limit of broadcasters."""
MIN_DURATION = 1000
"""Shortest time of a caption in ms, unless the next caption starts earlier."""
GAP = 80
"""Time between two captions in ms: two frames of film, so that the eye sees the change."""
PAUSE = 700
"""Silence that ends a caption, in ms."""


@dataclass(frozen=True)
class Captions:
    """Settings of captions.

    Attributes:
        line_length: maximum characters per line; a longer word has a line of its own.
        lines: maximum lines per caption.

    Raises:
        ConfigError: a value is below 1.
    """

    line_length: int = 42
    lines: int = 2

    def __post_init__(self) -> None:
        if self.line_length < 1:
            raise ConfigError(f"--line-length must be 1 or more, found {self.line_length}")
        if self.lines < 1:
            raise ConfigError(f"--lines must be 1 or more, found {self.lines}")


@dataclass(frozen=True)
class Cue:
    """One caption.

    Attributes:
        lines: its lines of text.
        start: when it appears, in ms.
        end: when it disappears, in ms.
    """

    lines: tuple[str, ...]
    start: int
    end: int


def milliseconds(seconds: float) -> int:
    """Seconds as the nearest whole milliseconds. All formats round in this way."""
    return round(seconds * 1000)


def cues(words: Sequence[Word], captions: Captions = Captions()) -> list[Cue]:
    """Group words into captions that do not overlap.

    A caption ends when its lines are full, when the speaker pauses, or after `MAX_DURATION`. Words
    are not split: a word longer than a line has a line of its own.

    Args:
        words: words in order of time.
        captions: lengths of lines and captions.
    """
    groups = list(_groups(words, captions))
    found = []
    for i, group in enumerate(groups):
        start, end = milliseconds(group[0].start), milliseconds(group[-1].end)
        end = min(max(end, start + MIN_DURATION), start + MAX_DURATION)
        if i + 1 < len(groups):
            room = milliseconds(groups[i + 1][0].start) - start
            end = min(end, start + room - min(GAP, room // 2))
        # Players do not show a caption of 0 ms.
        found.append(
            Cue(_balanced(_texts(group), captions.line_length), start, max(end, start + 1))
        )
    return found


def _groups(words: Sequence[Word], captions: Captions) -> Iterator[list[Word]]:
    group: list[Word] = []
    for word in words:
        if group and (
            milliseconds(word.start) - milliseconds(group[-1].end) >= PAUSE
            or milliseconds(word.end) - milliseconds(group[0].start) > MAX_DURATION
            or len(_wrap(_texts([*group, word]), captions.line_length)) > captions.lines
        ):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _texts(words: Sequence[Word]) -> list[str]:
    # Line breaks in a word could break a line, and an empty line would end the caption.
    return [" ".join(word.text.split()) for word in words]


def _wrap(words: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _balanced(words: Sequence[str], width: int) -> tuple[str, ...]:
    """Wrap words into as few lines as `width` allows, with lengths as equal as possible."""
    fewest = len(_wrap(words, width))
    for narrower in range(1, width + 1):
        lines = _wrap(words, narrower)
        if len(lines) == fewest:
            return tuple(lines)
    return tuple(words)
