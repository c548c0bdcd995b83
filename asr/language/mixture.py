"""`Mixture`: linear interpolation of an n-gram model and a recurrent language model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from asr.language.ngram import NgramModel, NgramState
from asr.language.recurrent_lm import LabelHistory, RecurrentLM
from asr.language.word_lm import NEVER

CACHE_SIZE = 20_000
"""Sentences whose scores `Mixture.gains` caches: trials of different weights find most sentences
again."""


class MixtureState(NamedTuple):
    """The states of both models."""

    ngram: NgramState
    recurrent: LabelHistory


class _WordScores(NamedTuple):
    """Log10 probabilities of a sentence's words and its end by both models: [words + 1] each."""

    ngram: np.ndarray
    recurrent: np.ndarray


class Mixture:
    """The weighted mean of the models' probabilities of each word (Jelinek & Mercer, 1980).

    The mixture has the vocabulary of the n-gram model, and is a `WordLM`: a beam search can use it
    instead of an `NgramModel` (shallow fusion: Gulcehre et al., 2015). `gains` rescores the n-best
    list of a search with the n-gram model, which takes far fewer steps of the network.

    Args:
        ngram: the n-gram model.
        recurrent: the recurrent model.
        share: interpolation weight of the recurrent model, 0…1.
    """

    def __init__(self, ngram: NgramModel, recurrent: RecurrentLM, share: float) -> None:
        self.ngram, self.recurrent = ngram, recurrent
        self.ids, self.vocabulary = ngram.ids, ngram.vocabulary
        self.unigrams = ngram.unigrams
        self.share = share
        self._scores: dict[tuple[str, ...], _WordScores] = {}

    def start(self) -> MixtureState:
        """State at the start of a sentence."""
        return MixtureState(self.ngram.start(), self.recurrent.start())

    def step(self, state: MixtureState, word: str) -> tuple[float, MixtureState]:
        """Log10 probability of `word` in `state`, and the state behind the word.

        The probability is `NEVER` where the n-gram model's is.
        """
        by_ngram, ngram_state = self.ngram.step(state.ngram, word)
        by_recurrent, recurrent_state = self.recurrent.step(state.recurrent, word)
        score = by_ngram if by_ngram <= NEVER else float(self._mean(by_ngram, by_recurrent))
        return score, MixtureState(ngram_state, recurrent_state)

    def gains(self, sentences: Sequence[Sequence[str]]) -> np.ndarray:
        """Log10 probability of each sentence by the mixture, minus the one by the n-gram model:
        float64 [sentences]."""
        if len(self._scores) > CACHE_SIZE:
            self._scores.clear()
        new = [s for s in dict.fromkeys(map(tuple, sentences)) if s not in self._scores]
        both = zip(self.ngram.word_scores(new), self.recurrent.word_scores(new), strict=True)
        self._scores.update(zip(new, map(_WordScores._make, both), strict=True))
        return np.array([self.gain(*self._scores[tuple(s)]) for s in sentences])

    def gain(self, by_ngram: np.ndarray, by_recurrent: np.ndarray) -> float:
        """`gains` of one sentence, from the models' scores of its words and its end.

        Args:
            by_ngram: log10 probabilities of the n-gram model, [words + 1].
            by_recurrent: log10 probabilities of the recurrent model, [words + 1].
        """
        gains = self._mean(by_ngram, by_recurrent) - by_ngram
        return float(gains[by_ngram > NEVER].sum())

    def _mean(self, by_ngram: np.ndarray | float, by_recurrent: np.ndarray | float) -> np.ndarray:
        """Log10 of the weighted mean of two probabilities."""
        if not 0 < self.share < 1:
            return np.asarray(by_recurrent if self.share else by_ngram)
        first = math.log10(1 - self.share) + by_ngram
        second = math.log10(self.share) + by_recurrent
        larger = np.maximum(first, second)
        return larger + np.log10(10 ** (first - larger) + 10 ** (second - larger))
