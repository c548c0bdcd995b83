"""Batches of sequences of different length: padding, bucketing by length, prefetching."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from asr.base.tensorflow import tf

BUCKET_BATCHES = 20
"""Batches' worth of shuffled utterances that are sorted by length together."""
BATCH_SECONDS = 240.0
"""Padded audio in one batch at most: one long recording must not decide the memory needed."""


def shuffled_batches(
    durations: Sequence[float] | np.ndarray,
    batch_size: int,
    seed: tuple[int, int],
    most: float = BATCH_SECONDS,
) -> list[np.ndarray]:
    """All indices of `durations` (seconds, or any other measure) in batches: shuffled, yet of like
    length.

    A batch is smaller where it would pad to more than `most` in all.
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
            # Sorted: the next one is the longest, to which all would be padded.
            if i == len(bucket) or full or seconds[bucket[i]] * (i - first + 1) > most:
                batches.append(bucket[first:i])
                first = i
    return [batches[i] for i in rng.permutation(len(batches))]


def prefetched(
    batches: Callable[[], Iterator[dict[str, np.ndarray]]], signature: dict[str, tf.TensorSpec]
) -> tf.data.Dataset:
    """Batches as tf.data that makes the next ones while one is trained on."""
    from asr.base.tensorflow import tf

    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(8)
    # There is nothing to tune here, and the tuner sleeps for up to a minute at a time: the end
    # of every epoch would wait for it to wake up.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def pad(arrays: Sequence[np.ndarray], dtype: type, tail: tuple[int, ...] = ()) -> np.ndarray:
    """Arrays [n, *tail] of different n as one [arrays, largest n, *tail], zero beyond each."""
    padded: np.ndarray = np.zeros([len(arrays), max(len(a) for a in arrays), *tail], dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded
