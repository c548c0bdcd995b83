"""Anomalies of a time series: values that lie far outside what was forecast (see series.py)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from asr.series.forecasting import Method, SeriesConfig, season_error

AHEAD = 48
"""Steps that are scored at once, as if there were no alarm; what is behind one is scored anew."""


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
        return self.right_alarms / self.alarms if self.alarms else math.nan

    @property
    def recall(self) -> float:
        return self.found_anomalies / self.anomalies if self.anomalies else math.nan

    def __add__(self, other: Found) -> Found:
        return Found(
            self.alarms + other.alarms,
            self.right_alarms + other.right_alarms,
            self.anomalies + other.anomalies,
            self.found_anomalies + other.found_anomalies,
        )


def scores(
    method: Method, values: np.ndarray, start: int, end: int, read: np.ndarray | None = None
) -> np.ndarray:
    """Errors of the forecasts one step ahead, in lengths of the interval's side on which they lie:
    [end − start], NaN where there is no value.

    Args:
        read: what the forecasts are made from, if not `values`.
    """
    f = method(values if read is None else read, np.arange(start - 1, end - 1))
    lower, median, upper = f.lower[:, 0], f.median[:, 0], f.upper[:, 0]
    wanted = values[start:end]
    side = np.where(wanted > median, upper - median, median - lower)
    return np.abs(wanted - median) / np.maximum(side, 1e-9)


def threshold(
    method: Method, values: np.ndarray, config: SeriesConfig, false_alarms: float = 0.002
) -> float:
    """The score that a share of `false_alarms` of the validation part exceeds. Nothing may be wrong
    in that part, or what is wrong must be missing."""
    usual = scores(method, values, config.train, config.validation)
    return float(np.nanquantile(usual, 1 - false_alarms))


def detect(
    method: Method, values: np.ndarray, config: SeriesConfig, limit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the test part, and alarms where they are above `limit`; as long as that part.

    A value with an alarm is not believed: later forecasts read it as missing. Without that it would
    be taken for usual one step later, and be missed one season later. A change that stays is
    therefore reported until someone takes it for the new state of things.
    """
    read, found = values.copy(), np.full(len(values), np.nan)
    alarms = np.zeros(len(values), bool)
    start = config.validation
    while start < len(values):
        end = min(start + AHEAD, len(values))
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
) -> Found:
    """Find what `inject` puts into the test part, seed after seed: each time 12 anomalies of up to
    6 steps and `size` times `season_error`.

    Args:
        values: without anomalies of their own.
    """
    offset = size * season_error(values[: config.train], config.season)
    limit, total = threshold(method, values, config), Found(0, 0, 0, 0)
    for seed in range(seeds):
        changed, labels = inject(values, config.validation, 12, offset, 6, seed)
        _, alarms = detect(method, changed, config, limit)
        total += judge(alarms, labels[config.validation :])
    return total


def runs(marked: np.ndarray) -> list[tuple[int, int]]:
    """First and behind-last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def judge(alarms: np.ndarray, labels: np.ndarray) -> Found:
    """How well alarms [n] meet labels [n]."""
    raised, true = runs(alarms), runs(labels)
    return Found(
        len(raised), sum(bool(labels[a:b].any()) for a, b in raised),
        len(true), sum(bool(alarms[a:b].any()) for a, b in true),
    )  # fmt: skip


def inject(
    values: np.ndarray, start: int, count: int, size: float, longest: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A copy with anomalies from `start` on, and where they are [n].

    The series is cut into `count` parts with one in each, where it finds room between missing
    values. It lasts 1 to `longest` steps, to which it adds `size`, or takes it away.
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
) -> dict[str, Found]:
    """How many of the test part's known anomalies are found, "real", and how many of some sizes
    that are put in (`rehearse`).

    Args:
        usual: the series without its anomalies; watched: with those of the test part.
        labels: whether each value belongs to one.
    """
    _, alarms = detect(method, watched, config, threshold(method, usual, config))
    found = {f"size {size}": rehearse(method, usual, config, size) for size in (2, 4, 8)}
    return {"real": judge(alarms, labels[config.validation :]), **found}
