"""`Mixture`: an n-gram model and a recurrent one, asked together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from asr.language.ngram import NEVER, NgramModel
from asr.language.ngram import State as Words
from asr.language.recurrent_lm import RecurrentLM
from asr.language.recurrent_lm import State as Labels

State = tuple[Words, Labels]

REMEMBERED = 20_000
"""Sentences whose scores `gains` keeps, for trials of weights that find the same ones again."""


class Mixture:
    """The weighted mean of both models' probabilities of each word (Jelinek & Mercer, 1980).

    Its words are those of the n-gram model; scores are log10, as in ARPA files. To a search it is
    what an `NgramModel` is (shallow fusion: Gulcehre et al., 2015); `gains` ranks anew what a
    search has found without it, which takes far fewer steps of the network.

    Args:
        ngram, recurrent: the models.
        share: of the recurrent model in the mean, 0 … 1.
    """

    def __init__(self, ngram: NgramModel, recurrent: RecurrentLM, share: float) -> None:
        self.ngram, self.recurrent = ngram, recurrent
        self.ids, self.vocabulary = ngram.ids, ngram.vocabulary
        self.probabilities = ngram.probabilities
        self.share = share
        self._scored: dict[tuple[str, ...], tuple[np.ndarray, np.ndarray]] = {}

    def start(self) -> State:
        """State at the start of a sentence."""
        return self.ngram.start(), self.recurrent.start()

    def step(self, state: State, word: str) -> tuple[float, State]:
        """Log10 probability of `word` in `state`, and the state behind it; `NEVER` where the
        n-gram model says so."""
        counted, words = self.ngram.step(state[0], word)
        said, labels = self.recurrent.step(state[1], word)
        score = counted if counted <= NEVER else float(self._mean(counted, said))
        return score, (words, labels)

    def gains(self, sentences: Sequence[Sequence[str]]) -> np.ndarray:
        """By how much each sentence is likelier than by the n-gram model alone: log10
        [sentences]."""
        if len(self._scored) > REMEMBERED:
            self._scored.clear()
        new = [s for s in dict.fromkeys(map(tuple, sentences)) if s not in self._scored]
        both = self.ngram.word_scores(new), self.recurrent.word_scores(new)
        self._scored.update(zip(new, zip(*both, strict=True), strict=True))
        return np.array([self.gain(*self._scored[tuple(s)]) for s in sentences])

    def gain(self, counted: np.ndarray, said: np.ndarray) -> float:
        """`gains` of a sentence of which the models' scores of its words are known."""
        gains = self._mean(counted, said) - counted
        return float(gains[counted > NEVER].sum())

    def _mean(self, counted: np.ndarray | float, said: np.ndarray | float) -> np.ndarray:
        """log10 of the mean of two probabilities."""
        if not 0 < self.share < 1:
            return np.asarray(said if self.share else counted)
        first, second = math.log10(1 - self.share), math.log10(self.share)
        larger = np.maximum(first + counted, second + said)
        return larger + np.log10(10 ** (first + counted - larger) + 10 ** (second + said - larger))
