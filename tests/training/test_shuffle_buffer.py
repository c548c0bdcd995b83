from __future__ import annotations

import numpy as np

from asr.training.shuffle_buffer import shuffle_buffers

SHARDS = [np.arange(start, start + 100) for start in range(0, 2000, 100)]
DURATIONS = np.ones(2100)


def test_each_utterance_is_in_one_buffer_of_bounded_length() -> None:
    buffers = shuffle_buffers(SHARDS, np.arange(2000, 2100), DURATIONS, 300.0, (1, 0))
    assert sorted(np.concatenate(buffers).tolist()) == list(range(2100))
    # 2,000 s of shards in buffers of 300 s; the others are spread evenly.
    assert [sum(i < 2000 for i in b) for b in buffers] == [299, 300, 300, 300, 300, 501]
    assert all(16 <= sum(i >= 2000 for i in b) <= 17 for b in buffers)


def test_shards_are_read_in_order_eight_at_a_time() -> None:
    buffers = shuffle_buffers(SHARDS, np.zeros(0, int), DURATIONS, 300.0, (1, 0))
    order = np.concatenate(buffers)
    for shard in SHARDS:
        assert order[np.isin(order, shard)].tolist() == shard.tolist()
    assert len({i // 100 for i in order[:800]}) == 8 and len({i // 100 for i in buffers[0]}) == 8
    again = np.concatenate(shuffle_buffers(SHARDS, np.zeros(0, int), DURATIONS, 300.0, (1, 0)))
    other = np.concatenate(shuffle_buffers(SHARDS, np.zeros(0, int), DURATIONS, 300.0, (1, 1)))
    assert order.tolist() == again.tolist() != other.tolist()


def test_a_pack_smaller_than_the_buffer_is_shuffled_as_a_whole() -> None:
    (only,) = shuffle_buffers(SHARDS, np.zeros(0, int), DURATIONS, 1e6, (1, 0))
    assert len(only) == 2000
    (rest,) = shuffle_buffers([], np.arange(5), DURATIONS, 300.0, (1, 0))
    assert sorted(rest.tolist()) == [0, 1, 2, 3, 4]
