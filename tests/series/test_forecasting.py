from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.base.config import replace
from asr.errors import ConfigError
from asr.series.forecasting import (
    Forecast,
    Forecaster,
    SeriesConfig,
    calibrated,
    drift,
    evaluate_forecasts,
    filled,
    mase,
    naive,
    origins_of,
    season_error,
    seasonal_naive,
    targets,
)

NAN = np.nan
TINY = SeriesConfig(train=6, validation=9, season=3, horizon=4, context=2)
CONFIG = SeriesConfig(
    train=400,
    validation=560,
    season=12,
    horizon=4,
    context=24,
    cycles=(12.0,),
    units=8,
    epochs=12,
    learning_rate=1e-2,
    dropout=0.0,
    members=1,
)


def wave(n: int = 760, noise: float = 0.3, seed: int = 0) -> np.ndarray:
    """A sine wave plus an autoregressive process."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0, noise, n)
    for i in range(1, n):
        moves[i] += 0.8 * moves[i - 1]
    return 10 + 2 * np.sin(2 * np.pi * np.arange(n) / 12) + moves


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return Forecaster(wave(), CONFIG)


def test_mase_of_a_hand_computed_example() -> None:
    # Values two apart differ by 2, 1 and 3: the scale is 2. Errors of 1, 3 and 2 have the mean 2.
    assert season_error(np.array([1.0, 2, 3, 1, 6]), 2) == 2
    assert mase(np.array([[5.0, 5, 5]]), np.array([[4.0, 8, 3]]), 2.0) == 1
    # Missing values do not count.
    assert season_error(np.array([1.0, NAN, 3, 1, 6]), 2) == 2.5
    assert mase(np.array([[5.0, NAN, 5]]), np.array([[4.0, 8, 3]]), 2.0) == 0.75


def test_seasonal_naive_has_mase_one_on_its_own_scale() -> None:
    values = wave(200)
    config = replace(CONFIG, horizon=12, train=200)
    origins = origins_of(12, 200, 12)[::12]
    wanted = targets(values, origins, 12)
    found = mase(wanted, seasonal_naive(config)(values, origins).median, 1.0)
    assert found == pytest.approx(season_error(values[: origins[-1] + 13], 12))


def test_baselines_of_a_hand_computed_example() -> None:
    values = np.array([1.0, 2, 3, 4, 5, 7, 0, 0, 0])
    origins = np.array([1, 5])
    assert naive(TINY)(values, origins).median.tolist() == [[2] * 4, [7] * 4]
    # At origin 1 the first season is not over: its missing part is the last value.
    assert seasonal_naive(TINY)(values, origins).median.tolist() == [[2, 1, 2, 2], [4, 5, 7, 4]]
    steps = (7 - 1) / 5 * np.arange(1, 5)
    np.testing.assert_allclose(drift(values, TINY)(values, origins).median[1], 7 + steps)


def test_missing_values_are_filled_from_the_past() -> None:
    values = np.array([1.0, NAN, 3, NAN, 5, NAN, NAN])
    assert filled(values, 3).tolist() == [1, 1, 3, 1, 5, 3, 1]
    assert np.isnan(targets(values, np.array([4]), 3)).all()


@given(st.integers(1, 20), st.integers(21, 40), st.integers(1, 12))
def test_forecasts_of_a_part_are_inside_it(start: int, end: int, horizon: int) -> None:
    origins = origins_of(start, end, horizon)
    if len(origins):
        assert origins[0] + 1 == start
        assert origins[-1] + horizon == end - 1


def test_forecasts_do_not_depend_on_later_values(forecaster: Forecaster) -> None:
    values = wave()
    origins = np.arange(600, 620)
    before = forecaster(values, origins)
    changed = values.copy()
    changed[601:] = 1e3
    # The change is after the first origin and before all others.
    after = forecaster(changed, origins)
    np.testing.assert_allclose(after.median[0], before.median[0], rtol=1e-6)
    assert np.abs(after.median[1:] - before.median[1:]).min() > 1
    for method in (naive(CONFIG), seasonal_naive(CONFIG), drift(values, CONFIG)):
        assert (method(changed, origins).median[0] == method(values, origins).median[0]).all()


@pytest.mark.slow
def test_fitting_does_not_use_the_test_part_and_is_deterministic() -> None:
    config = replace(CONFIG, epochs=2, dropout=0.2)
    once, changed = Forecaster(wave(), config), wave()
    changed[CONFIG.validation :] = -50
    again = Forecaster(changed, config)
    assert again.losses == once.losses
    origins = np.arange(500, 520)
    expected = once(wave(), origins)
    np.testing.assert_array_equal(again(wave(), origins).upper, expected.upper)
    other = Forecaster(wave(), replace(config, seed=2, epochs=1))
    assert np.abs(other(wave(), origins).median - expected.median).max() > 1e-3


def test_scales_are_of_the_training_part() -> None:
    values = wave()
    values[CONFIG.train :] *= 100
    once = Forecaster(values, replace(CONFIG, epochs=1))
    assert once.mean == pytest.approx(values[: CONFIG.train].mean())
    assert once.deviation == pytest.approx(values[: CONFIG.train].std())
    base = seasonal_naive(CONFIG)(wave(), origins_of(24, 400, 4))
    wanted = targets(wave(), base.origins, 4)
    np.testing.assert_allclose(once.unit, np.abs(wanted - base.median).mean(axis=0), rtol=1e-5)


def test_the_network_beats_both_baselines_with_the_promised_coverage(
    forecaster: Forecaster,
) -> None:
    values = wave()
    score = evaluate_forecasts(calibrated(forecaster, values, CONFIG), values, CONFIG)
    others = [
        evaluate_forecasts(calibrated(make(CONFIG), values, CONFIG), values, CONFIG)
        for make in (naive, seasonal_naive)
    ]
    assert score.mase < 0.8 * min(other.mase for other in others)
    assert score.width < min(other.width for other in others)
    for found in (score, *others):
        assert 0.7 < found.coverage < 0.9


def test_quantiles_do_not_cross(forecaster: Forecaster) -> None:
    values = wave()
    values[570:590] = NAN
    values[600:605] = [50, -50, 50, -50, 50]
    for method in (forecaster, calibrated(forecaster, values, CONFIG)):
        f = method(values, np.arange(560, 700))
        assert (f.lower <= f.median).all() and (f.median <= f.upper).all()
        assert np.isfinite(f.lower).all() and np.isfinite(f.upper).all()


def test_calibrated_intervals_contain_their_share_of_the_validation_part() -> None:
    values = wave()
    origins = origins_of(CONFIG.train, CONFIG.validation, CONFIG.horizon)
    wanted = targets(values, origins, CONFIG.horizon)
    for raw in (0.0, 100.0):  # too narrow, too wide

        def method(values: np.ndarray, origins: np.ndarray, raw: float = raw) -> Forecast:
            median = naive(CONFIG)(values, origins).median
            return Forecast(origins, median - raw, median, median + raw)

        f = calibrated(method, values, CONFIG)(values, origins)
        inside = ((f.lower <= wanted) & (wanted <= f.upper)).mean(axis=0)
        # An interval ends at a value, so that it may contain one value more than the share.
        assert (inside >= 0.8).all() and (inside < 0.8 + 2.5 / len(origins)).all()


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_every_cell_learns(cell: str) -> None:
    for losses in Forecaster(wave(), replace(CONFIG, cell=cell, epochs=4, members=2)).losses:
        assert len(losses) == 4 and min(losses) < 0.95 * losses[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": 20, "validation": 24}, "context \\+ horizon = 28"),
        ({"train": 559}, "train, validation: 559 and 560"),
        ({"validation": 1000}, "validation: ends at 1000, .* 760"),
    ],
)
def test_parts_that_do_not_fit_the_series_are_errors(change: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Forecaster(wave(), replace(CONFIG, **change))


def test_series_that_cannot_be_forecast_are_errors() -> None:
    start, flat, endless = wave(), wave(), wave()
    start[0], flat[: CONFIG.train], endless[700] = NAN, 3.0, np.inf
    for values, message in ((start, "first value"), (flat, "train: "), (endless, "infinite")):
        with pytest.raises(ConfigError, match=message):
            Forecaster(values, CONFIG)
    with pytest.raises(ConfigError, match=r"season: .* 3 steps"):
        season_error(np.tile([1.0, 2, 3], 5), 3)
    gone = wave()
    gone[CONFIG.train : CONFIG.validation] = NAN
    with pytest.raises(ConfigError, match="validation: "):
        calibrated(naive(CONFIG), gone, CONFIG)
