"""`NgramModel`: a word n-gram language model with back-off."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import numpy as np

from asr.errors import ModelError
from asr.language.word_lm import END, NEVER, START, UNKNOWN

NgramState = tuple[int, ...]
"""Places of the n-grams that end at the last word, the longest n-gram first; −1 for an n-gram that
is not in the model. Longer n-grams that are not in the model are left out."""

BLOCK = 64
"""N-grams of a `Level` that share one entry of `bases`."""
_MOST_CODES = 1 << 16


class Ngrams(NamedTuple):
    """The n-grams of one order.

    Attributes:
        words: numbers of the words, int32 [count, order].
        probabilities: log10, float32 [count].
        back_offs: log10, float32 [count].
    """

    words: np.ndarray
    probabilities: np.ndarray
    back_offs: np.ndarray


class Level(NamedTuple):
    """The n-grams of one order in an `NgramModel`'s trie: arrays that can be mapped from a file.

    N-grams with the same first words, their context, are neighbours, sorted by their last word. The
    n-grams of the next order that have n-gram i as their context are those from `start(i)` to
    `start(i + 1)`, where `start(i)` is `bases[i // BLOCK] + steps[i]`. The sum takes half of the
    space of one 32-bit number per n-gram.

    Attributes:
        last_words: numbers of the last words, uint16 or uint32 [count]; empty for order 1, where an
            n-gram's place is its word's number.
        codes: places in `probabilities` and `back_offs`, uint8 or uint16 [count]; empty if these
            two have one value for each n-gram.
        probabilities: log10, float32 [values]. NaN for an n-gram that the model does not have and
            that is the context of one that it has.
        back_offs: log10, float32 [values].
        bases: uint32 [count // BLOCK + 1]; empty for the highest order.
        steps: uint16 or uint32 [count + 1]; empty for the highest order.
    """

    last_words: np.ndarray
    codes: np.ndarray
    probabilities: np.ndarray
    back_offs: np.ndarray
    bases: np.ndarray
    steps: np.ndarray

    def decode(self, values: np.ndarray) -> np.ndarray:
        """`probabilities` or `back_offs` of each n-gram: float32 [count]."""
        return values[self.codes] if len(self.codes) else values

    def starts(self) -> np.ndarray:
        """`start(i)` of each n-gram, and of the one behind the last: int64 [count + 1]."""
        return self.bases[np.arange(len(self.steps)) // BLOCK].astype(np.int64) + self.steps


class _View(NamedTuple):
    """A `Level` as memory views, whose items are Python numbers: looking one up is several times
    faster than in a numpy array."""

    last_words: memoryview
    codes: memoryview | range
    probabilities: memoryview
    back_offs: memoryview
    bases: memoryview
    steps: memoryview


class NgramModel:
    """A back-off n-gram model (Katz, 1987) of any order.

    The n-grams form a trie of arrays, as in KenLM (Heafield, 2011): an n-gram's place in the level
    of its order leads to the longer n-grams that begin with it. A trigram with rounded values takes
    4 bytes instead of the 300 bytes of a dictionary of tuples of strings. The arrays can be memory
    of this process, or mapped from a file (`asr.language.ngram_file`).

    Args:
        words: the vocabulary with its marks.
        levels: one level per order, from 1 on.

    Attributes:
        words: the vocabulary with its marks; a word's place is its number.
        ids: the number of each word.
        vocabulary: the words without the marks.
        levels: the levels of the trie.

    Raises:
        ModelError: a word occurs twice; the error names it.
    """

    def __init__(self, words: Sequence[str], levels: Sequence[Level]) -> None:
        self.words = list(words)
        self.ids: Mapping[str, int] = dict(zip(self.words, range(len(self.words)), strict=True))
        if len(self.ids) < len(self.words):
            twice = Counter(self.words).most_common(1)[0][0]
            raise ModelError(f"the 1-gram {twice!r} occurs twice")
        self.vocabulary: Set[str] = self.ids.keys() - {START, END, UNKNOWN}
        self.levels = list(levels)
        self._views = [_view(level) for level in levels]
        self._unknown = self.ids.get(UNKNOWN)

    @classmethod
    def from_ngrams(cls, words: Sequence[str], orders: Sequence[Ngrams]) -> NgramModel:
        """Build the trie.

        Args:
            words: the vocabulary with its marks.
            orders: the n-grams of each order. Order 1 has all words in the order of their numbers;
                the other orders may be sorted in any way.

        Raises:
            ModelError: an n-gram occurs twice; the error names it.
        """
        # The place, in the level before, of the first words of each n-gram: one array per order.
        places = [grams.words[:, 0].astype(np.int64) for grams in orders]
        nodes = np.arange(len(words))
        levels: list[Level] = []
        for n, grams in enumerate(orders, 1):
            if n > 1:
                parents = len(nodes)
                # Contexts of longer n-grams get a place even if the model does not have them.
                keys = np.concatenate(
                    [
                        place * len(words) + longer.words[:, n - 1]
                        for place, longer in zip(places[n - 1 :], orders[n - 1 :], strict=True)
                    ]
                )
                nodes, inverse = np.unique(keys, return_inverse=True)
                ends = np.cumsum([len(longer.words) for longer in orders[n - 1 :]])
                places[n - 1 :] = np.split(inverse, ends[:-1])
                starts = np.searchsorted(nodes, np.arange(parents + 1) * len(words))
                bases, steps = _blocks(starts)
                levels[-1] = levels[-1]._replace(bases=bases, steps=steps)
            own = places[n - 1]
            probabilities = np.full(len(nodes), np.nan, np.float32)
            back_offs = np.zeros(len(nodes), np.float32)
            probabilities[own], back_offs[own] = grams.probabilities, grams.back_offs
            if n > 1 and len(own) and np.bincount(own).max() > 1:
                first = int(np.bincount(own).argmax())
                row = grams.words[own == first][0]
                twice = " ".join(words[i] for i in row)
                raise ModelError(f"the {n}-gram {twice!r} occurs twice")
            if n == len(orders):
                back_offs[:] = 0.0  # no longer n-gram backs off
            last_words = (nodes % len(words) if n > 1 else nodes[:0]).astype(
                np.uint16 if len(words) <= _MOST_CODES else np.uint32
            )
            empty = np.empty(0, np.uint32)
            levels.append(Level(last_words, *_coded(probabilities, back_offs), empty, empty))
        return cls(words, levels)

    @property
    def order(self) -> int:
        """Number of words in the longest n-grams."""
        return len(self.levels)

    @property
    def unigrams(self) -> np.ndarray:
        """Log10 probability of each word without a context, by number: float32 [words]."""
        return self.levels[0].decode(self.levels[0].probabilities)

    def __len__(self) -> int:
        """Number of n-grams of all orders."""
        return sum(
            int((~np.isnan(level.decode(level.probabilities))).sum()) for level in self.levels
        )

    def ngrams(self) -> list[Ngrams]:
        """The n-grams of each order, as for `from_ngrams`."""
        found = []
        rows = np.arange(len(self.words), dtype=np.int32)[:, None]
        for n, level in enumerate(self.levels, 1):
            if n > 1:
                contexts = np.repeat(rows, np.diff(self.levels[n - 2].starts()), axis=0)
                rows = np.column_stack([contexts, level.last_words.astype(np.int32)])
            probabilities = level.decode(level.probabilities)
            kept = ~np.isnan(probabilities)
            back_offs = level.decode(level.back_offs)
            found.append(Ngrams(rows[kept], probabilities[kept], back_offs[kept]))
        return found

    def start(self) -> NgramState:
        """State at the start of a sentence."""
        return () if self.order == 1 else (self.ids[START],)

    def step(self, state: NgramState, word: str) -> tuple[float, NgramState]:
        """Log10 probability of `word` in `state`, and the state behind the word.

        An unknown word has the score of <unk>, or `NEVER` if the model has no <unk>.
        """
        number = self.ids.get(word, self._unknown)
        if number is None:
            return NEVER, ()
        views = self._views
        n = len(state)
        following: NgramState = ()
        score, weight = math.nan, 0.0
        for context in state:
            if context < 0:
                place = -1
            else:
                _, codes, _, back_offs, bases, steps = views[n - 1]
                last_words, longer_codes, probabilities, _, _, _ = views[n]
                after = context + 1
                last = bases[after // BLOCK] + steps[after]
                place = bisect_left(
                    last_words, number, bases[context // BLOCK] + steps[context], last
                )
                if place == last or last_words[place] != number:
                    place = -1
                if score != score:  # the longest n-gram is still to be found
                    if place >= 0:
                        score = weight + probabilities[longer_codes[place]]
                    if score != score:
                        weight += back_offs[codes[context]]
            n += 1
            if n < len(views) and (place >= 0 or following):
                following += (place,)
            n -= 2
        if score != score:
            _, codes, probabilities, _, _, _ = views[0]
            score = weight + probabilities[codes[number]]
        return score, (*following, number) if len(views) > 1 else ()

    def score(self, word: str, context: Sequence[str]) -> float:
        """Log10 probability of `word` after the words of `context`, which may begin with <s>."""
        state: NgramState = ()
        for before in context:
            state = self.step(state, before)[1]
        return self.step(state, word)[0]

    def word_scores(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Log10 probabilities of the words and the end of each sentence: [words + 1] each."""
        found = []
        for words in sentences:
            state, scores = self.start(), []
            for word in (*words, END):
                score, state = self.step(state, word)
                scores.append(score)
            found.append(np.array(scores))
        return found

    def sentence(self, words: Sequence[str]) -> float:
        """Log10 probability of a sentence, its end included."""
        return float(sum(self.word_scores([words])[0].tolist()))


def _view(level: Level) -> _View:
    codes = level.codes.data if len(level.codes) else range(len(level.probabilities))
    last_words, _, *others = level
    return _View(last_words.data, codes, *(array.data for array in others))


def _coded(
    probabilities: np.ndarray, back_offs: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`codes`, `probabilities` and `back_offs` of a `Level`, from the values of each n-gram."""
    bits = probabilities.view(np.uint32).astype(np.uint64) << np.uint64(32)
    pairs, codes = np.unique(bits | back_offs.view(np.uint32), return_inverse=True)
    if len(pairs) > _MOST_CODES:
        return np.empty(0, np.uint16), probabilities, back_offs
    small = codes.astype(np.uint8 if len(pairs) <= 256 else np.uint16)
    first, second = pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)
    return small, *(half.astype(np.uint32).view(np.float32) for half in (first, second))


def _blocks(starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`bases` and `steps` of a `Level`, from `Level.starts`."""
    bases = starts[::BLOCK]
    steps = starts - bases[np.arange(len(starts)) // BLOCK]
    kind = np.uint16 if steps.max() < 1 << 16 else np.uint32
    return bases.astype(np.uint32), steps.astype(kind)
