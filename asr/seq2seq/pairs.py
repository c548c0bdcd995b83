"""Pairs of symbol sequences: files of them, a fixed split, vocabularies and their ids."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asr.base.files import atomic_write
from asr.errors import ManifestError, reason
from asr.text.tokenizers import BLANK

Symbols = Literal["characters", "words"]
"""What a side's text is a sequence of; words, or pieces of them, are parted by spaces."""

PADDING, END, UNKNOWN = BLANK, 1, 2
"""Ids that are no symbol of a text: what fills a batch up (and CTC's blank), what is behind the
last symbol, and what stands for a symbol that training did not have."""
FIRST = 3
"""Id of a vocabulary's first symbol."""
SPLITS = {"train": 0.90, "dev": 0.05, "test": 0.05}
"""Shares of the sources."""


@dataclass(frozen=True)
class Pair:
    """A source and what is to be made of it, as texts without tabs and line ends."""

    source: str
    target: str


def read_pairs(path: Path) -> list[Pair]:
    """Lines of source, tab, target.

    Raises:
        ManifestError: it cannot be read, has no pairs, or a line is not a pair; it is named.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {reason(error)}") from None
    pairs = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        source, *targets = line.split("\t")
        if len(targets) != 1 or not source.strip() or not targets[0].strip():
            raise ManifestError(
                f"{path}, line {number}: {line[:60]!r}: expected a source, one tab and a target"
            )
        pairs.append(Pair(source, targets[0]))
    if not pairs:
        raise ManifestError(f"{path}: holds no pairs")
    return pairs


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """What `read_pairs` reads."""
    with atomic_write(path) as file:
        file.writelines(f"{pair.source}\t{pair.target}\n" for pair in pairs)


def split(pairs: Iterable[Pair], seed: int = 1) -> dict[str, list[Pair]]:
    """Pairs by the name of their part, of `SPLITS`: a function of seed and source alone, so that
    a source is in one part only, and stays there when others are added."""
    parts: dict[str, list[Pair]] = {name: [] for name in SPLITS}
    for pair in pairs:
        digest = hashlib.sha256(f"{seed}:{pair.source}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") / 2**64
        for name, share in SPLITS.items():
            if place < share or name == "test":
                parts[name].append(pair)
                break
            place -= share
    return parts


def symbols(text: str, kind: Symbols) -> tuple[str, ...]:
    """What a text is a sequence of."""
    return tuple(text) if kind == "characters" else tuple(text.split())


def joined(parts: Sequence[str], kind: Symbols) -> str:
    """The text that is a sequence of these."""
    return ("" if kind == "characters" else " ").join(parts)


class Vocabulary:
    """Symbols and their ids.

    Args:
        known: the symbols by id, from `FIRST` on.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self.known = tuple(known)
        self._ids = {symbol: i for i, symbol in enumerate(self.known, FIRST)}

    @classmethod
    def of(cls, texts: Iterable[tuple[str, ...]]) -> Vocabulary:
        """All symbols of some texts, in their order by code points."""
        return cls(sorted({symbol for text in texts for symbol in text}))

    def __len__(self) -> int:
        return FIRST + len(self.known)

    def ids(self, text: Sequence[str]) -> list[int]:
        """Id of each symbol."""
        return [self._ids.get(symbol, UNKNOWN) for symbol in text]

    def symbols(self, ids: Iterable[int]) -> tuple[str, ...]:
        """What `ids` gave the ids of, which are all of known symbols."""
        return tuple(self.known[i - FIRST] for i in ids)
