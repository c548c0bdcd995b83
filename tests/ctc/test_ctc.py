from __future__ import annotations

import itertools
import tracemalloc
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from asr import ctc
from asr.ctc import forced_alignment
from asr.errors import TextError
from asr.text.tokenizers import BLANK


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(label for label, _ in itertools.groupby(path) if label != BLANK)


def brute_force(logits: np.ndarray, labels: tuple[int, ...]) -> float:
    """−log of the summed probability of every alignment of `labels`."""
    probabilities = np.exp(ctc.log_softmax(logits.astype(np.float64)))
    total = sum(
        np.prod(probabilities[np.arange(len(path)), path])
        for path in itertools.product(range(logits.shape[1]), repeat=len(logits))
        if collapse(path) == labels
    )
    return float(-np.log(total)) if total else float("inf")


def loss(logits: list[np.ndarray], labels: list[tuple[int, ...]], padding: int = 0) -> np.ndarray:
    frames, units = max(map(len, logits)) + padding, max(map(len, labels)) + padding
    padded = np.full([len(logits), frames, logits[0].shape[1]], 9.0, np.float32)
    targets = np.full([len(labels), units], 2, np.int32)
    for i, (row, label) in enumerate(zip(logits, labels, strict=True)):
        padded[i, : len(row)] = row
        targets[i, : len(label)] = label
    lengths = np.array([len(row) for row in logits], np.int32)
    label_lengths = np.array([len(label) for label in labels], np.int32)
    return ctc.loss(tf.constant(padded), lengths, tf.constant(targets), label_lengths).numpy()


@settings(max_examples=25)
@given(
    st.integers(1, 5), st.lists(st.integers(1, 2), min_size=1, max_size=3), st.integers(0, 1 << 30)
)
def test_loss_sums_all_alignments(frames: int, labels: list[int], seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 2, [frames, 3]).astype(np.float32)
    expected = brute_force(logits, tuple(labels))
    if len(labels) > frames:
        with pytest.raises(tf.errors.InvalidArgumentError):
            loss([logits], [tuple(labels)])
        return
    found = loss([logits], [tuple(labels)])[0]
    if ctc.frames_needed(labels) > frames:
        assert expected == found == np.inf
    else:
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_loss_does_not_depend_on_neighbours_or_padding() -> None:
    rng = np.random.default_rng(1)
    logits = [rng.normal(size=[n, 5]).astype(np.float32) for n in (9, 4, 7)]
    labels: list[tuple[int, ...]] = [(1, 1, 3), (2,), (4, 3)]
    alone = [loss([x], [y])[0] for x, y in zip(logits, labels, strict=True)]
    np.testing.assert_allclose(loss(logits, labels, padding=6), alone, atol=1e-5)


def test_loss_of_half_precision_logits_is_single_precision() -> None:
    logits = np.random.default_rng(2).normal(size=[1, 6, 4]).astype(np.float16)
    found = ctc.loss(tf.constant(logits), [6], tf.constant([[1, 2]]), [2])
    assert found.dtype == tf.float32


def test_a_length_beyond_the_logits_is_an_error() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="beyond the logits"):
        ctc.loss(tf.zeros([1, 3, 4]), [4], tf.constant([[1]]), [1])


@given(st.lists(st.integers(1, 3), max_size=8))
def test_frames_needed_is_the_length_of_the_shortest_path(labels: list[int]) -> None:
    path: list[int] = []
    for label in labels:
        path += [BLANK, label] if path and path[-1] == label else [label]
    assert ctc.frames_needed(labels) == len(path)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(0, 1 << 30))
def test_greedy_collapses_the_best_path(best: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.uniform(0, 1, [len(best), 4])
    logits[np.arange(len(best)), best] += 2
    path = ctc.greedy(logits)
    assert path.labels == collapse(tuple(best))
    logs = ctc.log_softmax(logits)
    assert path.score == pytest.approx(logs.max(axis=1).sum())
    for label, start, end, score in zip(
        path.labels, path.starts, path.ends, path.scores, strict=True
    ):
        assert best[start:end] == [label] * (end - start)
        assert start == 0 or best[start - 1] != label
        assert end == len(best) or best[end] != label
        assert score == pytest.approx(logs[start:end, label].mean())


def test_greedy_without_frames_is_empty() -> None:
    assert ctc.greedy(np.zeros([0, 4])) == ctc.Path((), (), (), (), 0.0)


def logs(frames: int, labels: int, seed: int) -> np.ndarray:
    return ctc.log_softmax(np.random.default_rng(seed).normal(0, 2, [frames, labels]))


@settings(max_examples=40)
@given(st.integers(1, 6), st.lists(st.integers(1, 2), max_size=3), st.integers(0, 1 << 30))
def test_alignment_is_the_best_of_all_paths(frames: int, labels: list[int], seed: int) -> None:
    log_probabilities = logs(frames, 3, seed)
    if ctc.frames_needed(labels) > frames:
        with pytest.raises(TextError, match=rf"{frames}"):
            ctc.align(log_probabilities, labels)
        return
    paths = [p for p in itertools.product(range(3), repeat=frames) if collapse(p) == tuple(labels)]
    scores = [float(log_probabilities[np.arange(frames), p].sum()) for p in paths]
    best = paths[int(np.argmax(scores))]
    for kept_steps in (forced_alignment.KEPT_STEPS, 0):  # at once, and divided
        with mock.patch.object(forced_alignment, "KEPT_STEPS", kept_steps):
            found = ctc.align(log_probabilities, labels)
        assert found.score == pytest.approx(max(scores))
        assert found.labels == tuple(labels)
        for label, start, end in zip(found.labels, found.starts, found.ends, strict=True):
            assert best[start:end] == (label,) * (end - start)
        assert all(a <= b for a, b in zip(found.ends, found.starts[1:], strict=False))


def test_memory_of_an_alignment_does_not_grow_with_frames_times_labels() -> None:
    log_probabilities = logs(3000, 4, 0).astype(np.float32)
    labels = np.random.default_rng(0).integers(1, 4, 900).tolist()
    whole = ctc.align(log_probabilities, labels)
    tracemalloc.start()
    with mock.patch.object(forced_alignment, "KEPT_STEPS", 10_000):
        divided = ctc.align(log_probabilities, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert divided == whole
    assert peak < 500_000 < 3000 * 1801 / 10


def test_smoothing_adds_the_cross_entropy_with_the_uniform_distribution() -> None:
    rng = np.random.default_rng(0)
    logits = tf.constant(rng.normal(size=(2, 5, 4)), tf.float32)
    lengths, labels = tf.constant([5, 3]), tf.constant([[1, 2], [3, 0]])
    label_lengths = tf.constant([2, 1])
    unsmoothed = ctc.loss(logits, lengths, labels, label_lengths).numpy()
    smooth = ctc.loss(logits, lengths, labels, label_lengths, smoothing=0.1).numpy()
    log_probabilities = ctc.log_softmax(logits.numpy())
    cross_entropy = [-log_probabilities[i, :n].mean(axis=1).sum() for i, n in enumerate((5, 3))]
    np.testing.assert_allclose(smooth, 0.9 * unsmoothed + 0.1 * np.array(cross_entropy), rtol=1e-5)
    even = ctc.loss(tf.zeros([1, 5, 4]), [5], [[1]], [1], smoothing=0.5).numpy()
    assert even == pytest.approx(
        0.5 * ctc.loss(tf.zeros([1, 5, 4]), [5], [[1]], [1]).numpy() + 0.5 * 5 * np.log(4)
    )
