"""Time series on `RecurrentStack`: forecasts with intervals, measured against naive ones.

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

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as config_dataclass

from asr.base.config import STRICT
from asr.base.progress import track
from asr.base.tensorflow import keras, tf
from asr.errors import ConfigError, TrainingError
from asr.networks.acoustic_config import Cell
from asr.networks.recurrent import RecurrentStack


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
    members: int = Field(default=3, ge=1)
    """Networks that differ in their first weights; their quantiles are averaged. Short series
    decide little, so that one network alone may be far off where it has not been."""
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


Examples = tuple[tuple[np.ndarray, np.ndarray], np.ndarray]
"""What a network reads, and what it is to forecast."""


@dataclass(frozen=True)
class Score:
    """How good a method's forecasts of the test part are."""

    mase: float
    """Mean absolute error of the medians over `season_error` of the training part."""
    coverage: float
    """Share of values inside their interval."""
    width: float
    """Mean length of the intervals, in MASE's unit."""


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
    """Mean absolute difference of values one season apart.

    Raises:
        ConfigError: there are none, or all are the same.
    """
    error = np.abs(values[season:] - values[:-season])
    if not np.nansum(error) > 0:
        raise ConfigError(f"season: no two values {season} steps apart differ: nothing to scale by")
    return float(np.nanmean(error))


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


def drift(values: np.ndarray, config: SeriesConfig) -> Method:
    """The last value goes on by the mean step of the training part: what a random walk with a trend
    is best forecast by. Without an interval."""
    train = filled(values[: config.train], config.season)
    slope = (train[-1] - train[0]) / (len(train) - 1)

    def method(values: np.ndarray, origins: np.ndarray) -> Forecast:
        median = naive(config)(values, origins).median + slope * np.arange(1, config.horizon + 1)
        return Forecast(origins, median, median, median)

    return method


BASELINES: dict[str, Callable[[SeriesConfig], Method]] = {
    "naive": naive,
    "seasonal-naive": seasonal_naive,
}


class ForecastNetwork(keras.Model):
    """Past [batch, context, n] and how far one baseline lies from the other [batch, horizon] →
    quantiles of what the baseline leaves over [batch, horizon, 3].

    All steps ahead are read off the last state at once, as in MQ-RNN (Wen et al., 2017); each has a
    weight for the other baseline. Quantiles that cross are sorted (Chernozhukov et al., 2010).
    """

    def __init__(self, config: SeriesConfig) -> None:
        super().__init__()
        self.stack = RecurrentStack(
            config.cell, config.units, config.layers, bidirectional=False, dropout=config.dropout
        )
        # From zero: training starts at the baseline.
        self.head = keras.layers.Dense(3 * config.horizon, kernel_initializer="zeros", name="head")
        self.reshape = keras.layers.Reshape((config.horizon, 3))
        self.other = self.add_weight(shape=(config.horizon, 1), initializer="zeros", name="other")

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> Any:
        past, other = inputs
        state = self.stack(past, training=training)[:, -1]
        read = keras.ops.concatenate([state, past[:, -1]], axis=-1)
        quantiles = self.reshape(self.head(read)) + self.other * other[:, :, None]
        return keras.ops.sort(quantiles, axis=-1)


class Forecaster:
    """The recurrent network as a `Method`: it foresees the error of the baseline `base`.

    Several networks are averaged (Lakshminarayanan et al., 2017).

    Args:
        values: the series [n]; nothing behind the validation part is read.

    Raises:
        ConfigError: the series is too short, does not change, or starts with a missing value.
        TrainingError: the loss is not finite.
    """

    def __init__(self, values: np.ndarray, config: SeriesConfig) -> None:
        _check(values, config)
        self.config = config
        train = values[: config.train]
        self.mean, self.deviation = float(np.nanmean(train)), float(np.nanstd(train))
        origins = origins_of(config.context, config.train, config.horizon)
        base, _ = self._baselines(train, origins)
        left = np.abs(targets(train, origins, config.horizon) - base)
        self.unit = np.nanmean(left, axis=0) + 1e-6 * self.deviation
        """Mean absolute error of the baseline at each step ahead [horizon]."""
        keras.utils.set_random_seed(config.seed)
        rng = np.random.default_rng(config.seed)
        fitted = self._examples(values, config.context, config.train)
        held_out = self._examples(values, config.train, config.validation)
        self.networks = [ForecastNetwork(config) for _ in range(config.members)]
        self.losses = [
            _fit(network, fitted, held_out, config, rng)
            for network in track(self.networks, config.members, "fitting")
        ]
        """Validation loss of each network after each epoch."""
        shapes = [tf.TensorSpec([None, *x.shape[1:]]) for x in fitted[0]]
        self._mean = tf.function(
            lambda *inputs: keras.ops.mean([network(inputs) for network in self.networks], axis=0),
            input_signature=shapes,
        )

    def __call__(self, values: np.ndarray, origins: np.ndarray) -> Forecast:
        pieces = np.array_split(origins, len(origins) // 1024 + 1)
        left = np.concatenate([self._mean(*self._inputs(values, piece)) for piece in pieces])
        base, _ = self._baselines(values, origins)
        lower, median, upper = (base + self.unit * q for q in np.moveaxis(left, -1, 0))
        return Forecast(origins, lower, median, upper)

    def _baselines(self, values: np.ndarray, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The forecasts of `base` and of the other one, each [origins, horizon]."""
        makers = [BASELINES[self.config.base], *BASELINES.values()]
        base, *both = [make(self.config)(values, origins).median for make in makers]
        return base, both[0] + both[1] - base

    def _inputs(self, values: np.ndarray, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the network reads: [origins, context, n] and [origins, horizon]."""
        c = self.config
        known = filled(values, c.season)
        at = origins[:, None] - np.arange(c.context)[::-1]
        moves = [np.diff(known, prepend=known[0])[at], known[at] - known[origins][:, None]]
        if c.base == "seasonal-naive":
            moves.append(known[at] - np.where(at < c.season, known[at], known[at - c.season]))
        if c.level:
            moves.append(known[at] - self.mean)
        calendar = [f(2 * np.pi * at / cycle) for cycle in c.cycles for f in (np.sin, np.cos)]
        features = [~np.isnan(values[at]), *(move / self.deviation for move in moves), *calendar]
        base, other = self._baselines(values, origins)
        past = np.stack(features, axis=-1).astype(np.float32)
        return past, ((other - base) / self.unit).astype(np.float32)

    def _examples(self, values: np.ndarray, start: int, end: int) -> Examples:
        """Of all origins whose forecasts lie inside [start, end)."""
        origins = origins_of(start, end, self.config.horizon)
        left = targets(values, origins, self.config.horizon) - self._baselines(values, origins)[0]
        return self._inputs(values, origins), (left / self.unit).astype(np.float32)


def _fit(
    network: ForecastNetwork, train: Examples, held_out: Examples, c: SeriesConfig,
    rng: np.random.Generator,
) -> list[float]:  # fmt: skip
    """Fit until `held_out` gets no better → its loss after each epoch."""
    (past, other), left = train
    steps = max(1, len(left) // c.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(c.learning_rate, c.epochs * steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1.0)
    network.compile(optimizer, loss=pinball(c.coverage))
    losses: list[float] = []
    best: list[np.ndarray] = []
    for _ in range(c.epochs):
        order = rng.permutation(len(left))
        for i in range(steps):
            batch = order[i * c.batch_size : (i + 1) * c.batch_size]
            network.train_on_batch((past[batch], other[batch]), left[batch])
        losses.append(float(network.test_on_batch(*held_out)))
        if not np.isfinite(losses[-1]):
            raise TrainingError(f"epoch {len(losses)}: the loss is not finite; lower learning_rate")
        if losses[-1] == min(losses):
            best = network.get_weights()
        elif len(losses) - 1 - int(np.argmin(losses)) >= c.patience:
            break
    network.set_weights(best)
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
    wanted = targets(values[: config.validation], origins, config.horizon)
    if np.isnan(wanted).all(axis=0).any():
        raise ConfigError("validation: all values are missing at some step ahead; move its end")
    f = method(values, origins)
    outside = np.maximum(f.lower - wanted, wanted - f.upper)
    share = min(1.0, config.coverage * (1 + 1 / len(origins)))
    margin = np.nanquantile(outside, share, axis=0, method="higher")

    def widened(values: np.ndarray, origins: np.ndarray) -> Forecast:
        f = method(values, origins)
        lower = np.minimum(f.lower - margin, f.median)
        return Forecast(origins, lower, f.median, np.maximum(f.upper + margin, f.median))

    return widened


def methods(values: np.ndarray, config: SeriesConfig) -> dict[str, Method]:
    """The baselines and the fitted network, by name, all calibrated.

    Raises:
        ConfigError, TrainingError: as `Forecaster`.
    """
    found = {name: make(config) for name, make in BASELINES.items()}
    found["drift"] = drift(values, config)
    found[config.cell] = Forecaster(values, config)
    return {name: calibrated(method, values, config) for name, method in found.items()}


def evaluate(method: Method, values: np.ndarray, config: SeriesConfig) -> Score:
    """Score over all origins whose forecasts lie in the test part."""
    origins = origins_of(config.validation, len(values), config.horizon)
    wanted, found = targets(values, origins, config.horizon), method(values, origins)
    scale = season_error(values[: config.train], config.season)
    inside = ((found.lower <= wanted) & (wanted <= found.upper))[~np.isnan(wanted)]
    width = float(np.mean(found.upper - found.lower)) / scale
    return Score(mase(wanted, found.median, scale), float(inside.mean()), width)


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
