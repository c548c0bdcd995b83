"""From timed words to captions: lines short enough to read, that come and go with the speech."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asr.errors import ConfigError
from asr.results import Word

MAX_DURATION = 7000
"""ms that a caption stays at most (the usual limit of broadcasters)."""
MIN_DURATION = 1000
"""ms that a caption stays at least, where the next one leaves the room."""
GAP = 80
"""ms without a caption between two, so that the eye sees the change: two frames of film."""
PAUSE = 700
"""ms of silence that end a caption."""


@dataclass(frozen=True)
class Captions:
    """Settings: characters in a line, and lines in a caption."""

    line_length: int = 42
    lines: int = 2

    def __post_init__(self) -> None:
        if self.line_length < 1:
            raise ConfigError(f"--line-length must be 1 or more, found {self.line_length}")
        if self.lines < 1:
            raise ConfigError(f"--lines must be 1 or more, found {self.lines}")


@dataclass(frozen=True)
class Cue:
    """A caption: its lines, shown from `start` to `end` in ms."""

    lines: tuple[str, ...]
    start: int
    end: int


def milliseconds(seconds: float) -> int:
    """The nearest ms: all formats round alike, and order is kept."""
    return round(seconds * 1000)


def cues(words: Sequence[Word], captions: Captions = Captions()) -> list[Cue]:
    """Captions of words in their order: none overlaps another, no word is split.

    A caption ends where its lines are full, the speaker pauses, or it has stood long enough. A word
    longer than a line has a line of its own.
    """
    groups = list(_groups(words, captions))
    found = []
    for i, group in enumerate(groups):
        start, end = milliseconds(group[0].start), milliseconds(group[-1].end)
        end = min(max(end, start + MIN_DURATION), start + MAX_DURATION)
        if i + 1 < len(groups):
            room = milliseconds(groups[i + 1][0].start) - start
            end = min(end, start + room - min(GAP, room // 2))
        # A caption of no time would not be shown.
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
    # Whitespace inside a word would break the line, and an empty line ends a caption.
    return ["".join(word.text.split()) for word in words]


def _wrap(words: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _balanced(words: Sequence[str], width: int) -> tuple[str, ...]:
    """As few lines as `width` allows, of lengths as equal as can be."""
    count = len(_wrap(words, width))
    narrower = range(1, width + 1)
    return tuple(next((w for n in narrower if len(w := _wrap(words, n)) == count), words))
