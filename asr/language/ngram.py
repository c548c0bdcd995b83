"""`NgramModel`: a word n-gram language model with back-off."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import numpy as np

from asr.errors import ModelError
from asr.language.word_lm import END, NEVER, START, UNKNOWN

NgramState = tuple[int, ...]
"""Hash keys of the n-grams that end at the last word, the longest n-gram first."""

_FACTOR = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: odd, and without a regular pattern
_INVERSE = pow(_FACTOR, -1, 1 << 64)
_MASK = (1 << 64) - 1


class _Table(NamedTuple):
    """The n-grams of one order as memory views, whose items are Python numbers: looking one up is
    several times faster than in a numpy array."""

    keys: memoryview
    probabilities: memoryview
    back_offs: memoryview


class NgramModel:
    """A back-off n-gram model (Katz, 1987) of any order.

    A 64-bit hash of an n-gram's words, in a sorted array, finds the n-gram, as in KenLM (Heafield,
    2011). An n-gram takes about 30 bytes instead of the 300 bytes of a dictionary of tuples of
    strings. An n-gram that is not in the model has the hash of one that is about once in 10^13
    look-ups, for a million n-grams. Two n-grams of the model never have the same hash: the
    constructor checks it.

    Attributes:
        words: the vocabulary with its marks; a word's place is its number.
        ids: the number of each word.
        vocabulary: the words without the marks.
        ngrams: for each order, int32 [count, order] of word numbers; order 1 has all words in the
            order of their numbers.
        probabilities: for each order, float32 [count], log10.
        back_offs: for each order, float32 [count], log10.
    """

    def __init__(
        self,
        words: Sequence[str],
        ngrams: Sequence[np.ndarray],
        probabilities: Sequence[np.ndarray],
        back_offs: Sequence[np.ndarray],
    ) -> None:
        """The arguments are the attributes of the same names. The n-grams of an order above 1 may
        be in any order.

        Raises:
            ModelError: an n-gram occurs twice; the error names it.
        """
        self.words = list(words)
        self.ids: Mapping[str, int] = {word: i for i, word in enumerate(self.words)}
        self.vocabulary: Set[str] = self.ids.keys() - {START, END, UNKNOWN}
        if len(self.ids) < len(self.words):
            twice = Counter(self.words).most_common(1)[0][0]
            raise ModelError(f"the 1-gram {twice!r} occurs twice")
        self.ngrams: list[np.ndarray] = []
        self.probabilities: list[np.ndarray] = []
        self.back_offs: list[np.ndarray] = []
        self._tables: list[_Table] = []
        for n, (grams, probability, back_off) in enumerate(
            zip(ngrams, probabilities, back_offs, strict=True), 1
        ):
            keys = _keys(grams)
            # Order 1 is not sorted: a word's number is its place.
            places = np.arange(len(keys)) if n == 1 else np.argsort(keys)
            keys = keys[places]
            same = np.flatnonzero(keys[1:] == keys[:-1])
            if n > 1 and len(same):
                twice = " ".join(self.words[i] for i in grams[places[same[0]]])
                raise ModelError(f"the {n}-gram {twice!r} occurs twice")
            self.ngrams.append(np.ascontiguousarray(grams[places], np.int32))
            self.probabilities.append(np.ascontiguousarray(probability[places], np.float32))
            self.back_offs.append(np.ascontiguousarray(back_off[places], np.float32))
            self._tables.append(
                _Table(keys.data, self.probabilities[-1].data, self.back_offs[-1].data)
            )

    @property
    def order(self) -> int:
        """Number of words in the longest n-grams."""
        return len(self.ngrams)

    def __len__(self) -> int:
        """Number of n-grams of all orders."""
        return sum(map(len, self.ngrams))

    def start(self) -> NgramState:
        """State at the start of a sentence."""
        return () if self.order == 1 else (_extend(0, self.ids[START]),)

    def step(self, state: NgramState, word: str) -> tuple[float, NgramState]:
        """Log10 probability of `word` in `state`, and the state behind the word.

        An unknown word has the score of <unk>, or `NEVER` if the model has no <unk>.
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
        return weight + self._tables[0].probabilities[number], following

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

    def _back_off(self, key: int, n: int) -> float:
        table, _, back_offs = self._tables[n - 1]
        if n == 1:
            # The keys of order 1 are not sorted, but the hash of one word can be inverted.
            return back_offs[key * _INVERSE % (1 << 64) - 1]
        place = bisect_left(table, key)
        return back_offs[place] if place < len(table) and table[place] == key else 0.0


def _extend(key: int, number: int) -> int:
    """The key of an n-gram with one more word."""
    return (key + number + 1) * _FACTOR & _MASK


def _keys(ngrams: np.ndarray) -> np.ndarray:
    """`_extend` over the words of each n-gram: uint64 [count]."""
    keys = np.zeros(len(ngrams), np.uint64)
    for column in ngrams.T:
        keys = (keys + column.astype(np.uint64) + np.uint64(1)) * np.uint64(_FACTOR)
    return keys
