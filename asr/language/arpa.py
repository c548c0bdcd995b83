"""ARPA files: n-gram models read and written."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from asr.base.files import atomic_write
from asr.errors import ModelError, reason
from asr.language.ngram import NgramModel, Ngrams
from asr.language.word_lm import END, START

DATA, FILE_END = b"\\data\\", b"\\end\\"
_MARK_LINE = re.compile(rb"^\\\S*[ \t\r]*$", re.MULTILINE)


def read_arpa(path: Path) -> NgramModel:
    """Read an ARPA file, plain or gzip. A million n-grams take about a second.

    Raises:
        ModelError: the file cannot be read, or a line is broken or missing; the error names it.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError(f"{path}: cannot be read as an ARPA file: {reason(error)}") from None
    # Only ASCII white space separates words, so bytes are split and not text.
    header, *blocks = _blocks(data, str(path))
    counts = _counts(header)
    expected = [b"\\%d-grams:" % n for n in range(1, len(counts) + 1)]
    if [block.mark for block in blocks] != expected:
        wanted = b", ".join(expected).decode()
        raise ModelError(f"{path}: expected the sections {wanted}, each once and in this order")
    ids: dict[bytes, int] = {}
    sections = [
        _section(block, n, count, ids)
        for n, (block, count) in enumerate(zip(blocks, counts, strict=True), 1)
    ]
    try:
        words = [word.decode() for word in ids]
        return NgramModel.from_ngrams(words, sections)
    except (UnicodeDecodeError, ModelError) as error:
        raise ModelError(f"{path}: {error}") from None


def write_arpa(model: NgramModel, path: Path, digits: int | None = 6) -> None:
    """Write an ARPA file, sorted by words.

    Args:
        model: the model.
        path: compressed with gzip if the name ends in .gz.
        digits: digits behind the decimal point; fewer make a smaller file. None for as many as the
            same model needs when it is read again. Default 6.
    """
    orders = model.ngrams()
    lines = [DATA.decode()]
    lines += [f"ngram {n}={len(grams.words)}" for n, grams in enumerate(orders, 1)]
    # Sorted by spelling, neighbouring lines are alike and compress well.
    rank = np.empty(len(model.words), int)
    rank[sorted(range(len(model.words)), key=model.words.__getitem__)] = range(len(rank))
    for n, grams in enumerate(orders, 1):
        lines += ["", f"\\{n}-grams:"]
        for i in np.lexsort(rank[grams.words].T[::-1]):
            words = " ".join(model.words[j] for j in grams.words[i])
            line = f"{_decimal(grams.probabilities[i], digits)}\t{words}"
            if n < model.order:
                line += f"\t{_decimal(grams.back_offs[i], digits)}"
            lines.append(line)
    data = ("\n".join([*lines, "", FILE_END.decode()]) + "\n").encode()
    with atomic_write(path, binary=True) as file:
        # No time stamp in the gzip header: the same model gives the same file.
        file.write(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


@dataclass(frozen=True)
class _Block:
    """The part of an ARPA file behind a mark such as \\1-grams:, up to the next mark."""

    data: bytes
    mark: bytes
    start: int
    end: int
    path: str

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Line numbers and lines, without empty lines."""
        first = self.data.count(b"\n", 0, self.start) + 1
        for number, line in enumerate(self.data[self.start : self.end].split(b"\n"), first):
            if line.strip():
                yield number, line

    def error(self, number: int, problem: object, line: bytes) -> ModelError:
        """An error that names the file and the line."""
        return ModelError(f"{self.path}, line {number}: {problem}: {_shown(line)}")


def _blocks(data: bytes, path: str) -> list[_Block]:
    """The blocks from \\data\\ to \\end\\."""
    marks = [(match[0].strip(), match.start(), match.end()) for match in _MARK_LINE.finditer(data)]
    names = [name for name, _, _ in marks]
    # Text may stand before \data\, with marks of its own.
    first = names.index(DATA) if DATA in names else 0
    marks, names = marks[first:], names[first:]
    for needed in (DATA, FILE_END):
        if needed not in names:
            raise ModelError(f"{path}: incomplete ARPA file: {needed.decode()} is missing")
    return [
        _Block(data, name, start, end, path)
        for (name, _, start), (_, end, _) in pairwise(marks[: names.index(FILE_END) + 1])
    ]


def _counts(header: _Block) -> list[int]:
    """The number of n-grams of each order, from the lines behind \\data\\."""
    counts: list[int] = []
    for number, line in header.lines():
        try:
            order, count = line.strip().removeprefix(b"ngram ").split(b"=")
            if int(order) != len(counts) + 1 or int(count) < 0:
                raise ValueError
            counts.append(int(count))
        except ValueError:
            wanted = f"expected 'ngram {len(counts) + 1}=COUNT'"
            raise header.error(number, wanted, line) from None
    if not counts:
        raise ModelError(f"{header.path}: no counts of n-grams behind \\data\\")
    return counts


def _section(block: _Block, n: int, count: int, ids: dict[bytes, int]) -> Ngrams:
    """The n-grams of one order. Order 1 fills `ids`, the other orders read it."""
    if n > 1:
        fields = block.data[block.start : block.end].split()
        for width in (n + 1, n + 2):
            if len(fields) == width * count:
                # All lines have the same number of fields, as in most files: convert whole
                # columns. If that fails, the loop below finds the wrong line.
                try:
                    return _columns(fields, width, n, ids)
                except (ValueError, KeyError):
                    break
    grams, probabilities, back_offs = [], [], []
    for number, line in block.lines():
        fields = line.split()
        try:
            if not n + 1 <= len(fields) <= n + 2:
                raise ValueError(f"expected a number, {n} words and perhaps a number")
            if n == 1:
                if fields[1] in ids:
                    raise ValueError("this 1-gram occurs twice")
                fields[1].decode()
                ids[fields[1]] = len(ids)
            grams.append([ids[word] for word in fields[1 : n + 1]])
            values = [_number(v) for v in (fields[0], *fields[n + 1 :])]
            if not all(map(math.isfinite, values)) or values[0] > 0:
                raise ValueError("a log10 probability must be finite and 0 or less")
        except KeyError as error:
            problem = f"{_shown(error.args[0])} is not among the 1-grams"
            raise block.error(number, problem, line) from None
        except ValueError as error:
            raise block.error(number, error, line) from None
        probabilities.append(values[0])
        back_offs.append(values[1] if len(values) == 2 else 0.0)
    if len(grams) != count:
        raise ModelError(f"{block.path}: expected {count} {n}-grams, found {len(grams)}")
    for mark in (START, END) if n == 1 else ():
        if mark.encode() not in ids:
            raise ModelError(f"{block.path}: {mark} is not among the 1-grams")
    return Ngrams(
        np.array(grams, np.int32).reshape(count, n),
        np.array(probabilities, np.float32),
        np.array(back_offs, np.float32),
    )


def _columns(fields: list[bytes], width: int, n: int, ids: dict[bytes, int]) -> Ngrams:
    """A section whose lines all have `width` fields.

    Raises:
        ValueError, KeyError: a field is wrong.
    """
    count = len(fields) // width

    def column(i: int, convert: Callable[[bytes], float], kind: type) -> np.ndarray:
        return np.fromiter(map(convert, fields[i::width]), kind, count)

    grams = np.stack([column(1 + i, ids.__getitem__, np.int32) for i in range(n)], axis=1)
    probabilities = column(0, float, np.float32)
    has_back_offs = width == n + 2
    back_offs = column(n + 1, float, np.float32) if has_back_offs else np.zeros(count, np.float32)
    if not (np.isfinite(probabilities) & np.isfinite(back_offs) & (probabilities <= 0)).all():
        raise ValueError
    return Ngrams(grams, probabilities, back_offs)


def _number(field: bytes) -> float:
    try:
        return float(field)
    except ValueError:
        raise ValueError(f"{_shown(field)} is not a number") from None


def _shown(line: bytes) -> str:
    return repr(line.decode(errors="replace").strip())


def _decimal(value: np.float32, digits: int | None) -> str:
    if digits is None:
        text = np.format_float_positional(value, trim="-")
    else:
        text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
