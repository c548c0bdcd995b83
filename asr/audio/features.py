"""MFCC features in numpy: one `FeatureConfig`, used everywhere (feature_layer.py: in a graph).

The default is CMU Sphinx's front end (13 cepstra; checked against pocketsphinx's own log) followed
by regression deltas and per-utterance mean and variance normalisation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic.dataclasses import dataclass as strict_dataclass

from asr.base.config import STRICT
from asr.errors import AudioError, ConfigError

SAMPLE_SCALE = 32768.0
"""Sphinx computes on 16-bit sample values; ours are in −1…1."""

STD_FLOOR = 1e-3
"""Silence has no variance: below this it is left small instead of being blown up."""


DIGITAL_SILENCE_NATS = 10.0
"""Nats of the first cepstrum below speech where nothing was recorded, as between joined files. Even
a little of such silence beside speech would spoil the normalisation, and it is no background."""


@strict_dataclass(frozen=True, config=STRICT)
class FeatureConfig:
    """How samples become feature frames; travels inside every model."""

    sample_rate: int = 16_000
    window: int = 410
    """Samples a frame (25.625 ms)."""
    hop: int = 160
    """Samples from one frame's start to the next one's (10 ms)."""
    fft: int = 512
    pre_emphasis: float = 0.97
    mels: int = 40
    low_hz: float = 130.0
    high_hz: float = 6800.0
    mel_scale: Literal["htk", "slaney"] = "htk"
    round_edges: bool = True
    """Move each filter's edges to the nearest FFT bin, as Sphinx does."""
    log_floor: float = 1e-4
    coefficients: int = 13
    deltas: int = 2
    """Orders of time derivative appended: 0, 1 (Δ) or 2 (Δ and ΔΔ)."""
    delta_width: int = 2
    """Frames on each side that a derivative is fitted to."""
    normalise: Literal["none", "mean", "mean_variance"] = "mean_variance"
    """Per utterance and dimension."""

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.window <= self.fft:
            raise ConfigError(
                "features: hop ≤ window ≤ fft is needed, "
                f"found {self.hop}, {self.window}, {self.fft}"
            )
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate / 2:
            raise ConfigError(
                f"features: low_hz < high_hz ≤ sample_rate / 2 is needed, "
                f"found {self.low_hz}, {self.high_hz}, {self.sample_rate / 2}"
            )
        if not 0 < self.coefficients <= self.mels:
            raise ConfigError("features: coefficients must be in 1…mels")
        if self.deltas not in (0, 1, 2):
            raise ConfigError(f"features: deltas must be 0, 1 or 2, found {self.deltas}")
        if self.delta_width < 1:
            raise ConfigError(f"features: delta_width must be 1 or more, found {self.delta_width}")
        if self.log_floor <= 0:
            raise ConfigError(f"features: log_floor must be above 0, found {self.log_floor}")

    @property
    def dimension(self) -> int:
        """Values a frame."""
        return self.coefficients * (1 + self.deltas)

    @property
    def frames_per_second(self) -> float:
        return self.sample_rate / self.hop

    def frames(self, samples: int) -> int:
        """Whole frames in so many samples."""
        return max(0, 1 + (samples - self.window) // self.hop)


def mel_frequencies(count: int, low: float, high: float, scale: str) -> np.ndarray:
    """Frequencies in Hz, equally spaced in mel from `low` to `high`: float64 [count].

    "htk" is 2595 log10(1 + f/700) (O'Shaughnessy, 1987); "slaney" (Auditory Toolbox, 1998) is
    linear up to 1000 Hz and logarithmic above. Tests hold both to librosa's, whose import takes as
    long as everything else that a transcript needs.
    """
    if scale == "htk":
        low, high = (2595 * np.log10(1 + f / 700) for f in (low, high))
        return 700 * (10 ** (np.linspace(low, high, count) / 2595) - 1)
    step = np.log(6.4) / 27  # above 1000 Hz, which is 15 mels of 200/3 Hz
    low, high = (f * 3 / 200 if f < 1000 else 15 + np.log(f / 1000) / step for f in (low, high))
    mels = np.linspace(low, high, count)
    return np.where(mels < 15, mels * (200 / 3), 1000 * np.exp(step * (mels - 15)))


@lru_cache(maxsize=8)
def mel_filters(config: FeatureConfig) -> np.ndarray:
    """Triangular filters of unit area, float64 [fft // 2 + 1, mels].

    Edges are equally spaced in mel; with `round_edges` each is the nearest FFT bin's frequency.
    """
    bins = np.arange(config.fft // 2 + 1) * config.sample_rate / config.fft
    edges = mel_frequencies(config.mels + 2, config.low_hz, config.high_hz, config.mel_scale)
    if config.round_edges:
        step = config.sample_rate / config.fft
        edges = np.floor(edges / step + 0.5) * step
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    if np.any(left >= centre) or np.any(centre >= right):
        raise ConfigError(
            f"features: {config.mels} mel filters are too many for an FFT of {config.fft} points; "
            "take fewer mels, a longer fft or round_edges: false"
        )
    rising = (bins[:, None] - left) / (centre - left)
    falling = (right - bins[:, None]) / (right - centre)
    return np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (right - left)


@lru_cache(maxsize=8)
def cosine_transform(config: FeatureConfig) -> np.ndarray:
    """Sphinx's "legacy" DCT-II, float64 [mels, coefficients]: first input halved, over mels."""
    j, k = np.arange(config.mels), np.arange(config.coefficients)
    matrix = np.cos(np.pi * np.outer(j + 0.5, k) / config.mels) / config.mels
    matrix[0] *= 0.5
    return matrix


def hamming(config: FeatureConfig) -> np.ndarray:
    """Symmetric Hamming window, float64 [window]."""
    return np.hamming(config.window)


def mfcc(samples: np.ndarray, config: FeatureConfig, name: str = "audio") -> np.ndarray:
    """Static cepstra of mono samples in −1…1: float32 [samples] → float32 [frames, coefficients].

    Computed in float64, as in the graph, so that the two agree to rounding at any level.

    Raises:
        AudioError: fewer samples than one window; the message has `name`.
    """
    stream = MfccStream(config)
    static = stream.feed(samples)
    stream.check_length(name)
    return static


class MfccStream:
    """`mfcc` piece by piece: each piece of samples gives the frames that it completes.

    Attributes:
        count: samples fed so far.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self.config, self.count = config, 0
        self._last = np.zeros(1)
        self._kept = np.zeros(0)

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """float32 [samples] of any number → float32 [frames, coefficients], perhaps of none."""
        c = self.config
        self.count += len(samples)
        raw = np.concatenate([self._last, samples.astype(np.float64) * SAMPLE_SCALE])
        self._last = raw[-1:]
        signal = np.concatenate([self._kept, raw[1:] - c.pre_emphasis * raw[:-1]])
        count = c.frames(len(signal))
        self._kept = signal[count * c.hop :]
        if not count:
            return np.zeros([0, c.coefficients], np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(signal, c.window)[:: c.hop]
        spectrum = np.fft.rfft(frames * hamming(c), c.fft)
        power = spectrum.real**2 + spectrum.imag**2
        energies = np.log(np.maximum(power @ mel_filters(c), c.log_floor))
        return (energies @ cosine_transform(c)).astype(np.float32)

    def check_length(self, name: str) -> None:
        """Raise an `AudioError` with `name` if what was fed is not even one frame."""
        if not self.config.frames(self.count):
            raise AudioError(
                f"{name}: too short: {self.count} samples, one frame needs {self.config.window} "
                f"({1000 * self.config.window / self.config.sample_rate:.0f} ms)"
            )


def delta(features: np.ndarray, width: int) -> np.ndarray:
    """Regression slope over ±`width` frames, edges repeated: [frames, n] → [frames, n].

    The HTK Book's Δ (Young et al., 2006, eq. 5.16); librosa's `delta` with mode="nearest".
    """
    frames = len(features)
    padded = np.pad(features, ((width, width), (0, 0)), mode="edge")
    slope = sum(
        n * (padded[width + n : width + n + frames] - padded[width - n : width - n + frames])
        for n in range(1, width + 1)
    )
    return (slope / (2 * sum(n * n for n in range(1, width + 1)))).astype(np.float32)


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation [dimension] of so many frames."""

    count: float
    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Moments:
        """Of float32 [frames, dimension], in float64: silence is otherwise its own rounding."""
        mean = features.mean(axis=0, dtype=np.float64)
        return cls(len(features), mean, (features - mean).std(axis=0))

    def combined(self, other: Moments) -> Moments:
        """Of both together (Chan, Golub & LeVeque, 1983)."""
        count = self.count + other.count
        share = other.count / count
        shift = other.mean - self.mean
        variance = (1 - share) * (self.std**2 + share * shift**2) + share * other.std**2
        return Moments(count, self.mean + share * shift, np.sqrt(variance))


class RecentMoments:
    """Moments of what was heard before, which count in the normalisation of what follows: a few
    seconds say little of a voice and a room by themselves."""

    SECONDS = 5.0

    def __init__(self, config: FeatureConfig) -> None:
        self.moments: Moments | None = None
        self._limit = self.SECONDS * config.frames_per_second

    def add(self, features: np.ndarray) -> None:
        """Take float32 [frames, dimension]; the last ones count most."""
        moments = Moments.of(features)
        if self.moments is not None:
            moments = moments.combined(self.moments)
        self.moments = replace(moments, count=min(moments.count, self._limit))


def differentiate(static: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Append deltas: float32 [frames, coefficients] → float32 [frames, dimension]."""
    parts = [static]
    for _ in range(config.deltas):
        parts.append(delta(parts[-1], config.delta_width))
    return np.concatenate(parts, axis=1)


def normalise(
    features: np.ndarray, config: FeatureConfig, before: Moments | None = None
) -> np.ndarray:
    """Mean and variance to 0 and 1, as `config` says: float32 [frames, dimension] → the same.

    `before` are moments of what was heard before; they count with the frames' own.
    """
    if config.normalise == "none":
        return features
    moments = Moments.of(features)
    if before is not None:
        moments = moments.combined(before)
    features = features - moments.mean
    if config.normalise == "mean_variance":
        features = features / np.maximum(moments.std, STD_FLOOR)
    return features.astype(np.float32)


def expand(static: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Append deltas and normalise: float32 [frames, coefficients] → float32 [frames, dimension]."""
    return normalise(differentiate(static, config), config)


def extract(samples: np.ndarray, config: FeatureConfig, name: str = "audio") -> np.ndarray:
    """Everything: mono samples at `config.sample_rate` → float32 [frames, dimension]."""
    return expand(mfcc(samples, config, name), config)


def load_features(path: Path, config: FeatureConfig) -> np.ndarray:
    """Read a Sphinx feature file: float32 [frames, coefficients].

    An int32 count of the floats that follow, then the floats; either byte order.

    Raises:
        AudioError: the file is missing, its count does not fit its size, or a value is not finite.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from None
    for order in (">", "<"):
        if len(raw) >= 8 and int(np.frombuffer(raw[:4], f"{order}i4")[0]) * 4 == len(raw) - 4:
            values = np.frombuffer(raw[4:], f"{order}f4").astype(np.float32)
            break
    else:
        raise AudioError(f"{path}: not a Sphinx feature file: its count does not fit its size")
    if len(values) % config.coefficients:
        raise AudioError(
            f"{path}: {len(values)} values are no whole frames of {config.coefficients}"
        )
    if not np.isfinite(values).all():
        raise AudioError(f"{path}: holds values that are not finite")
    return values.reshape(-1, config.coefficients)
