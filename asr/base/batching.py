"""Batches of sequences of different lengths: padding, bucketing by length, prefetching."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from asr.base.tensorflow import tf

BUCKET_BATCHES = 20
"""Batches in a bucket, whose utterances are sorted by length."""
BATCH_SECONDS = 240.0
"""Longest audio of a batch, padding included.

Without a limit one long recording would decide how much memory is needed.
"""


def shuffled_batches(
    durations: Sequence[float] | np.ndarray,
    batch_size: int,
    seed: tuple[int, int],
    max_padded: float = BATCH_SECONDS,
) -> list[np.ndarray]:
    """Shuffle utterances into batches of similar length.

    Args:
        durations: length of each utterance, in seconds or any other unit.
        batch_size: most utterances in a batch.
        seed: seed of the order, such as (seed of the training, epoch).
        max_padded: limit of (utterances × longest) in a batch, in the unit of `durations`; default
            240. An utterance beyond the limit has a batch of its own.

    Returns:
        Indices into `durations`, one array per batch; each index occurs once.
    """
    rng = np.random.default_rng(seed)
    order, seconds = rng.permutation(len(durations)), np.array(durations)
    batches: list[np.ndarray] = []
    for start in range(0, len(order), batch_size * BUCKET_BATCHES):
        bucket = order[start : start + batch_size * BUCKET_BATCHES]
        bucket = bucket[np.argsort(seconds[bucket], kind="stable")]
        first = 0
        for i in range(1, len(bucket) + 1):
            full = i - first == batch_size
            # The bucket is sorted, so all others would be padded to the length of utterance i.
            if i == len(bucket) or full or seconds[bucket[i]] * (i - first + 1) > max_padded:
                batches.append(bucket[first:i])
                first = i
    return [batches[i] for i in rng.permutation(len(batches))]


def prefetched(
    batches: Callable[[], Iterator[dict[str, np.ndarray]]], signature: dict[str, tf.TensorSpec]
) -> tf.data.Dataset:
    """A tf.data pipeline that prepares the next eight batches during a training step.

    Args:
        batches: returns an iterator over the batches.
        signature: shape and type of each array of a batch.
    """
    from asr.base.tensorflow import tf

    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(8)
    # The autotuner has nothing to tune here. It sleeps for up to a minute at a time, and the end of
    # every epoch would wait for it.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def pad(
    arrays: Sequence[np.ndarray], dtype: type, trailing_shape: tuple[int, ...] = ()
) -> np.ndarray:
    """Pad arrays with zeros to the length of the longest.

    Args:
        arrays: one or more arrays [n, *trailing_shape], each with its own n.
        dtype: type of the result.
        trailing_shape: default: none, for arrays [n].

    Returns:
        [arrays, largest n, *trailing_shape].
    """
    longest = max(len(array) for array in arrays)
    padded: np.ndarray = np.zeros([len(arrays), longest, *trailing_shape], dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded
