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
"""Places of the contexts (`Level`) that end at the last word, from the longest one on; −1 for a
shorter one that the model lacks. Histories that leave the same contexts are therefore one state
(Li & Khudanpur, 2008)."""

BLOCK = 64
"""Contexts of a `Level` that share one entry of `bases`."""
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

    Contexts are the n-grams with which longer ones begin, or which have a back-off. All others are
    leaves. They lie apart, because a leaf takes half of a context's space. All words are contexts;
    all other n-grams of the highest order are leaves.

    Among the contexts, and among the leaves, those with the same first words are neighbours, sorted
    by their last word. The n-grams of the next order whose first words are context i are its
    contexts from `start(i)` to `start(i + 1)`, and its leaves between two such numbers of their
    own. `start(i)` is `bases[i // BLOCK] + steps[i]`. The sum takes half of the space of one
    32-bit number per n-gram.

    Attributes:
        words: numbers of the contexts' last words, uint16 or uint32; empty for order 1, where a
            context's place is its word's number.
        codes: places of each context in `probabilities` and `back_offs`, uint8 or uint16; empty if
            these two have one value for each context.
        probabilities: log10, float32. NaN for a context that is no n-gram of the model.
        back_offs: log10, float32.
        leaf_words: numbers of the leaves' last words, uint16 or uint32.
        leaf_codes: places of each leaf in `leaf_probabilities`, uint8 or uint16; or empty.
        leaf_probabilities: log10, float32.
        bases: uint32 [contexts // BLOCK + 1]; empty if the next order has no contexts.
        steps: uint16 or uint32 [contexts + 1]; empty if the next order has no contexts.
        leaf_bases: as `bases`, of the next order's leaves.
        leaf_steps: as `steps`, of the next order's leaves.
    """

    words: np.ndarray
    codes: np.ndarray
    probabilities: np.ndarray
    back_offs: np.ndarray
    leaf_words: np.ndarray
    leaf_codes: np.ndarray
    leaf_probabilities: np.ndarray
    bases: np.ndarray
    steps: np.ndarray
    leaf_bases: np.ndarray
    leaf_steps: np.ndarray

    def context_probabilities(self) -> np.ndarray:
        """Log10 probability of each context: float32 [contexts]."""
        return _decoded(self.probabilities, self.codes)

    def ngrams(self, first_words: np.ndarray, before: Level | None) -> tuple[Ngrams, np.ndarray]:
        """The n-grams of this order.

        Args:
            first_words: numbers of the words of each context of the order before.
            before: the order before; None for order 1.

        Returns:
            The n-grams, and the words of the contexts among them.
        """
        back_offs = _decoded(self.back_offs, self.codes)
        if before is None:
            rows = np.arange(len(back_offs), dtype=np.int32)[:, None]
            return Ngrams(rows, self.context_probabilities(), back_offs), rows
        owners = _owners(before.bases, before.steps)
        owners = np.append(owners, _owners(before.leaf_bases, before.leaf_steps))
        last = np.append(self.words, self.leaf_words)
        rows = np.column_stack([first_words[owners], last.astype(np.int32)])
        probabilities = np.append(
            self.context_probabilities(), _decoded(self.leaf_probabilities, self.leaf_codes)
        )
        kept = np.lexsort([last, owners])
        kept = kept[~np.isnan(probabilities[kept])]
        all_back_offs = np.append(back_offs, np.zeros(len(self.leaf_words), np.float32))
        found = Ngrams(rows[kept], probabilities[kept], all_back_offs[kept])
        return found, rows[: len(self.words)]


class _View(NamedTuple):
    """A `Level` as memory views, whose items are Python numbers: looking one up is several times
    faster than in a numpy array."""

    words: memoryview
    codes: memoryview | range
    probabilities: memoryview
    back_offs: memoryview
    leaf_words: memoryview
    leaf_codes: memoryview | range
    leaf_probabilities: memoryview
    bases: memoryview
    steps: memoryview
    leaf_bases: memoryview
    leaf_steps: memoryview


class NgramModel:
    """A back-off n-gram model (Katz, 1987) of any order.

    The n-grams form a trie of arrays, as in KenLM (Heafield, 2011): an n-gram's place in the level
    of its order leads to the longer n-grams that begin with it. A trigram with rounded values takes
    3 bytes instead of the 300 bytes of a dictionary of tuples of strings. The arrays can be memory
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
        # The place of the first words of each n-gram among the contexts of the order before: one
        # array per order.
        places = [grams.words[:, 0].astype(np.int64) for grams in orders]
        nodes, contexts = np.arange(len(words)), np.ones(len(words), bool)
        kind = np.uint16 if len(words) <= _MOST_CODES else np.uint32
        empty = np.empty(0, np.uint32)
        levels: list[Level] = []
        for n, grams in enumerate(orders, 1):
            if n > 1:
                parents = int(contexts.sum())
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
                contexts = np.zeros(len(nodes), bool)
                contexts[inverse[ends[0] :]] = True
            own = places[n - 1]
            probabilities = np.full(len(nodes), np.nan, np.float32)
            back_offs = np.zeros(len(nodes), np.float32)
            probabilities[own] = grams.probabilities
            if n < len(orders):  # no longer n-gram backs off from the highest order
                back_offs[own] = grams.back_offs + np.float32(0)  # −0 would be another value
                contexts |= back_offs != 0
            if n > 1 and len(own) and np.bincount(own).max() > 1:
                first = int(np.bincount(own).argmax())
                row = grams.words[own == first][0]
                twice = " ".join(words[i] for i in row)
                raise ModelError(f"the {n}-gram {twice!r} occurs twice")
            if n > 1:
                first_keys = np.arange(parents + 1) * len(words)
                levels[-1] = levels[-1]._replace(
                    **_blocks("", np.searchsorted(nodes[contexts], first_keys)),
                    **_blocks("leaf_", np.searchsorted(nodes[~contexts], first_keys)),
                )
            last_words = (nodes % len(words)).astype(kind)
            leaf_codes, leaf_probabilities, _ = _coded(
                probabilities[~contexts], back_offs[~contexts]
            )
            levels.append(
                Level(
                    last_words[contexts] if n > 1 else last_words[:0],
                    *_coded(probabilities[contexts], back_offs[contexts]),
                    last_words[~contexts],
                    leaf_codes,
                    leaf_probabilities,
                    *[empty] * 4,
                )
            )
            ranks = np.cumsum(contexts) - 1
            places[n:] = [ranks[place] for place in places[n:]]
        return cls(words, levels)

    @property
    def order(self) -> int:
        """Number of words in the longest n-grams."""
        return len(self.levels)

    @property
    def unigrams(self) -> np.ndarray:
        """Log10 probability of each word without a context, by number: float32 [words]."""
        return self.levels[0].context_probabilities()

    def __len__(self) -> int:
        """Number of n-grams of all orders."""
        return sum(
            int((~np.isnan(level.context_probabilities())).sum()) + len(level.leaf_words)
            for level in self.levels
        )

    def ngrams(self) -> list[Ngrams]:
        """The n-grams of each order, as for `from_ngrams`."""
        found = []
        rows = np.empty((0, 0), np.int32)
        for before, level in zip([None, *self.levels], self.levels, strict=False):
            grams, rows = level.ngrams(rows, before)
            found.append(grams)
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
            place = -1
            if context >= 0:
                view, longer = views[n - 1], views[n]
                after = context + 1
                block, next_block = context // BLOCK, after // BLOCK
                if steps := view.steps:
                    last = view.bases[next_block] + steps[after]
                    words = longer.words
                    place = bisect_left(words, number, view.bases[block] + steps[context], last)
                    if place == last or words[place] != number:
                        place = -1
                if score != score:  # the longest n-gram is still to be found
                    if place >= 0:
                        score = weight + longer.probabilities[longer.codes[place]]
                    elif steps := view.leaf_steps:
                        last = view.leaf_bases[next_block] + steps[after]
                        words, bases = longer.leaf_words, view.leaf_bases
                        leaf = bisect_left(words, number, bases[block] + steps[context], last)
                        if leaf < last and words[leaf] == number:
                            score = weight + longer.leaf_probabilities[longer.leaf_codes[leaf]]
                    if score != score:
                        weight += view.back_offs[view.codes[context]]
            n += 1
            if n < len(views) and (place >= 0 or following):
                following += (place,)
            n -= 2
        if score != score:
            score = weight + views[0].probabilities[views[0].codes[number]]
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
    leaf_codes = (
        level.leaf_codes.data if len(level.leaf_codes) else range(len(level.leaf_probabilities))
    )
    words, _, values, back_offs, leaf_words, _, leaf_values, *starts = (a.data for a in level)
    return _View(words, codes, values, back_offs, leaf_words, leaf_codes, leaf_values, *starts)


def _decoded(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The value of each n-gram."""
    return values[codes] if len(codes) else values


def _owners(bases: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The context of each n-gram of the next order: int64 [n-grams]."""
    starts = bases[np.arange(len(steps)) // BLOCK].astype(np.int64) + steps
    return np.repeat(np.arange(max(len(steps) - 1, 0)), np.diff(starts))


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


def _blocks(prefix: str, starts: np.ndarray) -> dict[str, np.ndarray]:
    """`bases` and `steps` of a `Level` under their names; empty if there is nothing to start."""
    if not starts[-1]:
        return {}
    bases = starts[::BLOCK]
    steps = starts - bases[np.arange(len(starts)) // BLOCK]
    kind = np.uint16 if steps.max() < 1 << 16 else np.uint32
    return {f"{prefix}bases": bases.astype(np.uint32), f"{prefix}steps": steps.astype(kind)}
