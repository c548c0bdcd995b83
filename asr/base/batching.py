"""Batches of sequences of different lengths: padding, bucketing by length, prefetching."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from asr.errors import AsrError

if TYPE_CHECKING:
    from asr.base.tensorflow import tf

P = TypeVar("P")
T = TypeVar("T")
BUCKET_BATCHES = 20
"""Batches in a bucket, whose utterances are sorted by length."""
BATCH_SECONDS = 240.0
"""Longest audio of a batch, padding included.

Without a limit one long recording would decide how much memory is needed.
"""

_errors: list[AsrError] = []
"""What the generators of pipelines have raised, for `pipeline_errors`."""


def shuffled_batches(
    durations: Sequence[float] | np.ndarray,
    batch_size: int,
    seed: tuple[int, ...],
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


def map_by_length(
    items: Sequence[P],
    length: Callable[[P], int],
    batch_size: int,
    results_of: Callable[[list[P]], Iterable[T]],
) -> list[T]:
    """Compute a result for each item, in batches of similar lengths, which need little padding.

    Args:
        items: the items.
        length: length of an item, in any unit.
        batch_size: most items in a batch.
        results_of: computes the results of a batch, in its order.

    Returns:
        The results in the order of the items.
    """
    order = sorted(range(len(items)), key=lambda i: length(items[i]))
    results: dict[int, T] = {}
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        results.update(zip(batch, results_of([items[i] for i in batch]), strict=True))
    return [results[i] for i in range(len(items))]


def prefetched(
    batches: Callable[[], Iterator[dict[str, np.ndarray]]], signature: dict[str, tf.TensorSpec]
) -> tf.data.Dataset:
    """A tf.data pipeline that prepares the next eight batches during a training step.

    Args:
        batches: returns an iterator over the batches.
        signature: shape and type of each array of a batch.
    """
    from asr.base.tensorflow import tf

    def remembered() -> Iterator[dict[str, np.ndarray]]:
        try:
            yield from batches()
        except AsrError as error:
            _errors.append(error)
            raise

    dataset = tf.data.Dataset.from_generator(remembered, output_signature=signature).prefetch(8)
    # The autotuner has nothing to tune here. It sleeps for up to a minute at a time, and the end of
    # every epoch would wait for it.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def read_ahead(
    parts: Sequence[P], load: Callable[[P, Event], T]
) -> Generator[tuple[P, T], None, None]:
    """Load each part in a thread while the part before is in use, so that two are in memory.

    Args:
        parts: what to load.
        load: loads a part. It should return early if its second argument is set: nobody waits for
            the part any more.

    Yields:
        Each part and what `load` returned for it.
    """
    stopped = Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            coming = [pool.submit(load, part, stopped) for part in parts[:1]]
            for number, part in enumerate(parts, 1):
                loaded = coming.pop().result()
                coming = [pool.submit(load, later, stopped) for later in parts[number : number + 1]]
                yield part, loaded
                del loaded
        finally:
            stopped.set()


@contextmanager
def pipeline_errors() -> Iterator[None]:
    """Raise the `AsrError` of a `prefetched` pipeline as it is.

    TensorFlow raises an error of its own, with the text of the first one and its traceback.
    """
    from asr.base.tensorflow import tf

    _errors.clear()
    try:
        yield
    except tf.errors.OpError:
        if _errors:
            raise _errors.pop() from None
        raise


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
