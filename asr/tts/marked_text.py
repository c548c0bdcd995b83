"""`MarkedText`: a text with pauses, pronunciations and prosody at places in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from asr.base.units import Seconds
from asr.text.phones import Phones

FIRST_MARK = 0xF0000
"""Code point of the first mark: a private area that `MarkedText` reserves."""
MAX_MARKS = 0xFFFD
"""Number of marks in a text at most: the size of the area."""


@dataclass(frozen=True)
class Prosody:
    """How words are spoken, relative to the rest.

    Attributes:
        rate: speed; 1 as recorded.
        pitch: semitones by which the pitch is raised.
        gain: factor of the samples.
    """

    rate: float = 1.0
    pitch: float = 0.0
    gain: float = 1.0

    def within(self, outer: Prosody) -> Prosody:
        """This prosody inside another one."""
        return Prosody(self.rate * outer.rate, self.pitch + outer.pitch, self.gain * outer.gain)


@dataclass(frozen=True)
class Break:
    """A pause.

    Attributes:
        seconds: its length.
    """

    seconds: Seconds


@dataclass(frozen=True)
class Pronounced:
    """A word with given phones.

    Attributes:
        text: the word as it is written.
        phones: its phones.
    """

    text: str
    phones: Phones


Mark = Break | Pronounced | Prosody
"""What stands at a place in a text; a `Prosody` is that of all words from there on."""


@dataclass(frozen=True)
class MarkedText:
    """A text with marks, each of which is one character.

    Attributes:
        text: the text; its marks are characters from `FIRST_MARK` on.
        marks: what each of these characters stands for.
        warnings: one message for each part that has no effect.
    """

    text: str
    marks: Mapping[str, Mark] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
