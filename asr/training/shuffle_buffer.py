"""`shuffle_buffers`: an order that reads shards from start to end and still mixes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asr.base.units import Seconds

SHARDS_AT_ONCE = 8
"""Shards that are read in turn, so that a buffer has utterances of all of them."""


def shuffle_buffers(
    shards: Sequence[np.ndarray],
    others: np.ndarray,
    durations: np.ndarray,
    buffer_seconds: Seconds,
    seed: tuple[int, ...],
) -> list[np.ndarray]:
    """Divide utterances into buffers, whose utterances are shuffled when they are in memory.

    The shards come in random order, eight at a time. Each is read from start to end, and the next
    utterance is from any of the eight.

    Args:
        shards: indices of each shard's utterances, in the order of the file.
        others: indices of utterances that are in memory anyway; all buffers get their part.
        durations: seconds of each index.
        buffer_seconds: a buffer ends when it has this much speech of the shards.
        seed: seed of the order, such as (seed of the training, epoch).

    Returns:
        The indices of each buffer. Each index occurs once.
    """
    rng = np.random.default_rng([*seed, 4])
    order = [shards[i] for i in rng.permutation(len(shards))]
    groups = [
        _interleave(order[i : i + SHARDS_AT_ONCE], rng)
        for i in range(0, len(order), SHARDS_AT_ONCE)
    ]
    if not groups:
        return [rng.permutation(others)]
    read = np.concatenate(groups)
    ends = np.cumsum(durations[read])
    numbers = np.minimum(ends // buffer_seconds, max(ends[-1] // buffer_seconds - 1, 0))
    buffers = [read[numbers == number] for number in range(int(numbers[-1]) + 1)]
    mixed = np.array_split(rng.permutation(others), len(buffers))
    joined = [np.concatenate(pair) for pair in zip(buffers, mixed, strict=True)]
    return [buffer for buffer in joined if len(buffer)]


def _interleave(sequences: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Merge sequences at random. Each keeps its order."""
    labels = np.repeat(np.arange(len(sequences)), [len(s) for s in sequences])
    merged = np.empty(len(labels), np.int64)
    # A stable sort of shuffled labels gives the places of each sequence in order.
    merged[np.argsort(rng.permutation(labels), kind="stable")] = np.concatenate(sequences)
    return merged
