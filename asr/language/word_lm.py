"""`WordLM`: the interface of a word language model, and the marks that all models share."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Protocol

import numpy as np

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
NEVER = -99.0
"""The log10 probability that ARPA files write for a probability of zero, such as for <s>."""
LmState = Any
"""State of a `WordLM`: what it keeps of the words so far. Hashable."""


class WordLM(Protocol):
    """A language model that scores one word after another. Scores are log10 probabilities."""

    @property
    def ids(self) -> Mapping[str, int]:
        """The number of each word, marks included."""

    @property
    def unigrams(self) -> np.ndarray:
        """Log10 probability of each word without a context, by number: float32 [words]."""

    @property
    def vocabulary(self) -> Set[str]:
        """The words, without the marks."""

    def start(self) -> LmState:
        """State at the start of a sentence."""

    def step(self, state: LmState, word: str) -> tuple[float, LmState]:
        """Log10 probability of `word` in `state`, and the state behind the word."""
