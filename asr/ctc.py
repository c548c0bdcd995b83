"""Connectionist temporal classification (Graves et al., 2006): loss and greedy decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

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
        InvalidArgumentError: a logit length beyond the logits, or fewer frames than
            `frames_needed(labels)`: no alignment exists.
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
    """

    labels: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    scores: tuple[float, ...]
    score: float


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
