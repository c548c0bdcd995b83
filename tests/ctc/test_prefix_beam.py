from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr import ctc
from asr.ctc.prefix_beam import beam_search
from asr.text.tokenizers import BLANK


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(label for label, _ in itertools.groupby(path) if label != BLANK)


def logs(frames: int, labels: int, seed: int, spread: float = 2.0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, spread, [frames, labels])
    return ctc.log_softmax(values)


def everything(log_probabilities: np.ndarray) -> dict[tuple[int, ...], float]:
    """Log-probability of every label sequence, over all alignments."""
    totals: dict[tuple[int, ...], float] = {}
    frames, labels = log_probabilities.shape
    for path in itertools.product(range(labels), repeat=frames):
        value = float(log_probabilities[np.arange(frames), path].sum())
        key = collapse(path)
        totals[key] = np.logaddexp(totals.get(key, -np.inf), value)
    return totals


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(0, 1 << 30))
def test_an_unpruned_beam_search_sums_all_alignments(frames: int, seed: int) -> None:
    log_probabilities = logs(frames, 3, seed)
    expected = everything(log_probabilities)
    found = beam_search(log_probabilities, 10_000, -math.inf, math.inf)
    assert {h.labels for h in found} == set(expected)
    for h in found:
        assert h.score == h.acoustic == pytest.approx(expected[h.labels], abs=1e-9)
    assert sum(math.exp(h.score) for h in found) == pytest.approx(1)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


@settings(max_examples=8)
@given(st.integers(0, 1 << 30))
def test_a_wider_beam_never_lowers_the_best(seed: int) -> None:
    log_probabilities = logs(12, 5, seed)
    scores = [beam_search(log_probabilities, n, -math.inf, math.inf)[0].score for n in (2, 4000)]
    assert scores[1] >= scores[0] - 1e-9


@settings(max_examples=20)
@given(st.integers(0, 1 << 30))
def test_a_wide_beam_finds_what_brute_force_finds(seed: int) -> None:
    """Narrow beams may miss the best; what they say of what they find is never too much."""
    log_probabilities = logs(6, 3, seed)
    exact = everything(log_probabilities)
    for beam in (1, 2, 4, 8):
        for h in beam_search(log_probabilities, beam, -math.inf, math.inf):
            assert h.score <= exact[h.labels] + 1e-9
    best = beam_search(log_probabilities, 1000, -math.inf, math.inf)[0]
    assert best.score == pytest.approx(max(exact.values()))


def test_pruning_changes_only_improbable_hypotheses() -> None:
    log_probabilities = logs(40, 8, 3, spread=4.0)
    full = beam_search(log_probabilities, 64, -math.inf, math.inf)[0]
    pruned = beam_search(log_probabilities, 64)[0]
    assert pruned.labels == full.labels
    assert pruned.score == pytest.approx(full.score, abs=0.05)
    # A frame that is sure of nothing still extends by its best label.
    flat = ctc.log_softmax(np.zeros([1, 5]))
    assert len(beam_search(flat, token_min=0.0)) == 2


def test_long_recordings_do_not_underflow() -> None:
    log_probabilities = logs(3000, 4, 5)
    found = beam_search(log_probabilities, 4)[0]
    assert -3000 * math.log(4) < found.score < -1000
    # More than the best path's alone, and not more than all paths'.
    assert ctc.greedy(log_probabilities).score - 50 < found.score < 0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=15))
def test_beam_and_greedy_agree_on_confident_emissions(best: list[int]) -> None:
    logits = np.zeros([len(best), 4])
    logits[np.arange(len(best)), best] = 20
    found = beam_search(ctc.log_softmax(logits), beam=1)
    assert found[0].labels == ctc.greedy(logits).labels


class OnlyLabel:
    """A scorer that likes one label."""

    def __init__(self, label: int) -> None:
        self.label = label

    def start(self) -> int:
        return 0

    def extend(self, state: int, label: int) -> tuple[tuple[float, int]]:
        return (((3.0 if label == self.label else -3.0), state + 1),)

    def finish(self, state: int) -> float:
        return -0.5 * state


@settings(max_examples=25)
@given(st.integers(0, 1 << 30), st.integers(1, 2))
def test_scores_of_the_scorer_are_added(seed: int, liked: int) -> None:
    log_probabilities = logs(5, 3, seed)
    expected = {
        labels: value + sum(3.0 if c == liked else -3.0 for c in labels) - 0.5 * len(labels)
        for labels, value in everything(log_probabilities).items()
    }
    found = beam_search(log_probabilities, 10_000, -math.inf, math.inf, OnlyLabel(liked))
    assert found[0].labels == max(expected, key=lambda k: expected[k])
    for h in found:
        assert h.score == pytest.approx(expected[h.labels])


class Whole:
    """A scorer that lets only sequences end that are a whole number of pairs of labels."""

    def start(self) -> int:
        return 0

    def extend(self, state: int, label: int) -> tuple[tuple[float, int]]:
        return (((-math.inf if label == 3 else 0.0), state + 1),)

    def finish(self, state: int) -> float:
        return 0.0 if state % 2 == 0 else -math.inf


def test_prefixes_with_infinite_penalty_are_never_returned() -> None:
    sure = np.zeros([6, 4])
    sure[np.arange(6), [1, 0, 3, 0, 2, 0]] = 6
    found = beam_search(ctc.log_softmax(sure), scorer=Whole())
    assert found[0].labels == (1, 2)
    assert all(len(h.labels) % 2 == 0 and 3 not in h.labels for h in found)
    # Where no prefix of the beam may end, its longest part that may.
    odd = np.zeros([2, 4])
    odd[np.arange(2), [1, 0]] = 30
    (only,) = beam_search(ctc.log_softmax(odd), beam=1, scorer=Whole())
    assert only.labels == () and only.score > -1
