"""`NgramTable`: the n-grams of a model as sorted arrays, to compute with all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.errors import ModelError
from asr.language.ngram import NgramModel, Ngrams
from asr.language.word_lm import NEVER

_SMALLEST = 1e-9
"""Probability mass below which a rounding error may be larger than the mass."""


@dataclass(frozen=True)
class NgramTable:
    """N-grams of every order, sorted, each with a log10 probability and a log10 back-off.

    The key of an n-gram is the place of its context, which is its first n − 1 words, in the order
    below, times the number of words, plus the number of its last word. A word's key is its number.

    Attributes:
        words: the vocabulary with its marks.
        keys: sorted int64 [count], one array for each order.
        probabilities: log10, float64 [count], one array for each order.
        back_offs: log10, float64 [count], one array for each order.
    """

    words: Sequence[str]
    keys: list[np.ndarray]
    probabilities: list[np.ndarray]
    back_offs: list[np.ndarray]

    @classmethod
    def from_model(cls, model: NgramModel) -> NgramTable:
        """The n-grams of a model.

        Raises:
            ModelError: the model lacks the context of one of its n-grams.
        """
        keys: list[np.ndarray] = []
        orders = model.ngrams()
        for grams in orders:
            keys.append(make_keys(keys, grams.words, len(model.words)))
        places = [np.argsort(found) for found in keys]
        return cls(
            model.words,
            [found[order] for found, order in zip(keys, places, strict=True)],
            [g.probabilities[o].astype(float) for g, o in zip(orders, places, strict=True)],
            [g.back_offs[o].astype(float) for g, o in zip(orders, places, strict=True)],
        )

    @classmethod
    def from_probabilities(
        cls, words: Sequence[str], keys: list[np.ndarray], probabilities: list[np.ndarray]
    ) -> NgramTable:
        """The n-grams with the back-offs that make the probabilities after every context sum to 1.

        Args:
            words: the vocabulary with its marks.
            keys: see the class.
            probabilities: see the class.
        """
        table = cls(words, keys[:1], probabilities[:1], [np.zeros(len(words))])
        for n in range(2, len(keys) + 1):
            contexts, last = np.divmod(keys[n - 1], len(words))
            rows = np.column_stack([table.rows(n - 1)[contexts], last])
            seen, seen_below = table.seen_mass(rows, contexts, probabilities[n - 1])
            left = np.maximum(1 - seen, _SMALLEST)
            left_below = np.where(seen_below < 1 - _SMALLEST, 1 - seen_below, left)
            # A context without longer n-grams has a back-off of 1.
            table.back_offs[-1] = np.log10(left / left_below)
            table = cls(
                words,
                keys[:n],
                probabilities[:n],
                [*table.back_offs, np.zeros(len(keys[n - 1]))],
            )
        return table

    @property
    def order(self) -> int:
        """Number of words in the longest n-grams."""
        return len(self.keys)

    def to_model(self) -> NgramModel:
        """The model with these n-grams."""
        return NgramModel.from_ngrams(
            self.words,
            [
                Ngrams(
                    self.rows(n).astype(np.int32),
                    np.maximum(self.probabilities[n - 1], NEVER).astype(np.float32),
                    self.back_offs[n - 1].astype(np.float32),
                )
                for n in range(1, self.order + 1)
            ],
        )

    def rows(self, order: int) -> np.ndarray:
        """Numbers of the words of each n-gram of an order: int64 [count, order]."""
        rows = np.arange(len(self.words))[:, None]
        for keys in self.keys[1:order]:
            contexts, last = np.divmod(keys, len(self.words))
            rows = np.column_stack([rows[contexts], last])
        return rows

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Log10 probability of the last word of each row after the row's other words.

        Args:
            rows: numbers of words, [rows, words of a row].

        Returns:
            float64 [rows].
        """
        rows = rows[:, -self.order :]
        n = rows.shape[1]
        places = find(self.keys, rows, len(self.words))
        scores = values_at(self.probabilities[n - 1], places)
        missing = np.flatnonzero(places < 0)
        if len(missing):
            others = rows[missing]
            contexts = find(self.keys, others[:, :-1], len(self.words))
            weights = values_at(self.back_offs[n - 2], contexts)
            scores[missing] = weights + self.scores(others[:, 1:])
        return scores

    def seen_mass(
        self, rows: np.ndarray, contexts: np.ndarray, probabilities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probability of the words that have an n-gram after each context.

        Args:
            rows: the n-grams that are one word longer than the table's, or of its highest order.
            contexts: place of each row's context in its order.
            probabilities: log10 probability of each row.

        Returns:
            Two arrays for the contexts' order: the sum of the probabilities, and the sum of the
            probabilities of the same words without the context's first word.
        """
        count = len(self.keys[rows.shape[1] - 2])
        below = 10 ** self.scores(rows[:, 1:])
        return np.bincount(contexts, 10**probabilities, count), np.bincount(contexts, below, count)


def values_at(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The values at the places that `find` returns, 0 at −1: float64 [places]."""
    found = np.zeros(len(places))
    known = places >= 0
    found[known] = values[places[known]]
    return found


def find(keys: Sequence[np.ndarray], rows: np.ndarray, size: int) -> np.ndarray:
    """The place of each row among the n-grams of its order, −1 where it is none of them.

    Args:
        keys: sorted keys of each order, see `NgramTable`.
        rows: numbers of words, [rows, words of a row].
        size: number of words in the vocabulary.

    Returns:
        int64 [rows].
    """
    places = rows[:, 0].astype(np.int64)
    for known, words in zip(keys[1:], rows.T[1:], strict=False):
        wanted = places * size + words
        found = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        hit = (places >= 0) & (known[found] == wanted) if len(known) else np.zeros(len(rows), bool)
        places = np.where(hit, found, -1)
    return places


def make_keys(keys: Sequence[np.ndarray], rows: np.ndarray, size: int) -> np.ndarray:
    """The keys of n-grams, unsorted.

    Args:
        keys: sorted keys of the orders below.
        rows: numbers of words, [rows, words of a row].
        size: number of words in the vocabulary.

    Raises:
        ModelError: the order below lacks the context of an n-gram.
    """
    if rows.shape[1] == 1:
        return rows[:, 0].astype(np.int64)
    contexts = find(keys, rows[:, :-1], size)
    if len(contexts) and contexts.min() < 0:
        raise ModelError(
            f"{rows.shape[1]}-grams without their context: the tool that pruned the n-gram model "
            "took out contexts of longer n-grams; estimate it again"
        )
    return contexts * size + rows[:, -1]


def coarse(model: NgramModel, step: float) -> NgramModel:
    """The model with the log10 probabilities of its longer n-grams rounded to multiples of a step.

    A leaf (`asr.language.ngram.Level`) has one byte for its probability in a binary file, because
    there are 256 different values at most; lower ones become the lowest. The rounding changes the
    others by a factor of 10^(step / 2) at most. Probabilities of single words and back-offs are not
    changed, so the probabilities behind a context sum to one only nearly.

    Args:
        model: the model.
        step: distance of the values, above 0.
    """
    words, *longer = model.ngrams()
    return NgramModel.from_ngrams(
        model.words,
        [words]
        + [
            grams._replace(
                probabilities=(
                    np.maximum(np.round(grams.probabilities.astype(float) / step), -255) * step
                ).astype(np.float32)
            )
            for grams in longer
        ],
    )
