"""Word-level language model scores for the beam search: weights, look-ahead, a cache."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from asr.language.word_lm import END, NEVER, UNKNOWN, LmState, WordLM

NATS_PER_LOG10 = math.log(10)
T = TypeVar("T", float, np.ndarray)
CACHE_SIZE = 200_000
"""Scores of words in their contexts that `WeightedLM` caches; the search asks for most of them
often."""


class PrefixTable:
    """Sorted words with a value each. Finds the largest value of all words with a prefix.

    Args:
        words: (word, value) pairs, each word once.
    """

    def __init__(self, words: Iterable[tuple[str, float]]) -> None:
        values = dict(words)
        self.words = sorted(values)
        self.values = [values[word] for word in self.words]
        self._best: dict[str, float] = {}

    def best(self, prefix: str) -> float:
        """The largest value of the words that begin with `prefix`; −inf if there is none."""
        found = self._best.get(prefix)
        if found is None:
            # Computed on demand: a search meets few of all prefixes.
            first = bisect_left(self.words, prefix)
            last = bisect_left(self.words, prefix + "\U0010ffff")
            found = max(self.values[first:last], default=-math.inf)
            self._best[prefix] = found
        return found

    def __contains__(self, word: str) -> bool:
        place = bisect_left(self.words, word)
        return place < len(self.words) and self.words[place] == word


class WeightedLM:
    """A language model with the weights of a search. Scores are in nats and are cached.

    Args:
        model: the language model.
        words: the model's words that the recogniser can output.
        alpha: weight of the model's log-probability.
        beta: added for every word, in nats.
        unknown: added for every word that the model does not know, in nats.
    """

    def __init__(
        self, model: WordLM, words: Iterable[str], alpha: float, beta: float, unknown: float
    ) -> None:
        self.model = model
        self.set_weights(alpha, beta, unknown)
        self._unigrams = model.unigrams.tolist()
        # A model without <unk> has no probability for unknown words. They get the probability of
        # the rarest word, and the weight `unknown` says how much to avoid them.
        self.rarest = min(map(self.unigram, words if UNKNOWN not in model.ids else [UNKNOWN]))

    def set_weights(self, alpha: float, beta: float, unknown: float) -> None:
        """Change the weights and clear the cache, because the model's scores may have changed too
        (`asr.language.mixture.Mixture.share`)."""
        self.alpha, self.beta, self.unknown = alpha, beta, unknown
        self._scores: dict[tuple[LmState, str], tuple[float, LmState]] = {}

    def unigram(self, word: str) -> float:
        """Log10 probability of a word without a context."""
        place = self.model.ids.get(word)
        return self.rarest if place is None else self._unigrams[place]

    def unigrams_of(self, words: Sequence[str]) -> np.ndarray:
        """Log10 probability of each word without a context: float64 [words]."""
        known = len(self._unigrams)
        values = np.append(self.model.unigrams.astype(np.float64), self.rarest)
        ids = self.model.ids
        return values[[ids.get(word, known) for word in words]]

    def to_nats(self, log10: T) -> T:
        """Weighted score, in nats, of a log10 probability, or of several."""
        return self.alpha * NATS_PER_LOG10 * log10

    def score(self, context: LmState, word: str, is_hot: bool) -> tuple[float, LmState]:
        """Score of a word in its context, in nats, and the context behind the word.

        Args:
            context: the language model's state before the word.
            word: the word.
            is_hot: whether the word belongs to a hot phrase. A hot word gets no `unknown` penalty.
        """
        found = self._scores.get((context, word))
        if found is None:
            if len(self._scores) >= CACHE_SIZE:
                self._scores.clear()
            log10, following = self.model.step(context, word)
            found = self._scores[context, word] = (
                self.rarest if log10 <= NEVER else log10,
                following,
            )
        log10, following = found
        score = self.to_nats(log10) + self.beta
        if word not in self.model.ids and not is_hot:
            score += self.unknown
        return score, following

    def uncached_scores(
        self, context: LmState, words: Iterable[str]
    ) -> list[tuple[float, LmState]]:
        """What `score` gives for each word that is not hot, without the cache."""
        factor, known, rarest, beta = self.to_nats(1.0), self.model.ids, self.rarest, self.beta
        found = []
        for word in words:
            log10, following = self.model.step(context, word)
            score = factor * (rarest if log10 <= NEVER else log10) + beta
            found.append((score if word in known else score + self.unknown, following))
        return found

    def sentence(self, words: Sequence[str]) -> float:
        """Score of a whole sentence without hot words, in nats."""
        context, total = self.model.start(), 0.0
        for word in words:
            score, context = self.score(context, word, False)
            total += score
        return total + self.end(context)

    def end(self, context: LmState) -> float:
        """Score of the end of the sentence, in nats."""
        return self.to_nats(self.model.step(context, END)[0])
