"""Confidence intervals of error rates."""

from __future__ import annotations

import numpy as np

RESAMPLES = 1000


def bootstrap_interval(errors: np.ndarray, words: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % interval of Σerrors/Σwords over resampled utterances (Bisani & Ney, 2004)."""
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(errors), (RESAMPLES, len(errors)))
    rates = errors[picks].sum(axis=1) / np.maximum(words[picks].sum(axis=1), 1)
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(low), float(high)
