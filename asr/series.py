"""Time series on `RecurrentStack`: forecasts with intervals, and anomalies by forecast error.

A series is an array [n] of equally spaced values, NaN where one is missing. An origin is the index
of the last value that a forecast may know; the `horizon` values after it are forecast. The network
is fitted on the training part, everything else that data decides is decided on the validation part,
and methods are compared at every origin of the test part behind both (rolling origin without
refitting; Tashman, 2000).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as config_dataclass

from asr.architecture import Cell
from asr.config import STRICT
from asr.errors import ConfigError, TrainingError
from asr.progress import track
from asr.recurrent import RecurrentStack


@config_dataclass(frozen=True, config=STRICT)
class SeriesConfig:
    """What is forecast, and by which network; durations are in steps of the series."""

    train: int = Field(ge=1)
    """Where the training part ends: it is [0, train)."""
    validation: int = Field(ge=1)
    """Where the validation part ends: it is [train, validation), and all behind is for tests."""
    season: int = Field(ge=1)
    """Length of the season that the seasonal-naive forecast repeats and MASE is scaled by."""
    horizon: int = Field(ge=1)
    """How far ahead is forecast."""
    context: int = Field(ge=2)
    """How many values the network reads."""
    base: Literal["naive", "seasonal-naive"] = "seasonal-naive"
    """The forecast whose error the network foresees."""
    cycles: tuple[float, ...] = ()
    """Lengths of the calendar's cycles; the network reads sine and cosine of each."""
    level: bool = True
    """Whether the network reads the value itself, or only how it moved: a price wanders to levels
    that training never saw."""
    coverage: float = Field(default=0.8, gt=0, lt=1)
    """Share of values that an interval is to hold."""
    cell: Cell = "gru"
    units: int = Field(default=32, ge=1)
    layers: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    epochs: int = Field(default=60, ge=1)
    patience: int = Field(default=8, ge=1)
    """Epochs without a lower validation loss after which training stops; the best is kept."""
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    seed: int = 1


@dataclass(frozen=True)
class Forecast:
    """Forecasts from several origins; arrays [origins, horizon] in the series' unit.

    `median[i, k]` is for the value at `origins[i] + 1 + k`.
    """

    origins: np.ndarray
    lower: np.ndarray
    median: np.ndarray
    upper: np.ndarray


Method = Callable[[np.ndarray, np.ndarray], Forecast]
"""(values [n], origins [m]) → forecasts that depend on no value behind their origin."""


@dataclass(frozen=True)
class Score:
    """How good a method's forecasts of the test part are."""

    mase: float
    """Mean absolute error of the medians over `season_error` of the training part."""
    coverage: float
    """Share of values inside their interval."""
    width: float
    """Mean length of the intervals, in MASE's unit."""


@dataclass(frozen=True)
class Detection:
    """Alarms in the test part; arrays are as long as it."""

    scores: np.ndarray
    """Standardised forecast errors; NaN where there is no value."""
    threshold: float
    alarms: np.ndarray
    """Whether the score is above the threshold."""


@dataclass(frozen=True)
class Found:
    """How many anomalies were found. An alarm is a run of steps with alarms, an anomaly a run of
    labelled steps; they match if they share a step."""

    alarms: int
    right_alarms: int
    anomalies: int
    found_anomalies: int

    @property
    def precision(self) -> float:
        return self.right_alarms / self.alarms if self.alarms else 1.0

    @property
    def recall(self) -> float:
        return self.found_anomalies / self.anomalies if self.anomalies else 1.0

    def __add__(self, other: Found) -> Found:
        return Found(
            self.alarms + other.alarms,
            self.right_alarms + other.right_alarms,
            self.anomalies + other.anomalies,
            self.found_anomalies + other.found_anomalies,
        )


def filled(values: np.ndarray, season: int) -> np.ndarray:
    """Each missing value as one season before, or else as the last one: never from the future."""
    result = np.array(values, np.float64)
    for i in np.flatnonzero(np.isnan(result)):
        result[i] = result[i - season] if i >= season else result[i - 1]
    return result


def targets(values: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
    """What is to be forecast [origins, horizon]; NaN where missing or behind the end."""
    padded = np.concatenate([values, np.full(horizon, np.nan)])
    return padded[origins[:, None] + 1 + np.arange(horizon)]


def origins_of(start: int, end: int, horizon: int) -> np.ndarray:
    """All origins whose forecasts lie inside [start, end)."""
    return np.arange(start - 1, end - horizon)


def season_error(values: np.ndarray, season: int) -> float:
    """Mean absolute error of repeating the last season within `values`, one season ahead."""
    return float(np.nanmean(np.abs(values[season:] - values[:-season])))


def mase(wanted: np.ndarray, forecast: np.ndarray, scale: float) -> float:
    """Mean absolute scaled error (Hyndman & Koehler, 2006) over what is not missing.

    Args:
        scale: `season_error` of the training part.
    """
    return float(np.nanmean(np.abs(wanted - forecast)) / scale)


def naive(config: SeriesConfig) -> Method:
    """The last value goes on. Without an interval: see `calibrated`."""

    def method(values: np.ndarray, origins: np.ndarray) -> Forecast:
        last = filled(values, config.season)[origins]
        median = np.repeat(last[:, None], config.horizon, axis=1)
        return Forecast(origins, median, median, median)

    return method


def seasonal_naive(config: SeriesConfig) -> Method:
    """The last season comes again; before one is over, as `naive`. Without an interval."""

    def method(values: np.ndarray, origins: np.ndarray) -> Forecast:
        known = filled(values, config.season)
        before = origins[:, None] + 1 - config.season + np.arange(config.horizon) % config.season
        median = np.where(before >= 0, known[np.maximum(before, 0)], known[origins][:, None])
        return Forecast(origins, median, median, median)

    return method


BASELINES = {"naive": naive, "seasonal-naive": seasonal_naive}


class ForecastNetwork(keras.Model):
    """Past [batch, context, n] → quantiles of what follows [batch, horizon, 3].

    All steps ahead are read off the last state at once, as in MQ-RNN (Wen et al., 2017). Quantiles
    that cross are sorted (Chernozhukov et al., 2010).
    """

    def __init__(self, config: SeriesConfig) -> None:
        super().__init__()
        self.stack = RecurrentStack(
            config.cell, config.units, config.layers, bidirectional=False, dropout=config.dropout
        )
        # From zero: it starts as the forecast that it is to correct.
        self.head = keras.layers.Dense(3 * config.horizon, kernel_initializer="zeros", name="head")
        self.reshape = keras.layers.Reshape((config.horizon, 3))

    def call(self, past: Any, training: bool = False) -> Any:
        state = self.stack(past, training=training)[:, -1]
        read = keras.ops.concatenate([state, past[:, -1]], axis=-1)
        return keras.ops.sort(self.reshape(self.head(read)), axis=-1)


class Forecaster:
    """The recurrent network as a `Method`: it forecasts the error of the baseline `base`.

    Args:
        values: the series [n]; nothing behind the validation part is read.

    Raises:
        ConfigError: the series is too short, does not change, or starts with a missing value.
        TrainingError: the loss became infinite.
    """

    def __init__(self, values: np.ndarray, config: SeriesConfig) -> None:
        _check(values, config)
        self.config = config
        self.base = BASELINES[config.base](config)
        train = values[: config.train]
        self.mean, self.deviation = float(np.nanmean(train)), float(np.nanstd(train))
        origins = origins_of(config.context, config.train, config.horizon)
        left = targets(train, origins, config.horizon) - self.base(train, origins).median
        self.unit = np.nanmean(np.abs(left), axis=0) + 1e-6 * self.deviation
        """Typical error of the baseline at each step ahead."""
        keras.utils.set_random_seed(config.seed)
        self.network = ForecastNetwork(config)
        self.losses = self._fit(values)
        """Validation loss after each epoch."""

    def __call__(self, values: np.ndarray, origins: np.ndarray) -> Forecast:
        quantiles = self.network.predict(self._past(values, origins), batch_size=512, verbose=0)
        base = self.base(values, origins).median
        lower, median, upper = (base + q * self.unit for q in np.moveaxis(quantiles, -1, 0))
        return Forecast(origins, lower, median, upper)

    def _past(self, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """What the network reads: [origins, context, n]."""
        c = self.config
        known = filled(values, c.season)
        at = origins[:, None] - np.arange(c.context)[::-1]
        features = [
            ~np.isnan(values[at]),
            np.diff(known, prepend=known[0])[at] / self.deviation,
            (known[at] - known[origins][:, None]) / self.deviation,
        ]
        if c.base == "seasonal-naive":
            before = np.where(at < c.season, known[at], known[at - c.season])
            features.append((known[at] - before) / self.deviation)
        if c.level:
            features.append((known[at] - self.mean) / self.deviation)
        for cycle in c.cycles:
            features += [np.sin(2 * np.pi * at / cycle), np.cos(2 * np.pi * at / cycle)]
        return np.stack(features, axis=-1).astype(np.float32)

    def _examples(self, values: np.ndarray, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        origins = origins_of(start, end, self.config.horizon)
        left = targets(values, origins, self.config.horizon) - self.base(values, origins).median
        return self._past(values, origins), (left / self.unit).astype(np.float32)

    def _fit(self, values: np.ndarray) -> list[float]:
        c = self.config
        past, left = self._examples(values, c.context, c.train)
        held_out = self._examples(values, c.train, c.validation)
        steps = max(1, len(past) // c.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(c.learning_rate, c.epochs * steps)
        optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1.0)
        self.network.compile(optimizer, loss=pinball(c.coverage))
        rng = np.random.default_rng(c.seed)
        losses: list[float] = []
        best: list[np.ndarray] = []
        for _ in track(range(c.epochs), c.epochs, "fitting"):
            order = rng.permutation(len(past))
            for i in range(steps):
                batch = order[i * c.batch_size : (i + 1) * c.batch_size]
                self.network.train_on_batch(past[batch], left[batch])
            losses.append(float(self.network.test_on_batch(*held_out)))
            if not np.isfinite(losses[-1]):
                raise TrainingError(f"epoch {len(losses)}: infinite loss; lower learning_rate")
            if losses[-1] == min(losses):
                best = self.network.get_weights()
            elif len(losses) - 1 - int(np.argmin(losses)) >= c.patience:
                break
        self.network.set_weights(best)
        return losses


def pinball(coverage: float) -> Callable[[Any, Any], Any]:
    """The loss whose minimum is the quantiles (Koenker & Bassett, 1978) at the median and both ends
    of an interval that holds `coverage`; missing values do not count."""
    tail = (1 - coverage) / 2
    shares = np.array([tail, 0.5, 1 - tail], np.float32)

    def loss(wanted: Any, quantiles: Any) -> Any:
        wanted = wanted[..., None]
        error = keras.ops.where(keras.ops.isnan(wanted), quantiles, wanted) - quantiles
        return keras.ops.mean(keras.ops.maximum(shares * error, (shares - 1) * error))

    return loss


def calibrated(method: Method, values: np.ndarray, config: SeriesConfig) -> Method:
    """`method` with intervals moved out, or in, until they hold `coverage` of the validation part
    at each step ahead (conformalised quantile regression: Romano et al., 2019)."""
    origins = origins_of(config.train, config.validation, config.horizon)
    wanted = targets(values, origins, config.horizon)
    found = method(values, origins)
    outside = np.maximum(found.lower - wanted, wanted - found.upper)
    margin = np.nanquantile(outside, config.coverage, axis=0, method="higher")

    def widened(values: np.ndarray, origins: np.ndarray) -> Forecast:
        f = method(values, origins)
        lower, upper = np.minimum(f.lower - margin, f.median), np.maximum(f.upper + margin, f.median)
        return Forecast(origins, lower, f.median, upper)

    return widened


def methods(values: np.ndarray, config: SeriesConfig) -> dict[str, Method]:
    """The baselines and the fitted network, by name, all calibrated.

    Raises:
        ConfigError, TrainingError: as `Forecaster`.
    """
    network = Forecaster(values, config)
    found = {**{name: make(config) for name, make in BASELINES.items()}, config.cell: network}
    return {name: calibrated(method, values, config) for name, method in found.items()}


def evaluate(method: Method, values: np.ndarray, config: SeriesConfig) -> Score:
    """Score over all origins whose forecasts lie in the test part."""
    origins = origins_of(config.validation, len(values), config.horizon)
    wanted, found = targets(values, origins, config.horizon), method(values, origins)
    scale = season_error(values[: config.train], config.season)
    inside = ((found.lower <= wanted) & (wanted <= found.upper))[~np.isnan(wanted)]
    width = float(np.mean(found.upper - found.lower)) / scale
    return Score(mase(wanted, found.median, scale), float(inside.mean()), width)


def anomaly_scores(
    method: Method, values: np.ndarray, start: int, end: int, horizon: int
) -> np.ndarray:
    """Forecast errors [end − start] in lengths of the interval's side on which they lie.

    Each value is judged by the forecasts of the last `horizon` origins before it, of which the
    median counts: a single bad value spoils the forecasts that start at it, but not the others.
    """
    origins = np.arange(start - horizon, end - 1)
    f, wanted = method(values, origins), targets(values[:end], origins, horizon)
    side = np.where(wanted > f.median, f.upper - f.median, f.median - f.lower)
    error = np.abs(wanted - f.median) / np.maximum(side, 1e-9)
    rows = np.arange(start, end)[:, None] - start + horizon - 1 - np.arange(horizon)
    judged = error[rows, np.arange(horizon)]
    scores = np.full(end - start, np.nan)
    known = ~np.isnan(values[start:end])
    scores[known] = np.median(judged[known], axis=1)
    return scores


def detect(
    method: Method, values: np.ndarray, config: SeriesConfig, false_alarms: float = 0.01
) -> Detection:
    """Alarms in the test part, above the score that a share of `false_alarms` of the validation
    part has, where nothing is wrong or what is wrong is missing."""
    h = config.horizon
    usual = anomaly_scores(method, values, config.train, config.validation, h)
    threshold = float(np.nanquantile(usual, 1 - false_alarms))
    scores = anomaly_scores(method, values, config.validation, len(values), h)
    return Detection(scores, threshold, np.nan_to_num(scores) > threshold)


def runs(marked: np.ndarray) -> list[tuple[int, int]]:
    """First and behind-last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def found(alarms: np.ndarray, labels: np.ndarray) -> Found:
    """How well alarms [n] meet labels [n]."""
    raised, true = runs(alarms), runs(labels)
    return Found(
        len(raised), sum(bool(labels[a:b].any()) for a, b in raised),
        len(true), sum(bool(alarms[a:b].any()) for a, b in true),
    )  # fmt: skip


def inject(
    values: np.ndarray, start: int, count: int, size: tuple[float, float], longest: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A copy with `count` anomalies behind `start`, and where they are [n].

    Each has a part of the series for itself, lasts 1 to `longest` steps, and adds a constant of
    random sign whose absolute value lies in `size`.
    """
    rng = np.random.default_rng(seed)
    changed, labels = values.copy(), np.zeros(len(values), bool)
    edges = np.linspace(start, len(values), count + 1).astype(int)
    for a, b in zip(edges[:-1], edges[1:], strict=True):
        at, length = rng.integers(a, max(a + 1, b - longest)), rng.integers(1, longest + 1)
        changed[at : at + length] += rng.choice([-1, 1]) * rng.uniform(*size)
        labels[at : at + length] = True
    return changed, labels & ~np.isnan(values)


def _check(values: np.ndarray, config: SeriesConfig) -> None:
    c = config
    if not c.context + c.horizon <= c.train <= c.validation - c.horizon:
        raise ConfigError(
            f"train, validation: {c.train} and {c.validation} leave no room; training needs "
            f"context + horizon = {c.context + c.horizon} values, validation horizon = {c.horizon}"
        )
    if len(values) < c.validation:
        raise ConfigError(f"validation: ends at {c.validation}, the series at {len(values)}")
    if not np.isfinite(values[0]) or np.isinf(values).any():
        raise ConfigError("the series: the first value is missing, or a value is infinite")
    if not np.nanstd(values[: c.train]) > 0:
        raise ConfigError("train: all values of the training part are the same")
