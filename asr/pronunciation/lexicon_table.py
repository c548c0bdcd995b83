"""`LexiconTable`: the lines of a lexicon as arrays, read several times faster than line by line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np

from asr.errors import ModelError
from asr.text.phones import PHONES

_UNKNOWN = 255
_LINE_FEED, _SPACE = b"\n "


@dataclass(frozen=True)
class LexiconTable:
    """Words with their pronunciations. A word may have several rows.

    Attributes:
        words: the word of each row, lower-case.
        phones: the phones of all rows, one row behind the other, as places in `PHONES`: uint8.
        starts: where the phones of each row begin, and the end of the last: int64 [rows + 1].
    """

    words: list[str]
    phones: np.ndarray
    starts: np.ndarray

    @classmethod
    def from_entries(cls, entries: Sequence[tuple[str, str]]) -> LexiconTable:
        """The table of words and phones; phones have spaces between them."""
        places = {phone: place for place, phone in enumerate(PHONES)}
        rows = [[places[phone] for phone in phones.split()] for _, phones in entries]
        starts = np.cumsum([0, *map(len, rows)])
        flat = np.array([place for row in rows for place in row], np.uint8)
        return cls([word for word, _ in entries], flat, starts)

    def entries(self) -> list[tuple[str, str]]:
        """(word, phones) of each row; phones have spaces between them."""
        symbols = list(map(PHONES.__getitem__, self.phones.tolist()))
        starts = self.starts.tolist()
        return [
            (word, " ".join(symbols[start:end]))
            for word, start, end in zip(self.words, starts, starts[1:], strict=False)
        ]

    def rows(self, chosen: Sequence[bool]) -> LexiconTable:
        """The table of the chosen rows: one bool for each row."""
        counts = np.diff(self.starts)
        phones = self.phones[np.repeat(chosen, counts)]
        starts = np.concatenate([[0], np.cumsum(counts[np.array(chosen)])])
        return LexiconTable(list(compress(self.words, chosen)), phones, starts)


def read_table(path: Path) -> LexiconTable:
    """Read all lines of a lexicon file, plain or gzip.

    Raises:
        ModelError: the file cannot be read, or a line is not a word and its phones. The message
            names the file and the line.
    """
    text = _read_text(path)
    table = regular_table(text)
    return LexiconTable.from_entries(_read_lines(path, text)) if table is None else table


def read_entries(path: Path) -> list[tuple[str, str]]:
    """Read all lines of a lexicon file as pairs of a word and its phones, which have spaces between
    them.

    Raises:
        ModelError: see `read_table`.
    """
    text = _read_text(path)
    if regular_table(text) is None:
        return _read_lines(path, text)
    rows = [line.partition(" ") for line in text.splitlines()]
    return [(word.lower(), phones) for word, _, phones in rows]


def regular_table(text: str) -> LexiconTable | None:
    """The lines of a lexicon in ASCII without any white space but one space between two fields and
    a line feed behind each line, as `write_lexicon` writes them; None for other texts and for one
    with a wrong line.

    Args:
        text: content of the file.
    """
    if not text.isascii() or text[:1] in ("", " ", "\n"):
        return None
    data = np.frombuffer((text if text[-1] == "\n" else f"{text}\n").encode(), np.uint8)
    is_end = data <= _SPACE
    spaces, line_ends = np.flatnonzero(data == _SPACE), np.flatnonzero(data == _LINE_FEED)
    if np.count_nonzero(is_end) != len(spaces) + len(line_ends):
        return None  # tabs and the like, or a character that Python does not call white space
    if (is_end[1:] & is_end[:-1]).any():
        return None
    phones = _phone_places(data, spaces + 1)
    starts = np.concatenate([[0], np.searchsorted(spaces, line_ends)])
    if (starts[1:] == starts[:-1]).any() or (phones == _UNKNOWN).any():
        return None
    # Of each line, only its word and a line feed.
    steps = np.zeros(len(data) + 1, np.int8)
    steps[0] = steps[line_ends + 1] = 1
    steps[spaces[starts[:-1]] + 1] = -1
    kept = np.cumsum(steps[:-1], dtype=np.int8).view(bool)
    words = data[kept].tobytes().decode().lower().split(" ")
    return LexiconTable(words[:-1], phones, starts)


def _phone_places(data: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The place in `PHONES` of each phone, or `_UNKNOWN`: uint8 [phones].

    Args:
        data: content of a file in ASCII whose fields end at a space or a line feed: uint8.
        starts: where the phones begin in `data`.
    """
    # By the first three characters, 7 bits each; those behind a phone's end are 0.
    table = np.full(1 << 21, _UNKNOWN, np.uint8)
    for place, phone in enumerate(PHONES):
        table[sum(ord(character) << 7 * i for i, character in enumerate(phone))] = place
    # A last phone of one character has three characters behind its first one.
    letters = np.concatenate([data * (data > _SPACE), np.zeros(3, np.uint8)])
    first, second, third, fourth = (letters[starts + i] for i in range(4))
    third *= second > 0
    places = table[first + (second.astype(np.int32) << 7) + (third.astype(np.int32) << 14)]
    places[(third > 0) & (fourth > 0)] = _UNKNOWN
    return places


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise ModelError(f"{path}: cannot be read as a lexicon: {error}") from None


def _read_lines(path: Path, text: str) -> list[tuple[str, str]]:
    known = set(PHONES)
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        word, *phones = line.split() or [""]
        if phones and known.issuperset(phones):
            entries.append((word.lower(), " ".join(phones)))
        elif word:
            wrong = ", ".join(sorted(set(phones) - known))
            what = f"{wrong} is not a phone" if phones else "no phones"
            raise ModelError(f"{path}, line {number}: {line.strip()[:60]!r}: {what}")
    return entries
