"""Forecasts of time series with intervals: a recurrent network, and naive methods to compare with.

A series is an array [n] of equally spaced values, with NaN for missing ones. An origin is the index
of the last value that a forecast may use. The forecast is of the `horizon` values after it.

The network is fitted on the training part of a series. Early stopping and the width of intervals
use the validation part. Methods are compared at every origin of the test part, without refitting
(rolling origin evaluation, Tashman, 2000).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

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
    """The parts of a series, and the settings of its forecast. Lengths are in steps."""

    train: int = Field(ge=1)
    """End of the training part, [0, train)."""
    validation: int = Field(ge=1)
    """End of the validation part, [train, validation). The rest is the test part."""
    season: int = Field(ge=1)
    """Length of the season, for the seasonal-naive forecast and for the scale of MASE."""
    horizon: int = Field(ge=1)
    """Number of values to forecast."""
    context: int = Field(ge=2)
    """Number of values that the network reads."""
    base: Literal["naive", "seasonal-naive"] = "seasonal-naive"
    """Baseline whose error the network predicts: naive or seasonal-naive. Default:
    seasonal-naive."""
    cycles: tuple[float, ...] = ()
    """Lengths of calendar cycles; the network reads the sine and cosine of each. Default: none."""
    level: bool = True
    """Whether the network reads the values themselves, or only their changes. False suits prices,
    which reach levels that the training part does not have. Default: True."""
    coverage: float = Field(default=0.8, gt=0, lt=1)
    """Share of values that an interval should contain. Default: 0.8."""
    cell: Cell = "gru"
    """Recurrent cell: rnn, lstm or gru. Default: gru."""
    units: int = Field(default=32, ge=1)
    """Units per layer. Default: 32."""
    layers: int = Field(default=1, ge=1)
    """Recurrent layers. Default: 1."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Fraction of activations that training drops. Default: 0.1."""
    members: int = Field(default=3, ge=1)
    """Networks with different initial weights, whose quantiles are averaged. On a short series one
    network alone may be far off outside the training data. Default: 3."""
    epochs: int = Field(default=60, ge=1)
    """Largest number of epochs. Default: 60."""
    patience: int = Field(default=8, ge=1)
    """Stop after this many epochs without a lower validation loss; the best epoch is kept.
    Default: 8."""
    batch_size: int = Field(default=32, ge=1)
    """Origins per batch. Default: 32."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Initial learning rate of AdamW. Default: 0.003."""
    seed: int = 1
    """Seed of initial weights, order of batches and dropout. Default: 1."""


@dataclass(frozen=True)
class Forecast:
    """Forecasts from several origins.

    Attributes:
        origins: int [origins].
        lower, median, upper: interval ends and median, float [origins, horizon], in the unit of
            the series. `median[i, k]` is for the value at `origins[i] + 1 + k`.
    """

    origins: np.ndarray
    lower: np.ndarray
    median: np.ndarray
    upper: np.ndarray


Method = Callable[[np.ndarray, np.ndarray], Forecast]
"""(values [n], origins [m]) → forecasts, which do not depend on values after their origins."""


class Examples(NamedTuple):
    """Inputs and targets of the network for several origins."""

    inputs: tuple[np.ndarray, np.ndarray]
    targets: np.ndarray


@dataclass(frozen=True)
class Score:
    """Quality of a method's forecasts of the test part.

    Attributes:
        mase: mean absolute error of the medians, divided by `season_error` of the training part.
        coverage: share of values inside their interval.
        width: mean length of the intervals, divided by the same.
    """

    mase: float
    coverage: float
    width: float


def filled(values: np.ndarray, season: int) -> np.ndarray:
    """Replace each missing value by the value one season before, or by the previous value."""
    result = np.array(values, np.float64)
    for i in np.flatnonzero(np.isnan(result)):
        result[i] = result[i - season] if i >= season else result[i - 1]
    return result


def targets(values: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
    """The values to forecast, [origins, horizon]; NaN where missing or after the end."""
    padded = np.concatenate([values, np.full(horizon, np.nan)])
    return padded[origins[:, None] + 1 + np.arange(horizon)]


def origins_of(start: int, end: int, horizon: int) -> np.ndarray:
    """All origins whose forecasts are inside [start, end)."""
    return np.arange(start - 1, end - horizon)


def season_error(values: np.ndarray, season: int) -> float:
    """Mean absolute difference of values one season apart.

    Raises:
        ConfigError: no two values one season apart differ.
    """
    error = np.abs(values[season:] - values[:-season])
    if not np.nansum(error) > 0:
        raise ConfigError(f"season: no two values {season} steps apart differ")
    return float(np.nanmean(error))


def mase(actual: np.ndarray, forecast: np.ndarray, scale: float) -> float:
    """Mean absolute scaled error (Hyndman & Koehler, 2006), without missing values.

    Args:
        actual: the true values.
        forecast: the forecasts, of the same shape.
        scale: `season_error` of the training part.
    """
    return float(np.nanmean(np.abs(actual - forecast)) / scale)


def naive(config: SeriesConfig) -> Method:
    """Forecast the last value. The interval is empty; `calibrated` widens it."""

    def method(values: np.ndarray, origins: np.ndarray) -> Forecast:
        last = filled(values, config.season)[origins]
        median = np.repeat(last[:, None], config.horizon, axis=1)
        return Forecast(origins, median, median, median)

    return method


def seasonal_naive(config: SeriesConfig) -> Method:
    """Forecast the last season, or the last value before the first season is over.

    The interval is empty; `calibrated` widens it.
    """

    def method(values: np.ndarray, origins: np.ndarray) -> Forecast:
        known = filled(values, config.season)
        before = origins[:, None] + 1 - config.season + np.arange(config.horizon) % config.season
        median = np.where(before >= 0, known[np.maximum(before, 0)], known[origins][:, None])
        return Forecast(origins, median, median, median)

    return method


def drift(values: np.ndarray, config: SeriesConfig) -> Method:
    """Forecast the last value plus the mean change per step of the training part.

    This is the best forecast of a random walk with a trend. The interval is empty; `calibrated`
    widens it.
    """
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
"""Methods whose error the network can predict, by the value of `SeriesConfig.base`."""


class ForecastNetwork(keras.Model):
    """Predicts quantiles of the error of a baseline.

    One dense layer gives all steps of the horizon from the last state, as in MQ-RNN (Wen et al.,
    2017). For each step a weight adds a part of the difference between the two baselines. Quantiles
    that cross are sorted (Chernozhukov et al., 2010).

    Its inputs are the past, [batch, context, features], and the difference of the baselines,
    [batch, horizon]. Its output is [batch, horizon, 3].
    """

    def __init__(self, config: SeriesConfig) -> None:
        super().__init__()
        self.stack = RecurrentStack(
            config.cell, config.units, config.layers, bidirectional=False, dropout=config.dropout
        )
        # With weights of zero, training starts at the baseline.
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
    """The recurrent network as a `Method`: a baseline plus its predicted error.

    The quantiles of several networks are averaged (Lakshminarayanan et al., 2017).

    Args:
        values: the series, [n]; values after the validation part are not used.
        config: the parts of the series and the settings.

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
        """Mean absolute error of the baseline at each step of the horizon, [horizon]."""
        keras.utils.set_random_seed(config.seed)
        rng = np.random.default_rng(config.seed)
        fitted = self._examples(values, config.context, config.train)
        held_out = self._examples(values, config.train, config.validation)
        self.networks = [ForecastNetwork(config) for _ in range(config.members)]
        self.losses = [
            _fit(network, fitted, held_out, config, rng)
            for network in track(self.networks, config.members, "fitting")
        ]
        """Validation losses of each network, by epoch."""
        shapes = [tf.TensorSpec([None, *x.shape[1:]]) for x in fitted.inputs]
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
        """Forecasts of the baseline `base` and of the other one, each [origins, horizon]."""
        makers = [BASELINES[self.config.base], *BASELINES.values()]
        base, *both = [make(self.config)(values, origins).median for make in makers]
        return base, both[0] + both[1] - base

    def _inputs(self, values: np.ndarray, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inputs of the network: [origins, context, features] and [origins, horizon]."""
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
        """Inputs and targets for all origins whose forecasts are inside [start, end)."""
        origins = origins_of(start, end, self.config.horizon)
        left = targets(values, origins, self.config.horizon) - self._baselines(values, origins)[0]
        return Examples(self._inputs(values, origins), (left / self.unit).astype(np.float32))


def _fit(
    network: ForecastNetwork,
    train: Examples,
    held_out: Examples,
    c: SeriesConfig,
    rng: np.random.Generator,
) -> list[float]:
    """Fit with early stopping on `held_out`.

    Returns:
        Its loss after each epoch.
    """
    past, other = train.inputs
    left = train.targets
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
    """The quantile loss (Koenker & Bassett, 1978), without missing values.

    Its minimum is the median and both ends of an interval that contains the share `coverage`.
    """
    tail = (1 - coverage) / 2
    shares = np.array([tail, 0.5, 1 - tail], np.float32)

    def loss(actual: Any, quantiles: Any) -> Any:
        actual = actual[..., None]
        error = keras.ops.where(keras.ops.isnan(actual), quantiles, actual) - quantiles
        return keras.ops.mean(keras.ops.maximum(shares * error, (shares - 1) * error))

    return loss


def calibrated(method: Method, values: np.ndarray, config: SeriesConfig) -> Method:
    """A method with its intervals widened or narrowed to contain `config.coverage`.

    At each step of the horizon the intervals then contain this share of the validation part
    (conformalised quantile regression, Romano et al., 2019).

    Raises:
        ConfigError: the validation part has only missing values at some step of the horizon.
    """
    origins = origins_of(config.train, config.validation, config.horizon)
    actual = targets(values[: config.validation], origins, config.horizon)
    if np.isnan(actual).all(axis=0).any():
        raise ConfigError(
            "validation: all values at some step of the horizon are missing; move its end"
        )
    f = method(values, origins)
    outside = np.maximum(f.lower - actual, actual - f.upper)
    share = min(1.0, config.coverage * (1 + 1 / len(origins)))
    margin = np.nanquantile(outside, share, axis=0, method="higher")

    def widened(values: np.ndarray, origins: np.ndarray) -> Forecast:
        f = method(values, origins)
        lower = np.minimum(f.lower - margin, f.median)
        return Forecast(origins, lower, f.median, np.maximum(f.upper + margin, f.median))

    return widened


def methods(values: np.ndarray, config: SeriesConfig) -> dict[str, Method]:
    """Fit the network, and calibrate it and the baselines.

    Returns:
        The methods by name; the network has the name of its cell.

    Raises:
        ConfigError, TrainingError: see `Forecaster`.
    """
    found = {name: make(config) for name, make in BASELINES.items()}
    found["drift"] = drift(values, config)
    found[config.cell] = Forecaster(values, config)
    return {name: calibrated(method, values, config) for name, method in found.items()}


def evaluate_forecasts(method: Method, values: np.ndarray, config: SeriesConfig) -> Score:
    """Score a method over all origins whose forecasts are in the test part."""
    origins = origins_of(config.validation, len(values), config.horizon)
    actual, found = targets(values, origins, config.horizon), method(values, origins)
    scale = season_error(values[: config.train], config.season)
    inside = ((found.lower <= actual) & (actual <= found.upper))[~np.isnan(actual)]
    width = float(np.mean(found.upper - found.lower)) / scale
    return Score(mase(actual, found.median, scale), float(inside.mean()), width)


def _check(values: np.ndarray, config: SeriesConfig) -> None:
    c = config
    if not c.context + c.horizon <= c.train <= c.validation - c.horizon:
        raise ConfigError(
            f"train, validation: {c.train} and {c.validation} are too short; training needs "
            f"context + horizon = {c.context + c.horizon} values, validation {c.horizon}"
        )
    if len(values) < c.validation:
        raise ConfigError(
            f"validation: ends at {c.validation}, after the series, which has {len(values)} values"
        )
    if not np.isfinite(values[0]) or np.isinf(values).any():
        raise ConfigError("the series: the first value is missing, or a value is infinite")
    if not np.nanstd(values[: c.train]) > 0:
        raise ConfigError("train: all values of the training part are equal")
