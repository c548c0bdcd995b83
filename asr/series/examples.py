"""Three real time series from PyPI packages, with the settings of their forecasts.

They need the extra `notebooks` (`asr.base.extras`), but no network. The settings were chosen on the
validation parts, which also stop the training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asr.base.extras import install_extra
from asr.errors import ConfigError
from asr.series.forecasting import SeriesConfig


@dataclass(frozen=True)
class ExampleSeries:
    """A series with its known anomalies.

    Attributes:
        title: what the values measure.
        unit: unit of the values.
        step: time between two values.
        values: the series, float [n], with its anomalies.
        labels: whether each value belongs to a known anomaly, bool [n].
        config: the parts of the series and the settings of its forecast.
    """

    title: str
    unit: str
    step: str
    values: np.ndarray
    labels: np.ndarray
    config: SeriesConfig

    @property
    def usual(self) -> np.ndarray:
        """The values, with NaN for known anomalies and for `MARGIN` steps before and after them."""
        wide = np.convolve(self.labels, np.ones(2 * MARGIN + 1), mode="same") > 0.5
        return np.where(wide, np.nan, self.values)

    @property
    def watched(self) -> np.ndarray:
        """The series of `usual`, with all values of the test part."""
        end = self.config.validation
        return np.concatenate([self.usual[:end], self.values[end:]])


MARGIN = 6
"""Steps around an anomaly that `ExampleSeries.usual` leaves out."""


def weather() -> ExampleSeries:
    """Highest temperature of each day in Seattle, 2012–2015 (NOAA; package vega_datasets)."""
    try:
        from vega_datasets import data
    except ImportError:
        raise _missing("vega_datasets") from None
    values = data.seattle_weather()["temp_max"].to_numpy(np.float64)
    config = SeriesConfig(
        train=731,
        validation=1096,
        season=365,
        horizon=7,
        context=30,
        base="naive",
        cycles=(365.25,),
    )
    no_anomalies = np.zeros(len(values), bool)
    title = "highest temperature of the day, Seattle"
    return ExampleSeries(title, "°C", "day", values, no_anomalies, config)


def water_flow() -> ExampleSeries:
    """Hourly flow through a water main in Italy, spring 2022 (Tecnojest s.r.l.; package river).

    Its description names four anomalies: three outages, and a peak while pumping.
    """
    try:
        from river.datasets import WaterFlow
    except ImportError:
        raise _missing("river") from None
    rows = list(WaterFlow())
    start = rows[0][0]["Time"]
    hours = [round((row["Time"] - start).total_seconds() / 3600) for row, _ in rows]
    values = np.full(hours[-1] + 1, np.nan)
    values[hours] = [flow for _, flow in rows]
    # The description has no times. All values outside these bounds belong to the four anomalies.
    known = np.nan_to_num(values, nan=100.0)
    config = SeriesConfig(
        train=600,
        validation=828,
        season=24,
        horizon=24,
        context=26,
        cycles=(24.0,),
        level=False,
        # Chosen by benchmarks/forecast_folds.py:
        units=16,
        dropout=0.3,
        members=5,
    )
    labels = (known < 95) | (known > 108)
    return ExampleSeries("flow through a water main", "l/s", "hour", values, labels, config)


def stocks() -> ExampleSeries:
    """Logarithm of an equally weighted index of ten large US stocks, by trading day.

    From February 2013 to February 2018 (package river).
    """
    try:
        from river.datasets import SP500Stocks
    except ImportError:
        raise _missing("river") from None
    returns = np.array([list(row.values()) for row, _ in SP500Stocks()], np.float64)
    values = np.cumsum(np.log1p(returns.mean(axis=1) / 100))
    config = SeriesConfig(
        train=756, validation=1006, season=5, horizon=5, context=20, base="naive", level=False
    )
    no_anomalies = np.zeros(len(values), bool)
    title = "index of ten large US stocks"
    return ExampleSeries(title, "logarithm", "trading day", values, no_anomalies, config)


EXAMPLES = {"weather": weather, "water": water_flow, "stocks": stocks}
"""Functions that load the series, by short name."""


def _missing(package: str) -> ConfigError:
    return ConfigError(f"{package} is not installed: {install_extra('notebooks')}")
