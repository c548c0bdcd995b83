"""Label paths of CTC, greedy (best path) decoding, and likelihoods of given label sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from asr.text.tokenizers import BLANK


class ScoredLabels(NamedTuple):
    """A label sequence and its log-probability, in nats, with the score of a language model."""

    labels: tuple[int, ...]
    score: float


Alternatives = tuple[ScoredLabels, ...]
"""An n-best list, by falling score."""


@dataclass(frozen=True)
class Path:
    """A decoded label sequence with its frames.

    Attributes:
        labels: the labels, without blanks.
        starts: first frame of each label.
        ends: frame behind the last frame of each label.
        scores: mean log-probability of each label over its frames, in nats.
        score: log-probability of the whole path, in nats.
        alternatives: the n-best list of a beam search, the best hypothesis included. Empty where
            nobody asked for it, and for greedy decoding.
    """

    labels: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    scores: tuple[float, ...]
    score: float
    alternatives: Alternatives = ()


def greedy(logits: np.ndarray) -> Path:
    """Best path decoding: take the best label of each frame, merge repeats, remove blanks.

    Args:
        logits: float [frames, labels] of one utterance, without padding.

    >>> logits = np.array([[0, 9, 0], [0, 9, 0], [9, 0, 0], [0, 0, 9]])
    >>> path = greedy(logits)
    >>> path.labels, path.starts, path.ends
    ((1, 2), (0, 3), (2, 4))
    """
    if len(logits) == 0:
        return Path((), (), (), (), 0.0)
    log_probabilities = log_softmax(logits.astype(np.float64))
    best = log_probabilities.argmax(axis=1)
    top = log_probabilities[np.arange(len(best)), best]
    edges = np.flatnonzero(np.diff(best)) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(best)]])
    keep = best[starts] != BLANK
    sums = np.concatenate([[0.0], np.cumsum(top)])
    means = (sums[ends] - sums[starts]) / (ends - starts)
    return Path(
        labels=tuple(best[starts][keep].tolist()),
        starts=tuple(starts[keep].tolist()),
        ends=tuple(ends[keep].tolist()),
        scores=tuple(means[keep].tolist()),
        score=float(top.sum()),
    )


def frames_needed(labels: Sequence[int]) -> int:
    """Smallest number of frames that can hold `labels`.

    A label needs one frame, and a blank must separate two equal neighbours.

    >>> frames_needed([1, 2, 2])
    4
    """
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def log_likelihoods(log_probabilities: np.ndarray, texts: Sequence[Sequence[int]]) -> np.ndarray:
    """Log-probability of each of several label sequences for one utterance.

    Runs the forward recursion of CTC, which sums over all alignments, for all sequences at once.

    Args:
        log_probabilities: float [frames, labels], in nats.
        texts: label sequences.

    Returns:
        Log-probabilities in nats, [texts]; −inf for a sequence that the frames cannot hold.
    """
    longest = max((len(text) for text in texts), default=0)
    # States are blank, label, blank, …. States beyond the end of a shorter text are never read.
    states = np.full([len(texts), 2 * longest + 1], BLANK)
    for row, text in zip(states, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    jump = np.full(states.shape, -np.inf)
    jump[:, 3::2][states[:, 3::2] != states[:, 1:-2:2]] = 0.0
    score = np.full(states.shape, -np.inf)
    # Start in the first blank: the first frame may stay in it or enter the first label.
    score[:, 0] = 0.0
    for frame in log_probabilities:
        entered = np.logaddexp(score[:, 1:], score[:, :-1])
        entered[:, 1:] = np.logaddexp(entered[:, 1:], score[:, :-2] + jump[:, 2:])
        score = np.concatenate([score[:, :1], entered], axis=1) + frame[states]
    ends = 2 * np.array([len(text) for text in texts])
    rows = np.arange(len(texts))
    last = np.where(ends > 0, score[rows, np.maximum(ends - 1, 0)], -np.inf)
    return np.logaddexp(score[rows, ends], last)
