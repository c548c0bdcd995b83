"""Connectionist temporal classification (Graves et al., 2006): loss, decoding, alignment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from asr.errors import TextError
from asr.text import BLANK

if TYPE_CHECKING:
    import tensorflow as tf


def loss(
    logits: tf.Tensor,
    logit_lengths: tf.Tensor,
    labels: tf.Tensor,
    label_lengths: tf.Tensor,
    smoothing: float = 0.0,
) -> tf.Tensor:
    """Negative log-likelihood in nats of each utterance's labels: float32 [batch].

    Args:
        logits: float [batch, frames, labels]; cast to float32 (half precision is wrong here).
        logit_lengths: int32 [batch], true frame counts; frames beyond are not read.
        labels: int32 [batch, units], padded with anything behind `label_lengths`.
        label_lengths: int32 [batch].
        smoothing: share of the loss that is the frames' cross entropy with all labels equally
            likely, against CTC's habit of being sure (Kim et al., 2018).

    Raises:
        InvalidArgumentError: a logit length beyond the logits, or fewer frames than labels. With
            enough for the labels but not for `frames_needed(labels)` the loss is infinite.
    """
    import tensorflow as tf

    tf.debugging.assert_less_equal(
        logit_lengths, tf.shape(logits)[1], message="a logit length is beyond the logits"
    )
    # Sparse labels take TensorFlow's C++ kernel; dense ones its much slower graph of scans.
    valid = tf.sequence_mask(label_lengths, tf.shape(labels)[1])
    sparse = tf.SparseTensor(
        tf.where(valid), tf.boolean_mask(labels, valid), tf.shape(labels, out_type=tf.int64)
    )
    logits = tf.cast(logits, tf.float32)
    unlikely = tf.nn.ctc_loss(
        labels=tf.cast(sparse, tf.int32),
        logits=tf.transpose(logits, [1, 0, 2]),
        label_length=None,
        logit_length=logit_lengths,
        blank_index=BLANK,
    )
    if not smoothing:
        return unlikely
    frames = tf.sequence_mask(logit_lengths, tf.shape(logits)[1], tf.float32)
    uneven = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=2)
    return (1 - smoothing) * unlikely + smoothing * tf.reduce_sum(uneven * frames, axis=1)


def frames_needed(labels: Sequence[int]) -> int:
    """Fewest frames that can hold `labels`: one each, and a blank between equal neighbours."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


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


def align(log_probabilities: np.ndarray, labels: Sequence[int]) -> Path:
    """Viterbi forced alignment: the likeliest path [frames] that collapses to `labels`.

    Time grows with frames × labels. Memory grows with √frames × labels: scores are kept every
    √frames frames, and what lies between is computed again on the way back (checkpoints, as in
    Tarnas & Hughey, 1998).

    Raises:
        TextError: fewer frames than `frames_needed(labels)`.
    """
    frames, needed = len(log_probabilities), frames_needed(labels)
    if frames < needed:
        raise TextError(f"{len(labels)} labels need {needed} frames, the audio has {frames}")
    ids = np.array(labels, int)
    # A label may follow another one without a blank between, unless they are equal.
    skip = np.where(ids[1:] != ids[:-1], 0.0, -np.inf)

    def advance(
        blank: np.ndarray, label: np.ndarray, frame: np.ndarray, came: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Best scores one frame on, of the blanks [labels + 1] around and of the labels.

        `came`, if asked for, gets how many states back each was; states are blank, label, blank, …
        """
        skipped = label[:-1] + skip
        after_blank = np.maximum(label, blank[:-1])
        if came is not None:
            came[2::2] = label > blank[1:]
            came[1::2] = blank[:-1] > label
            came[3::2][skipped > after_blank[1:]] = 2
        blank = blank + frame[BLANK]
        np.maximum(blank[1:], label + frame[BLANK], out=blank[1:])
        np.maximum(after_blank[1:], skipped, out=after_blank[1:])
        return blank, after_blank + frame[ids]

    block = max(1, math.isqrt(frames))
    came = np.zeros([block, 2 * len(ids) + 1], np.int8)
    # Before the first frame is the first blank: from it, itself and the first label are one step.
    score = np.full(len(ids) + 1, -np.inf), np.full(len(ids), -np.inf)
    score[0][0] = 0.0
    kept = []
    for t, frame in enumerate(log_probabilities):
        if t % block == 0:
            kept.append(score)
        score = advance(*score, frame)
    state, total = 2 * len(ids), float(score[0][-1])
    if len(ids) and score[1][-1] > total:
        state, total = state - 1, float(score[1][-1])
    path = np.empty(frames, int)
    while kept:
        first, score = block * (len(kept) - 1), kept.pop()
        ahead = log_probabilities[first : first + block]
        for i, frame in enumerate(ahead):
            score = advance(*score, frame, came[i])
        for i in range(len(ahead) - 1, -1, -1):
            path[first + i] = state
            state -= int(came[i, state])
    # A state is passed once: its frames are a run, found where the path first and last has it.
    wanted = 2 * np.arange(len(ids)) + 1
    starts, ends = np.searchsorted(path, wanted), np.searchsorted(path, wanted, side="right")
    scores = [
        float(log_probabilities[a:b, label].mean())
        for label, a, b in zip(labels, starts, ends, strict=True)
    ]
    return Path(tuple(labels), tuple(starts.tolist()), tuple(ends.tolist()), tuple(scores), total)
