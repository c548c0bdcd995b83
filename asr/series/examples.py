"""Three real series that PyPI packages hold, and how each is forecast.

They need `pip install 'asr[notebooks]'`, and no network. The settings were chosen on the validation
parts, which also stopped the training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asr.errors import ConfigError
from asr.series.forecasting import SeriesConfig


@dataclass(frozen=True)
class Example:
    """A series, and what is known to be wrong with it."""

    title: str
    unit: str
    step: str
    """What lies between two values."""
    values: np.ndarray
    """[n] with what is in `labels`."""
    labels: np.ndarray
    """Whether each value belongs to a known anomaly [n]."""
    config: SeriesConfig

    @property
    def usual(self) -> np.ndarray:
        """The values without known anomalies and what is `MARGIN` steps around them."""
        wide = np.convolve(self.labels, np.ones(2 * MARGIN + 1), mode="same") > 0.5
        return np.where(wide, np.nan, self.values)

    @property
    def watched(self) -> np.ndarray:
        """As `usual`, but with everything that the test part holds."""
        end = self.config.validation
        return np.concatenate([self.usual[:end], self.values[end:]])


MARGIN = 6


def weather() -> Example:
    """Daily highest temperature in Seattle, 2012 to 2015 (NOAA; package vega_datasets)."""
    try:
        from vega_datasets import data
    except ImportError:
        raise _missing("vega_datasets") from None
    values = data.seattle_weather()["temp_max"].to_numpy(np.float64)
    config = SeriesConfig(
        train=731, validation=1096, season=365, horizon=7, context=30, base="naive",
        cycles=(365.25,),
    )  # fmt: skip
    nothing = np.zeros(len(values), bool)
    title = "highest temperature of the day, Seattle"
    return Example(title, "°C", "day", values, nothing, config)


def water_flow() -> Example:
    """Hourly flow through a branch of a water main in Italy, spring 2022 (Tecnojest s.r.l.; package
    river). Its description counts four anomalies: three outages, and a peak while pumping."""
    try:
        from river.datasets import WaterFlow
    except ImportError:
        raise _missing("river") from None
    rows = list(WaterFlow())
    start = rows[0][0]["Time"]
    hours = [round((row["Time"] - start).total_seconds() / 3600) for row, _ in rows]
    values = np.full(hours[-1] + 1, np.nan)
    values[hours] = [flow for _, flow in rows]
    # The description says no times. Between these bounds lies all that is not one of the four.
    known = np.nan_to_num(values, nan=100.0)
    config = SeriesConfig(
        train=600, validation=828, season=24, horizon=24, context=26, cycles=(24.0,), level=False,
        units=16, dropout=0.3, members=5,  # chosen by benchmarks/forecast_folds.py
    )  # fmt: skip
    labels = (known < 95) | (known > 108)
    return Example("flow through a water main", "l/s", "hour", values, labels, config)


def stocks() -> Example:
    """Logarithm of an index of ten large US stocks in equal parts, trading days from February 2013
    to February 2018 (package river)."""
    try:
        from river.datasets import SP500Stocks
    except ImportError:
        raise _missing("river") from None
    returns = np.array([list(row.values()) for row, _ in SP500Stocks()], np.float64)
    values = np.cumsum(np.log1p(returns.mean(axis=1) / 100))
    config = SeriesConfig(
        train=756, validation=1006, season=5, horizon=5, context=20, base="naive", level=False
    )
    nothing = np.zeros(len(values), bool)
    title = "index of ten large US stocks"
    return Example(title, "logarithm", "trading day", values, nothing, config)


EXAMPLES = {"weather": weather, "water": water_flow, "stocks": stocks}


def _missing(package: str) -> ConfigError:
    return ConfigError(f"{package} is not installed: pip install 'asr[notebooks]'")
