from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.base.batching import BUCKET_BATCHES, map_by_length, pad, shuffled_batches


@given(
    durations=st.lists(st.floats(0.1, 300), min_size=1, max_size=200),
    batch_size=st.integers(1, 16),
)
def test_batches_hold_each_index_once_within_the_limits(
    durations: list[float], batch_size: int
) -> None:
    batches = shuffled_batches(durations, batch_size, (1, 0))
    assert sorted(np.concatenate(batches)) == list(range(len(durations)))
    for batch in batches:
        assert len(batch) <= batch_size
        padded = len(batch) * max(durations[i] for i in batch)
        assert len(batch) == 1 or padded <= 240


def test_utterances_of_a_batch_have_similar_lengths() -> None:
    durations = np.random.default_rng(0).uniform(1, 10, 4 * BUCKET_BATCHES)
    for batch in shuffled_batches(durations, 4, (1, 0)):
        assert np.ptp(durations[batch]) < 2


def test_the_order_depends_on_seed_and_epoch() -> None:
    first, again, other_seed, next_epoch = (
        np.concatenate(shuffled_batches(range(1, 101), 4, seed)).tolist()
        for seed in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    assert first == again
    assert first != other_seed and first != next_epoch


def test_pad_fills_with_zeros_to_the_longest() -> None:
    padded = pad([np.array([1, 2, 3]), np.array([4])], np.int32)
    np.testing.assert_array_equal(padded, [[1, 2, 3], [4, 0, 0]])
    assert padded.dtype == np.int32
    assert pad([np.ones([2, 5]), np.ones([7, 5])], np.float32, (5,)).shape == (2, 7, 5)
    with pytest.raises(ValueError):
        pad([], np.int32)


@given(words=st.lists(st.text("ab", max_size=9), max_size=40), batch_size=st.integers(1, 8))
def test_results_of_batches_of_similar_lengths_are_in_the_order_of_the_items(
    words: list[str], batch_size: int
) -> None:
    batches: list[list[str]] = []

    def upper(batch: list[str]) -> list[str]:
        batches.append(batch)
        return [word.upper() for word in batch]

    assert map_by_length(words, len, batch_size, upper) == [word.upper() for word in words]
    assert all(len(batch) <= batch_size for batch in batches)
    lengths = [len(word) for batch in batches for word in batch]
    assert lengths == sorted(lengths) and len(batches) == -(-len(words) // batch_size)
