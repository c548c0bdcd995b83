from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.series.anomalies import Found, detect, inject, judge, rehearse, runs, scores, threshold
from asr.series.forecasting import Forecast, SeriesConfig, calibrated, seasonal_naive

CONFIG = SeriesConfig(train=300, validation=420, season=12, horizon=3, context=12)


def wave(n: int = 600) -> np.ndarray:
    noise = np.random.default_rng(3).normal(0, 0.1, n)
    return 5 + np.sin(2 * np.pi * np.arange(n) / 12) + noise


def certain(values: np.ndarray, origins: np.ndarray) -> Forecast:
    """Foresees 0 with an interval from −1 to 2."""
    zero = np.zeros([len(origins), 3])
    return Forecast(origins, zero - 1, zero, zero + 2)


def last(values: np.ndarray, origins: np.ndarray) -> Forecast:
    """Foresees the last value that is not missing, with an interval of one to each side."""
    kept = [values[: o + 1][~np.isnan(values[: o + 1])][-1] for o in origins]
    median = np.repeat(np.array(kept)[:, None], 3, axis=1)
    return Forecast(origins, median - 1, median, median + 1)


def test_scores_by_hand() -> None:
    values = np.array([9.0, 1, -3, np.nan, 4])
    np.testing.assert_array_equal(scores(certain, values, 1, 5), [0.5, 3, np.nan, 2])


def test_threshold_is_exceeded_by_its_share_of_the_validation_part() -> None:
    values = wave()
    limit = threshold(certain, values, CONFIG, 0.1)
    assert (scores(certain, values, 300, 420) > limit).sum() == 12
    values[420:] = 1e6  # the test part has no say
    assert threshold(certain, values, CONFIG, 0.1) == limit


def test_a_value_with_an_alarm_is_not_believed() -> None:
    values = np.zeros(600)
    values[450] = 9  # would make 451 an alarm, too, were it believed
    values[500:503] = 9
    found, alarms = detect(last, values, CONFIG, 5.0)
    assert runs(alarms) == [(30, 31), (80, 83)]
    assert found[30] == 9 and found[31] == 0 and found[82] == 9 and found[83] == 0


def test_detecting_ahead_is_detecting_step_by_step() -> None:
    values, _ = inject(wave(), CONFIG.validation, 10, 1.5, 5, seed=4)
    method = calibrated(seasonal_naive(CONFIG), wave(), CONFIG)
    _, alarms = detect(method, values, CONFIG, 1.5)
    read, expected = values.copy(), []
    for i in range(CONFIG.validation, len(values)):
        (score,) = scores(method, values, i, i + 1, read)
        expected.append(bool(score > 1.5))
        read[i] = np.nan if score > 1.5 else read[i]
    assert sum(expected) > 10
    assert alarms.tolist() == expected


def test_injected_anomalies_are_found() -> None:
    values = wave()
    method = calibrated(seasonal_naive(CONFIG), values, CONFIG)
    found = rehearse(method, values, CONFIG, size=8, seeds=3)
    assert found.anomalies == found.found_anomalies == 36
    assert found.precision > 0.8
    assert rehearse(method, values, CONFIG, size=0.5, seeds=3).recall < 0.3


def test_injection_keeps_the_rest_and_is_repeated_by_its_seed() -> None:
    values = wave()
    values[460:520] = np.nan
    changed, labels = inject(values, 420, 6, 2.0, 4, seed=7)
    again, _ = inject(values, 420, 6, 2.0, 4, seed=7)
    np.testing.assert_array_equal(changed, again)
    np.testing.assert_allclose(np.abs(changed - values)[labels], 2.0)
    np.testing.assert_array_equal(changed[~labels], values[~labels])
    assert not labels[:420].any() and not labels[460:520].any()
    # One part of six lies in the gap.
    assert 4 <= len(runs(labels)) <= 5 and max(b - a for a, b in runs(labels)) <= 4


def test_judging_by_hand() -> None:
    alarms = np.array([0, 1, 1, 0, 1, 0, 1, 0, 0], bool)
    labels = np.array([0, 0, 1, 1, 1, 0, 0, 0, 1], bool)
    found = judge(alarms, labels)
    assert found == Found(alarms=3, right_alarms=2, anomalies=2, found_anomalies=1)
    assert (found.precision, found.recall) == (pytest.approx(2 / 3), 0.5)
    assert found + found == Found(6, 4, 4, 2)
    nothing = judge(np.zeros(3, bool), np.zeros(3, bool))
    assert math.isnan(nothing.precision) and math.isnan(nothing.recall)


@given(st.lists(st.booleans(), max_size=30))
def test_runs_cover_what_is_marked(marked: list[bool]) -> None:
    found = runs(np.array(marked, bool))
    assert [i for a, b in found for i in range(a, b)] == [i for i, m in enumerate(marked) if m]
    assert all(b < c for (_, b), (c, _) in pairwise(found))
