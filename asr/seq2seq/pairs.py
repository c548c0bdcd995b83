"""Pairs of symbol sequences: files, the split into train, dev and test, and vocabularies."""

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
"""Kind of symbols in a text. Words, or pieces of words, have spaces between them."""

PADDING, END, UNKNOWN = BLANK, 1, 2
"""Special ids: padding, which is also the blank of CTC; the end of a sequence; and a symbol that is
not in the vocabulary."""
FIRST = 3
"""Id of the first symbol of a vocabulary."""
SPLITS = {"train": 0.90, "dev": 0.05, "test": 0.05}
"""Share of the sources in each part."""


@dataclass(frozen=True)
class Pair:
    """A source and its target: texts without tabs and line breaks."""

    source: str
    target: str


def read_pairs(path: Path) -> list[Pair]:
    """Read pairs from a file whose lines have a source, a tab and a target.

    Raises:
        ManifestError: the file cannot be read or has no pairs, or a line is not a pair. The message
            names the file and the line.
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
    """Write pairs for `read_pairs`."""
    with atomic_write(path) as file:
        file.writelines(f"{pair.source}\t{pair.target}\n" for pair in pairs)


def split_pairs(pairs: Iterable[Pair], seed: int = 1) -> dict[str, list[Pair]]:
    """Split pairs into the parts of `SPLITS`, by a hash of seed and source.

    All pairs of a source are in one part, and stay there when other pairs are added.
    """
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


def split_symbols(text: str, kind: Symbols) -> tuple[str, ...]:
    """Split a text into symbols.

    >>> split_symbols("cat", "characters"), split_symbols("K AE1 T", "words")
    (('c', 'a', 't'), ('K', 'AE1', 'T'))
    """
    return tuple(text) if kind == "characters" else tuple(text.split())


def join_symbols(parts: Sequence[str], kind: Symbols) -> str:
    """Join symbols to a text: the inverse of `split_symbols`."""
    return ("" if kind == "characters" else " ").join(parts)


class SymbolVocabulary:
    """Symbols and their ids.

    Args:
        known: the symbols, whose ids count from `FIRST`.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self.known = tuple(known)
        self._ids = {symbol: i for i, symbol in enumerate(self.known, FIRST)}

    @classmethod
    def of(cls, texts: Iterable[tuple[str, ...]]) -> SymbolVocabulary:
        """The vocabulary of all symbols in some texts, in the order of their code points."""
        return cls(sorted({symbol for text in texts for symbol in text}))

    def __len__(self) -> int:
        return FIRST + len(self.known)

    def ids(self, text: Sequence[str]) -> list[int]:
        """Id of each symbol; `UNKNOWN` for symbols that are not in the vocabulary."""
        return [self._ids.get(symbol, UNKNOWN) for symbol in text]

    def symbols(self, ids: Iterable[int]) -> tuple[str, ...]:
        """Symbol of each id; there must be no special ids."""
        return tuple(self.known[i - FIRST] for i in ids)
