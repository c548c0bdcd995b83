"""Word n-gram language models: back-off scores, and ARPA files read and written.

Standing alone: nothing here knows of networks or searches (`asr.decoding.word_scorer` joins them).
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from asr.base.files import atomic_write
from asr.data.manifest import read_manifest
from asr.errors import ConfigError, ModelError, reason
from asr.text.normalisers import NORMALISERS

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
NEVER = -99.0
"""What ARPA files write for a log10 probability of zero, as that of <s>."""
State = tuple[int, ...]
"""The words before the next one, as the keys of their n-grams, the longest first."""

_FACTOR = 0x9E3779B97F4A7C15  # odd and without pattern: 2^64 over the golden ratio
_MASK = (1 << 64) - 1
_MARK = re.compile(rb"^\\\S*[ \t\r]*$", re.MULTILINE)


class WordLM(Protocol):
    """What a search asks of a language model of words; scores are log10, a state is hashable."""

    @property
    def ids(self) -> Mapping[str, int]:
        """Words with their marks, numbered."""

    @property
    def probabilities(self) -> Sequence[np.ndarray]:
        """The first: of each word without a context."""

    @property
    def vocabulary(self) -> Set[str]:
        """The words alone."""

    def start(self) -> Any:
        """State at the start of a sentence."""

    def step(self, state: Any, word: str) -> tuple[float, Any]:
        """Log10 probability of `word` in `state`, and the state behind it."""


class NgramModel:
    """A back-off n-gram model (Katz, 1987) of any order.

    An n-gram is found by a 64-bit hash of its words in a sorted array, as in KenLM (Heafield,
    2011): some 30 bytes each, where a dictionary of tuples of strings takes 300. That an n-gram
    that is not in the model has the hash of one that is, happens once in 10^13 look-ups of a
    million n-grams; two n-grams of one model never do, that is checked.

    Attributes:
        words: the vocabulary with its marks; the place of a word is its number.
        ids: the numbers by word. vocabulary: the words without the marks.
        ngrams: for each order, int32 [count, order] of word numbers; of order 1 all, in order.
        probabilities, back_offs: for each order, float32 [count], log10.
    """

    def __init__(
        self,
        words: Sequence[str],
        ngrams: Sequence[np.ndarray],
        probabilities: Sequence[np.ndarray],
        back_offs: Sequence[np.ndarray],
    ) -> None:
        """The arrays may be in any order (but those of order 1, see above).

        Raises:
            ModelError: an n-gram stands twice; it is named.
        """
        self.words = list(words)
        self.ids: Mapping[str, int] = {word: i for i, word in enumerate(self.words)}
        self.vocabulary: Set[str] = self.ids.keys() - {START, END, UNKNOWN}
        if len(self.ids) < len(self.words):
            twice = Counter(self.words).most_common(1)[0][0]
            raise ModelError(f"the 1-gram {twice!r} stands twice")
        self.ngrams: list[np.ndarray] = []
        self.probabilities: list[np.ndarray] = []
        self.back_offs: list[np.ndarray] = []
        self._tables: list[tuple[memoryview, ...]] = []
        for n, (grams, probability, back_off) in enumerate(
            zip(ngrams, probabilities, back_offs, strict=True), 1
        ):
            keys = _keys(grams)
            # Order 1 stays as it is: there a word's number is its place.
            places = np.arange(len(keys)) if n == 1 else np.argsort(keys)
            keys = keys[places]
            same = np.flatnonzero(keys[1:] == keys[:-1])
            if n > 1 and len(same):
                twice = " ".join(self.words[i] for i in grams[places[same[0]]])
                raise ModelError(f"the {n}-gram {twice!r} stands twice")
            self.ngrams.append(np.ascontiguousarray(grams[places], np.int32))
            self.probabilities.append(np.ascontiguousarray(probability[places], np.float32))
            self.back_offs.append(np.ascontiguousarray(back_off[places], np.float32))
            # Through memory views, items are Python's own numbers: several times faster.
            views = (memoryview(a.data) for a in (keys, self.probabilities[-1], self.back_offs[-1]))
            self._tables.append(tuple(views))

    @property
    def order(self) -> int:
        """Words of the longest n-grams."""
        return len(self.ngrams)

    def __len__(self) -> int:
        """N-grams of all orders."""
        return sum(map(len, self.ngrams))

    def start(self) -> State:
        """State at the start of a sentence."""
        return () if self.order == 1 else (_extend(0, self.ids[START]),)

    def step(self, state: State, word: str) -> tuple[float, State]:
        """Log10 probability of `word` in `state`, and the state behind it.

        An unknown word is scored as <unk>; by a model that has none, as `NEVER`.
        """
        number = self.ids.get(word, self.ids.get(UNKNOWN))
        if number is None:
            return NEVER, ()
        keys = (*(_extend(key, number) for key in state), _extend(0, number))
        following = keys if len(keys) < self.order else keys[1:]
        weight = 0.0
        for i, key in enumerate(keys[:-1]):
            n = len(keys) - i
            table, probabilities, _ = self._tables[n - 1]
            place = bisect_left(table, key)
            if place < len(table) and table[place] == key:
                return weight + probabilities[place], following
            weight += self._back_off(state[i], n - 1)
        return weight + self._tables[0][1][number], following

    def score(self, word: str, context: Sequence[str]) -> float:
        """Log10 probability of `word` after the words of `context` (which may begin with <s>)."""
        state: State = ()
        for before in context:
            state = self.step(state, before)[1]
        return self.step(state, word)[0]

    def word_scores(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Of each sentence the log10 probabilities of its words, and of its end: [words + 1]."""
        found = []
        for words in sentences:
            state, scores = self.start(), []
            for word in (*words, END):
                score, state = self.step(state, word)
                scores.append(score)
            found.append(np.array(scores))
        return found

    def sentence(self, words: Sequence[str]) -> float:
        """Log10 probability of a whole sentence, its end included."""
        return float(sum(self.word_scores([words])[0].tolist()))

    def _back_off(self, key: int, n: int) -> float:
        table, _, back_offs = self._tables[n - 1]
        if n == 1:
            # The keys of order 1 are not sorted: undo the hash instead.
            return back_offs[key * _INVERSE % (1 << 64) - 1]
        place = bisect_left(table, key)
        return back_offs[place] if place < len(table) and table[place] == key else 0.0


def _extend(key: int, number: int) -> int:
    return (key + number + 1) * _FACTOR & _MASK


_INVERSE = pow(_FACTOR, -1, 1 << 64)


def _keys(ngrams: np.ndarray) -> np.ndarray:
    """`_extend` over the words of each n-gram: uint64 [count]."""
    keys = np.zeros(len(ngrams), np.uint64)
    for column in ngrams.T:
        keys = (keys + column.astype(np.uint64) + np.uint64(1)) * np.uint64(_FACTOR)
    return keys


def read_arpa(path: Path) -> NgramModel:
    """Read an ARPA file, plain or gzip; a second for a million n-grams.

    Raises:
        ModelError: the file cannot be read, or a line (named) is broken or missing.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError(f"{path}: cannot be read as an ARPA file: {reason(error)}") from None
    # Words are kept apart by ASCII white space only: bytes, not text, are split.
    marks = [(m[0].strip(), m.start(), m.end()) for m in _MARK.finditer(data)]
    names = [mark for mark, _, _ in marks]
    if b"\\data\\" in names:
        marks = marks[names.index(b"\\data\\") :]
        names = [mark for mark, _, _ in marks]
    for needed in (b"\\data\\", b"\\end\\"):
        if needed not in names:
            raise ModelError(f"{path}: not a whole ARPA file: {needed.decode()} is missing")
    last = names.index(b"\\end\\")
    blocks = [
        _Block(data, end, start, str(path))
        for (_, _, end), (_, start, _) in pairwise(marks[: last + 1])
    ]
    promised = _promised(blocks[0])
    expected = [b"\\%d-grams:" % n for n in range(1, len(promised) + 1)]
    if names[1:last] != expected:
        wanted = b", ".join(expected).decode()
        raise ModelError(f"{path}: its sections are not {wanted}, each once and in order")
    ids: dict[bytes, int] = {}
    sections = [
        _section(block, n, count, ids)
        for n, (block, count) in enumerate(zip(blocks[1:], promised, strict=True), 1)
    ]
    try:
        words = [word.decode() for word in ids]
        return NgramModel(words, *zip(*sections, strict=True))
    except (UnicodeDecodeError, ModelError) as error:
        raise ModelError(f"{path}: {error}") from None


@dataclass(frozen=True)
class _Block:
    """The part of an ARPA file between two marks."""

    data: bytes
    start: int
    end: int
    name: str

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Lines that are not empty, with their numbers."""
        first = self.data.count(b"\n", 0, self.start) + 1
        for number, line in enumerate(self.data[self.start : self.end].split(b"\n"), first):
            if line.strip():
                yield number, line

    def error(self, number: int, what: object, line: bytes) -> ModelError:
        return ModelError(f"{self.name}, line {number}: {what}: {_shown(line)}")


def _promised(block: _Block) -> list[int]:
    """Counts of each order, from the lines behind \\data\\."""
    counts: list[int] = []
    for number, line in block.lines():
        try:
            order, count = line.strip().removeprefix(b"ngram ").split(b"=")
            if int(order) != len(counts) + 1 or int(count) < 0:
                raise ValueError
            counts.append(int(count))
        except ValueError:
            wanted = f"expected 'ngram {len(counts) + 1}=COUNT'"
            raise block.error(number, wanted, line) from None
    if not counts:
        raise ModelError(f"{block.name}: no n-grams are promised behind \\data\\")
    return counts


def _section(
    block: _Block, n: int, count: int, ids: dict[bytes, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """N-grams, probabilities and back-off weights of one order; order 1 fills `ids`."""
    if n > 1:
        fields = block.data[block.start : block.end].split()
        for width in (n + 1, n + 2):
            if len(fields) == width * count:
                # Every line alike, as our files and most are: whole columns are taken at once.
                # If they are not what they should be, the search for the line begins below.
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
                    raise ValueError("this 1-gram stands twice")
                fields[1].decode()
                ids[fields[1]] = len(ids)
            grams.append([ids[word] for word in fields[1 : n + 1]])
            values = [_number(v) for v in (fields[0], *fields[n + 1 :])]
            if not all(map(math.isfinite, values)) or values[0] > 0:
                raise ValueError("a log10 probability is 0 or less, and finite")
        except KeyError as error:
            what = f"{_shown(error.args[0])} is not among the 1-grams"
            raise block.error(number, what, line) from None
        except ValueError as error:
            raise block.error(number, error, line) from None
        probabilities.append(values[0])
        back_offs.append(values[1] if len(values) == 2 else 0.0)
    if len(grams) != count:
        raise ModelError(f"{block.name}: {count} {n}-grams promised, {len(grams)} found")
    for mark in (START, END) if n == 1 else ():
        if mark.encode() not in ids:
            raise ModelError(f"{block.name}: {mark} is not among the 1-grams")
    return (
        np.array(grams, np.int32).reshape(count, n),
        np.array(probabilities, np.float32),
        np.array(back_offs, np.float32),
    )


def _columns(
    fields: list[bytes], width: int, n: int, ids: dict[bytes, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = len(fields) // width

    def column(i: int, convert: Callable[[bytes], float], kind: type) -> np.ndarray:
        return np.fromiter(map(convert, fields[i::width]), kind, count)

    grams = np.stack([column(1 + i, ids.__getitem__, np.int32) for i in range(n)], axis=1)
    probabilities = column(0, float, np.float32)
    has_back_offs = width == n + 2
    back_offs = column(n + 1, float, np.float32) if has_back_offs else np.zeros(count, np.float32)
    if not (np.isfinite(probabilities) & np.isfinite(back_offs) & (probabilities <= 0)).all():
        raise ValueError
    return grams, probabilities, back_offs


def _number(field: bytes) -> float:
    try:
        return float(field)
    except ValueError:
        raise ValueError(f"{_shown(field)} is not a number") from None


def _shown(line: bytes) -> str:
    return repr(line.decode(errors="replace").strip())


def write_arpa(model: NgramModel, path: Path, digits: int = 6) -> None:
    """Write an ARPA file, sorted by words; gzip if the name ends in .gz.

    Args:
        digits: behind the decimal point; few make a small file.
    """
    lines = ["\\data\\"]
    lines += [f"ngram {n}={len(grams)}" for n, grams in enumerate(model.ngrams, 1)]
    for n, grams in enumerate(model.ngrams, 1):
        lines += ["", f"\\{n}-grams:"]
        # In the order of the words' spelling: neighbours are alike, and pack well.
        rank = np.empty(len(model.words), int)
        rank[sorted(range(len(model.words)), key=model.words.__getitem__)] = range(len(rank))
        for i in np.lexsort(rank[grams].T[::-1]):
            words = " ".join(model.words[j] for j in grams[i])
            line = f"{_short(model.probabilities[n - 1][i], digits)}\t{words}"
            if n < model.order:
                line += f"\t{_short(model.back_offs[n - 1][i], digits)}"
            lines.append(line)
    data = ("\n".join([*lines, "", "\\end\\"]) + "\n").encode()
    with atomic_write(path, binary=True) as file:
        # No time stamp inside: the same text gives the same file.
        file.write(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _short(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def read_sentences(paths: Sequence[Path], normaliser: str) -> list[list[str]]:
    """Words of each line of text files, or of each utterance of .jsonl manifests, normalised.

    Raises:
        ConfigError: an unknown normaliser, or a file that cannot be read.
        ManifestError: a broken manifest.
    """
    if normaliser not in NORMALISERS:
        raise ConfigError(f"normaliser {normaliser}: not known; one of {', '.join(NORMALISERS)}")
    lines: list[str] = []
    for path in paths:
        if path.suffix == ".jsonl":
            lines += [u.text for u in read_manifest(path)]
            continue
        try:
            lines += path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read as text: {reason(error)}") from None
    return [words for line in lines if (words := NORMALISERS[normaliser](line).split())]
