"""Anomaly detection: values of a time series that are far outside their forecast intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from asr.series.forecasting import Method, SeriesConfig, season_error

BLOCK_STEPS = 48
"""Steps that `detect` scores at once. After an alarm, the steps behind it are scored again."""


@dataclass(frozen=True)
class DetectionCounts:
    """Numbers of alarms and anomalies.

    An alarm is a run of consecutive steps with alarms, an anomaly a run of consecutive labelled
    steps. They match if they share a step.

    Attributes:
        alarms: all alarms.
        correct_alarms: alarms that match an anomaly.
        anomalies: all anomalies.
        found_anomalies: anomalies that match an alarm.
    """

    alarms: int
    correct_alarms: int
    anomalies: int
    found_anomalies: int

    @property
    def precision(self) -> float:
        """Share of alarms that are correct; NaN without alarms."""
        return self.correct_alarms / self.alarms if self.alarms else math.nan

    @property
    def recall(self) -> float:
        """Share of anomalies that are found; NaN without anomalies."""
        return self.found_anomalies / self.anomalies if self.anomalies else math.nan

    def __add__(self, other: DetectionCounts) -> DetectionCounts:
        return DetectionCounts(
            self.alarms + other.alarms,
            self.correct_alarms + other.correct_alarms,
            self.anomalies + other.anomalies,
            self.found_anomalies + other.found_anomalies,
        )


def scores(
    method: Method, values: np.ndarray, start: int, end: int, read: np.ndarray | None = None
) -> np.ndarray:
    """Anomaly scores: errors of one-step forecasts, relative to the forecast interval.

    A score of 1 is a value at the end of its interval.

    Args:
        method: the forecast method.
        values: the series, [n].
        start, end: range of the scored values; `end` is exclusive.
        read: series that the forecasts are made from; default: `values`.

    Returns:
        Scores [end − start]; NaN for missing values.
    """
    f = method(values if read is None else read, np.arange(start - 1, end - 1))
    lower, median, upper = f.lower[:, 0], f.median[:, 0], f.upper[:, 0]
    actual = values[start:end]
    side = np.where(actual > median, upper - median, median - lower)
    return np.abs(actual - median) / np.maximum(side, 1e-9)


def threshold(
    method: Method, values: np.ndarray, config: SeriesConfig, false_alarms: float = 0.002
) -> float:
    """The score that a given share of the validation part exceeds.

    The validation part must not contain anomalies; mark them as missing (NaN).

    Args:
        method: the forecast method.
        values: the series, [n].
        config: the parts of the series.
        false_alarms: the share; default: 0.002.
    """
    normal = scores(method, values, config.train, config.validation)
    return float(np.nanquantile(normal, 1 - false_alarms))


def detect(
    method: Method, values: np.ndarray, config: SeriesConfig, limit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and alarms of the test part.

    A step has an alarm if its score is above the limit. Later forecasts treat a value with an alarm
    as missing. Otherwise the next forecasts would expect the anomaly to continue, and to repeat a
    season later. A permanent change therefore gives alarms for as long as it lasts.

    Args:
        method: the forecast method.
        values: the series, [n].
        config: the parts of the series.
        limit: see `threshold`.

    Returns:
        Scores, float [n − config.validation], and alarms, bool, of the same length.
    """
    read, found = values.copy(), np.full(len(values), np.nan)
    alarms = np.zeros(len(values), bool)
    start = config.validation
    while start < len(values):
        end = min(start + BLOCK_STEPS, len(values))
        block = scores(method, values, start, end, read)
        first = np.flatnonzero(np.nan_to_num(block) > limit)[:1]
        if first.size:
            end = start + int(first[0]) + 1
            alarms[end - 1], read[end - 1] = True, np.nan
        found[start:end] = block[: end - start]
        start = end
    return found[config.validation :], alarms[config.validation :]


def rehearse(
    method: Method, values: np.ndarray, config: SeriesConfig, size: float, seeds: int = 5
) -> DetectionCounts:
    """Count detections of synthetic anomalies in the test part, summed over several seeds.

    `inject` adds 12 anomalies of at most 6 steps for each seed.

    Args:
        method: the forecast method.
        values: a series without anomalies, [n].
        config: the parts of the series.
        size: size of the anomalies, as a multiple of `season_error`.
        seeds: number of seeds; default: 5.
    """
    offset = size * season_error(values[: config.train], config.season)
    limit, total = threshold(method, values, config), DetectionCounts(0, 0, 0, 0)
    for seed in range(seeds):
        changed, labels = inject(values, config.validation, 12, offset, 6, seed)
        _, alarms = detect(method, changed, config, limit)
        total += judge(alarms, labels[config.validation :])
    return total


def runs(marked: np.ndarray) -> list[tuple[int, int]]:
    """First index, and index after the last, of each run of consecutive True values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def judge(alarms: np.ndarray, labels: np.ndarray) -> DetectionCounts:
    """Compare alarms, bool [n], with labels, bool [n]."""
    raised, true = runs(alarms), runs(labels)
    return DetectionCounts(
        alarms=len(raised),
        correct_alarms=sum(bool(labels[a:b].any()) for a, b in raised),
        anomalies=len(true),
        found_anomalies=sum(bool(alarms[a:b].any()) for a, b in true),
    )


def inject(
    values: np.ndarray, start: int, count: int, size: float, longest: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add synthetic anomalies to a copy of a series.

    The series from `start` on is divided into `count` parts. Each part gets one anomaly, unless
    missing values leave no room. An anomaly adds or subtracts `size` for 1 to `longest` steps.

    Args:
        values: the series, [n].
        start: first step that may change.
        count: number of anomalies.
        size: their size, in the unit of the series.
        longest: their largest length, in steps.
        seed: seed of places, lengths and signs.

    Returns:
        The changed series, and labels of the changed steps, bool [n].
    """
    rng = np.random.default_rng(seed)
    changed, labels = values.copy(), np.zeros(len(values), bool)
    edges = np.linspace(start, len(values), count + 1).astype(int)
    for a, b in pairwise(edges):
        length, offset = rng.integers(1, longest + 1), rng.choice([-size, size])
        starts = range(a, b - length + 1)
        places = [i for i in starts if not np.isnan(values[i : i + length]).any()]
        if places:
            at = rng.choice(places)
            changed[at : at + length] += offset
            labels[at : at + length] = True
    return changed, labels


def trials(
    method: Method, usual: np.ndarray, watched: np.ndarray, labels: np.ndarray, config: SeriesConfig
) -> dict[str, DetectionCounts]:
    """Count detections of the known anomalies, and of synthetic ones of three sizes.

    Args:
        method: the forecast method.
        usual: the series without its anomalies, [n].
        watched: the series with the anomalies of the test part, [n].
        labels: whether each value belongs to an anomaly, bool [n].
        config: the parts of the series.

    Returns:
        Counts by name: "real" for the known anomalies, "size N" for `rehearse` with size N.
    """
    _, alarms = detect(method, watched, config, threshold(method, usual, config))
    found = {f"size {size}": rehearse(method, usual, config, size) for size in (2, 4, 8)}
    return {"real": judge(alarms, labels[config.validation :]), **found}
