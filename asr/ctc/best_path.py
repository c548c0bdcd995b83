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
    # Texts share the states of their common beginnings: labels form a tree, whose root is no text.
    nodes: dict[tuple[int, int], int] = {}
    before, symbols, ends = [0], [BLANK], []
    for text in texts:
        node = 0
        for label in text:
            following = nodes.setdefault((node, label), len(symbols))
            if following == len(symbols):
                before.append(node)
                symbols.append(label)
            node = following
        ends.append(node)
    parents, labels = np.array(before), np.array(symbols)
    # A label may follow another label without a blank between them, unless they are equal.
    jump = np.where((parents > 0) & (labels != labels[parents]), 0.0, -np.inf)
    # Of each node: the paths that end in its label, and those that end in the blank behind it.
    label_score, blank_score = np.full([2, len(labels)], -np.inf)
    blank_score[0] = 0.0
    for frame in log_probabilities:
        entered = np.logaddexp(label_score, blank_score[parents])
        entered = np.logaddexp(entered, label_score[parents] + jump)
        blank_score = np.logaddexp(blank_score, label_score) + frame[BLANK]
        label_score = entered + frame[labels]
        label_score[0] = -np.inf  # the root has no label
    return np.logaddexp(blank_score, label_score)[np.array(ends, int)]
