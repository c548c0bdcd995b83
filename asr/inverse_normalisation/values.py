"""Random numbers of one part of a split that is by their value."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeVar

from asr.inverse_normalisation import spoken_forms
from asr.seq2seq.pairs import SPLITS

T = TypeVar("T")


def part_of(value: str) -> str:
    """The part of the split that a value belongs to, a function of it alone."""
    place = int.from_bytes(hashlib.sha256(f"written {value}".encode()).digest()[:8], "big") / 2**64
    for name, share in SPLITS.items():
        if place < share:
            return name
        place -= share
    return "test"


def is_word(value: str) -> bool:
    """Whether it is a number that is one word."""
    return value.isdigit() and (int(value) <= 20 or (int(value) < 100 and value[-1] == "0"))


def grouped(value: int) -> str:
    """A whole number in digits: with commas if it has five or more."""
    return f"{value:,}" if value >= 10_000 else str(value)


class Values:
    """Draws by chance, a function of part and seed."""

    def __init__(self, part: str, seed: int) -> None:
        self.part, self.random = part, Random(f"{seed} {part}")

    def mine(self, *values: str) -> bool:
        """Whether what has these values belongs to the part."""
        parts = {part_of(value) for value in values if not is_word(value)}
        return parts == {self.part} or (self.part == "train" and not parts)

    def one(self, of: Sequence[T]) -> T:
        return self.random.choice(of)

    def one_of(self, weights: Mapping[T, float]) -> T:
        return self.random.choices([*weights], [*weights.values()])[0]

    def whole(self, least: int, below: int) -> int:
        """All magnitudes alike, and more round numbers than chance has."""
        value = int(least * (below / least) ** self.random.random())
        if self.random.random() < 0.3:
            size = 10 ** self.random.randrange(len(str(value)))
            value -= value % size
        return max(least, value)

    def amount(self, below: int) -> str:
        """A number as digits, perhaps with decimals."""
        if self.random.random() < 0.3:
            places = self.one((1, 1, 1, 2, 2, 3))
            return f"{self.whole(1, 1000) - 1}.{self.random.randrange(10**places):0{places}}"
        return grouped(self.whole(1, below))

    def said(self, digits: str) -> str:
        """One of the ways to say a number."""
        return self.one(spoken_forms.number(digits))
