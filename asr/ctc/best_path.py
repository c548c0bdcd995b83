"""CTC label paths, greedy (best path) decoding, and the likelihood of a given text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from asr.text.tokenizers import BLANK

Others = tuple[tuple[tuple[int, ...], float], ...]
"""Labels and scores, by falling score."""


@dataclass(frozen=True)
class Path:
    """A decoded label sequence with where it was seen.

    `starts` and `ends` are frame numbers, ends exclusive; `scores` each label's mean
    log-probability over its frames; `score` the whole path's log-probability, all in nats.
    `others` are what a search found beside and with it, (labels, score) by falling score; none of
    greedy decoding.
    """

    labels: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    scores: tuple[float, ...]
    score: float
    others: Others = ()


def greedy(logits: np.ndarray) -> Path:
    """Best path decoding of one utterance: float [frames, labels], no padding.

    The likeliest label of every frame, equal neighbours merged, blanks removed.
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
    """Fewest frames that can hold `labels`: one each, and a blank between equal neighbours."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def log_likelihoods(log_probabilities: np.ndarray, texts: Sequence[Sequence[int]]) -> np.ndarray:
    """Log-probability, in nats, of each of some label sequences for one utterance: [texts].

    The forward recursion of CTC over all of them at once: the sum of all alignments, −inf where the
    frames cannot hold one.

    Args:
        log_probabilities: [frames, labels] in nats.
    """
    longest = max((len(text) for text in texts), default=0)
    # States are blank, label, blank, …; behind a text's own they are never read.
    states = np.full([len(texts), 2 * longest + 1], BLANK)
    for row, text in zip(states, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    jump = np.full(states.shape, -np.inf)
    jump[:, 3::2][states[:, 3::2] != states[:, 1:-2:2]] = 0.0
    score = np.full(states.shape, -np.inf)
    # Before the first frame is the first blank: from it, itself and the first label are one step.
    score[:, 0] = 0.0
    for frame in log_probabilities:
        came = np.logaddexp(score[:, 1:], score[:, :-1])
        came[:, 1:] = np.logaddexp(came[:, 1:], score[:, :-2] + jump[:, 2:])
        score = np.concatenate([score[:, :1], came], axis=1) + frame[states]
    ends = 2 * np.array([len(text) for text in texts])
    rows = np.arange(len(texts))
    last = np.where(ends > 0, score[rows, np.maximum(ends - 1, 0)], -np.inf)
    return np.logaddexp(score[rows, ends], last)
