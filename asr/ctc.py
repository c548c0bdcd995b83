"""Connectionist temporal classification (Graves et al., 2006): loss, decoding, alignment."""

from __future__ import annotations

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
    logits: tf.Tensor, logit_lengths: tf.Tensor, labels: tf.Tensor, label_lengths: tf.Tensor
) -> tf.Tensor:
    """Negative log-likelihood in nats of each utterance's labels: float32 [batch].

    Args:
        logits: float [batch, frames, labels]; cast to float32 (half precision is wrong here).
        logit_lengths: int32 [batch], true frame counts; frames beyond are not read.
        labels: int32 [batch, units], padded with anything behind `label_lengths`.
        label_lengths: int32 [batch].

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
    return tf.nn.ctc_loss(
        labels=tf.cast(sparse, tf.int32),
        logits=tf.transpose(tf.cast(logits, tf.float32), [1, 0, 2]),
        label_length=None,
        logit_length=logit_lengths,
        blank_index=BLANK,
    )


def frames_needed(labels: Sequence[int]) -> int:
    """Fewest frames that can hold `labels`: one each, and a blank between equal neighbours."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


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
    others: tuple[tuple[tuple[int, ...], float], ...] = ()


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


def align(log_probabilities: np.ndarray, labels: Sequence[int]) -> Path:
    """Viterbi forced alignment: the likeliest path [frames] that collapses to `labels`.

    Raises:
        TextError: fewer frames than `frames_needed(labels)`.
    """
    frames, needed = len(log_probabilities), frames_needed(labels)
    if frames < needed:
        raise TextError(f"{len(labels)} labels need {needed} frames, the audio has {frames}")
    # States: blank, label, blank, label, …, blank.
    states = np.full(2 * len(labels) + 1, BLANK)
    states[1::2] = labels
    may_skip = np.zeros(len(states), bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    score = np.full(len(states), -np.inf)
    score[0] = 0.0
    came = np.zeros([frames, len(states)], np.int8)
    for t, frame in enumerate(log_probabilities):
        if t == 0:
            score[1:2] = 0.0
        else:
            step = np.concatenate([[-np.inf], score[:-1]])
            skip = np.concatenate([[-np.inf, -np.inf], score[:-2]])[: len(states)]
            choices = np.stack([score, step, np.where(may_skip, skip, -np.inf)])
            came[t] = choices.argmax(axis=0)
            score = choices.max(axis=0)
        score = score + frame[states]
    state = len(states) - 1
    if len(labels) and score[-2] > score[-1]:
        state -= 1
    total = float(score[state])
    path = np.empty(frames, int)
    for t in range(frames - 1, -1, -1):
        path[t] = state
        state -= int(came[t, state])
    starts, ends, scores = [], [], []
    for i in range(len(labels)):
        inside = np.flatnonzero(path == 2 * i + 1)
        starts.append(int(inside[0]))
        ends.append(int(inside[-1]) + 1)
        scores.append(float(log_probabilities[inside, labels[i]].mean()))
    return Path(tuple(labels), tuple(starts), tuple(ends), tuple(scores), total)
