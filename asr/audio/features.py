"""MFCC features in numpy.

`asr.audio.feature_layer` computes the same features in a TensorFlow graph. The defaults are the
front end of CMU Sphinx (13 cepstra, tested against pocketsphinx's own log), followed by regression
deltas and normalisation of mean and variance per utterance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic.dataclasses import dataclass as strict_dataclass

from asr.base.blas import one_thread
from asr.base.config import STRICT
from asr.base.units import Hertz, Samples, Seconds
from asr.errors import AudioError, ConfigError

SAMPLE_SCALE = 32768.0
"""Factor from samples in −1…1 to the 16-bit values that Sphinx computes with."""

STD_FLOOR = 1e-3
"""Smallest divisor in the normalisation; it keeps silence, which has no variance, near zero."""

DIGITAL_SILENCE_NATS = 10.0
"""How far the first cepstrum of digital silence lies below that of speech, in nats.

Digital silence is where nothing was recorded, as between joined files. It is not background noise,
and a little of it beside speech would spoil the normalisation.
"""


@strict_dataclass(frozen=True, config=STRICT)
class FeatureConfig:
    """Settings of the features. Every model directory contains them.

    Raises:
        ConfigError: the values do not fit each other.
    """

    sample_rate: Hertz = 16_000
    """Recordings are resampled to this rate."""
    window: Samples = 410
    """Length of a frame in samples (25.625 ms)."""
    hop: Samples = 160
    """Samples from the start of a frame to the start of the next (10 ms)."""
    fft: int = 512
    """Points of the Fourier transform."""
    pre_emphasis: float = 0.97
    """Share of each sample that is subtracted from the next."""
    mels: int = 40
    """Number of mel filters."""
    low_hz: float = 130.0
    """Lower edge of the lowest filter in Hz."""
    high_hz: float = 6800.0
    """Upper edge of the highest filter in Hz."""
    mel_scale: Literal["htk", "slaney"] = "htk"
    """Scale on which the edges are equally spaced; see `mel_frequencies`."""
    round_edges: bool = True
    """Whether to move the edges of the mel filters to the nearest FFT bins, as Sphinx does."""
    log_floor: float = 1e-4
    """Smallest energy of which the logarithm is taken."""
    coefficients: int = 13
    """Cepstra per frame."""
    deltas: int = 2
    """Highest order of the appended time derivatives: 0, 1 (Δ) or 2 (Δ and ΔΔ)."""
    delta_width: int = 2
    """Frames on each side from which a derivative is computed."""
    normalise: Literal["none", "mean", "mean_variance"] = "mean_variance"
    """Statistics that are normalised, per utterance and dimension."""

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.window <= self.fft:
            raise ConfigError(
                "features: hop ≤ window ≤ fft is required, "
                f"found {self.hop}, {self.window}, {self.fft}"
            )
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate / 2:
            raise ConfigError(
                "features: low_hz < high_hz ≤ sample_rate / 2 is required, "
                f"found {self.low_hz}, {self.high_hz}, {self.sample_rate / 2}"
            )
        if not 0 < self.coefficients <= self.mels:
            raise ConfigError(
                f"features: coefficients must be 1 to mels ({self.mels}), found {self.coefficients}"
            )
        if self.deltas not in (0, 1, 2):
            raise ConfigError(f"features: deltas must be 0, 1 or 2, found {self.deltas}")
        if self.delta_width < 1:
            raise ConfigError(f"features: delta_width must be 1 or more, found {self.delta_width}")
        if self.log_floor <= 0:
            raise ConfigError(f"features: log_floor must be above 0, found {self.log_floor}")

    @property
    def dimension(self) -> int:
        """Values per frame."""
        return self.coefficients * (1 + self.deltas)

    @property
    def frames_per_second(self) -> float:
        """Frame rate; 100 by default."""
        return self.sample_rate / self.hop

    def frames(self, samples: Samples) -> int:
        """Number of whole frames in a number of samples."""
        return max(0, 1 + (samples - self.window) // self.hop)


def mel_frequencies(count: int, low: float, high: float, scale: str) -> np.ndarray:
    """Frequencies that are equally spaced on a mel scale.

    Tests compare both scales with librosa's. librosa itself is not used, because importing it takes
    as long as a whole transcription of a short recording.

    Args:
        count: number of frequencies.
        low: first frequency in Hz.
        high: last frequency in Hz.
        scale: "htk" is 2595 log10(1 + f/700) (O'Shaughnessy, 1987); "slaney" (Auditory Toolbox,
            1998) is linear up to 1000 Hz and logarithmic above.

    Returns:
        float64 [count], in Hz.
    """
    if scale == "htk":
        low, high = (2595 * np.log10(1 + f / 700) for f in (low, high))
        return 700 * (10 ** (np.linspace(low, high, count) / 2595) - 1)
    # 1000 Hz are 15 mels of 200/3 Hz each; above, a mel is a factor of 6.4^(1/27).
    step = np.log(6.4) / 27
    low, high = (f * 3 / 200 if f < 1000 else 15 + np.log(f / 1000) / step for f in (low, high))
    mels = np.linspace(low, high, count)
    return np.where(mels < 15, mels * (200 / 3), 1000 * np.exp(step * (mels - 15)))


@lru_cache(maxsize=8)
def mel_filters(config: FeatureConfig) -> np.ndarray:
    """Triangular filters of unit area, with edges that are equally spaced in mel.

    Returns:
        float64 [fft // 2 + 1, mels].

    Raises:
        ConfigError: a filter is narrower than an FFT bin.
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
            "use fewer mels, a longer fft or round_edges: false"
        )
    rising = (bins[:, None] - left) / (centre - left)
    falling = (right - bins[:, None]) / (right - centre)
    return np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (right - left)


@lru_cache(maxsize=8)
def cosine_transform(config: FeatureConfig) -> np.ndarray:
    """Sphinx's "legacy" DCT-II: divided by the number of mels, with the first input halved.

    Returns:
        float64 [mels, coefficients].
    """
    j, k = np.arange(config.mels), np.arange(config.coefficients)
    matrix = np.cos(np.pi * np.outer(j + 0.5, k) / config.mels) / config.mels
    matrix[0] *= 0.5
    return matrix


def hamming(config: FeatureConfig) -> np.ndarray:
    """Symmetric Hamming window, float64 [window]."""
    return np.hamming(config.window)


def mfcc(samples: np.ndarray, config: FeatureConfig, name: str = "audio") -> np.ndarray:
    """Compute static cepstra (MFCCs without deltas and normalisation).

    >>> from asr import FeatureConfig, mfcc, read_audio
    >>> cepstra = mfcc(read_audio("tests/fixtures/goforward.wav"), FeatureConfig())
    >>> cepstra.shape
    (277, 13)
    >>> print([f"{value:.2f}" for value in cepstra[0, :3]])
    ['5.31', '-0.57', '-0.21']

    Args:
        samples: mono samples in −1…1, float32 [samples], at `config.sample_rate`.
        config: settings of the features.
        name: name of the recording in error messages; default: "audio".

    Returns:
        float32 [frames, coefficients]. The computation is in float64, as in the graph, so that both
        agree for quiet recordings too.

    Raises:
        AudioError: there are fewer samples than one window; the message has `name`.
    """
    stream = MfccStream(config)
    static = stream.feed(samples)
    stream.check_length(name)
    return static


class MfccStream:
    """Computes `mfcc` of a stream: each piece of samples returns the frames that it completes.

    Attributes:
        config: settings of the features.
        count: samples fed so far.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self.config, self.count = config, 0
        self._last = np.zeros(1)
        self._kept = np.zeros(0)

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Compute the frames that the next samples complete.

        Args:
            samples: mono samples in −1…1, float32 [samples] of any length.

        Returns:
            float32 [frames, coefficients]; frames may be 0.
        """
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
        with one_thread():
            energies = np.log(np.maximum(power @ mel_filters(c), c.log_floor))
            return (energies @ cosine_transform(c)).astype(np.float32)

    def check_length(self, name: str) -> None:
        """Check that the stream has at least one frame.

        Raises:
            AudioError: it has none; the message has `name`.
        """
        if not self.config.frames(self.count):
            raise AudioError(
                f"{name}: too short: {self.count} samples, one frame has {self.config.window} "
                f"({1000 * self.config.window / self.config.sample_rate:.0f} ms)"
            )


def delta(features: np.ndarray, width: int) -> np.ndarray:
    """Compute time derivatives by linear regression (Young et al., The HTK Book, 2006, eq. 5.16).

    Equal to librosa's `delta` with mode="nearest".

    Args:
        features: float32 [frames, n].
        width: frames on each side of the regression; the first and the last frame are repeated
            beyond the ends.

    Returns:
        float32 [frames, n].
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
    """Mean and standard deviation of feature frames.

    Attributes:
        count: number of frames.
        mean: float64 [dimension].
        std: float64 [dimension].
    """

    count: float
    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Moments:
        """Moments of float32 [frames, dimension].

        Computed in float64. In float32 the deviation of silence would be rounding noise.
        """
        mean = features.mean(axis=0, dtype=np.float64)
        return cls(len(features), mean, (features - mean).std(axis=0))

    def combined(self, other: Moments) -> Moments:
        """Moments of the frames of both (Chan, Golub & LeVeque, 1983)."""
        count = self.count + other.count
        share = other.count / count
        shift = other.mean - self.mean
        variance = (1 - share) * (self.std**2 + share * shift**2) + share * other.std**2
        return Moments(count, self.mean + share * shift, np.sqrt(variance))


class RecentMoments:
    """Moments of the last few seconds of a stream, for the normalisation of the next frames.

    A window of a few seconds alone says little about the voice and the room.

    Attributes:
        moments: the moments; None before the first frames.
    """

    SECONDS: Seconds = 5.0
    """Weight of all earlier frames together, as a duration."""

    def __init__(self, config: FeatureConfig) -> None:
        self.moments: Moments | None = None
        self._limit = self.SECONDS * config.frames_per_second

    def add(self, features: np.ndarray) -> None:
        """Add frames, float32 [frames, dimension]. Older frames lose weight."""
        moments = Moments.of(features)
        if self.moments is not None:
            moments = moments.combined(self.moments)
        self.moments = replace(moments, count=min(moments.count, self._limit))


def differentiate(static: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Append deltas to static cepstra.

    Args:
        static: float32 [frames, coefficients].
        config: settings of the features.

    Returns:
        float32 [frames, dimension].
    """
    parts = [static]
    for _ in range(config.deltas):
        parts.append(delta(parts[-1], config.delta_width))
    return np.concatenate(parts, axis=1)


def normalise(
    features: np.ndarray, config: FeatureConfig, before: Moments | None = None
) -> np.ndarray:
    """Normalise the mean to 0 and the variance to 1, as far as `config.normalise` says.

    Args:
        features: float32 [frames, dimension].
        config: settings of the features.
        before: moments of earlier frames, which are combined with those of `features`; default:
            none.

    Returns:
        float32 [frames, dimension].
    """
    if config.normalise == "none":
        return features
    moments = Moments.of(features)
    return standardise(features, config, moments if before is None else moments.combined(before))


def standardise(features: np.ndarray, config: FeatureConfig, moments: Moments) -> np.ndarray:
    """Subtract the mean and divide by the standard deviation, as far as `config.normalise` says.

    Args:
        features: float32 [frames, dimension].
        config: settings of the features.
        moments: the mean and the standard deviation.

    Returns:
        float32 [frames, dimension].
    """
    if config.normalise == "none":
        return features
    features = features - moments.mean
    if config.normalise == "mean_variance":
        features = features / np.maximum(moments.std, STD_FLOOR)
    return features.astype(np.float32)


def expand(static: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Append deltas to static cepstra and normalise: [frames, coefficients] → [frames, dimension].

    Args:
        static: float32 [frames, coefficients].
        config: settings of the features.

    Returns:
        float32 [frames, dimension].
    """
    return normalise(differentiate(static, config), config)


def extract(samples: np.ndarray, config: FeatureConfig, name: str = "audio") -> np.ndarray:
    """Compute the features that a network reads: cepstra with deltas, normalised.

    Args:
        samples: mono samples in −1…1, float32 [samples], at `config.sample_rate`.
        config: settings of the features.
        name: name of the recording in error messages; default: "audio".

    Returns:
        float32 [frames, dimension].

    Raises:
        AudioError: there are fewer samples than one window; the message has `name`.
    """
    return expand(mfcc(samples, config, name), config)


def load_features(path: Path, config: FeatureConfig) -> np.ndarray:
    """Read the static cepstra of a Sphinx feature file.

    The file holds the number of values as int32, then the values as float32, both big-endian or
    both little-endian.

    Args:
        path: the file.
        config: settings with the number of `coefficients` per frame.

    Returns:
        float32 [frames, coefficients].

    Raises:
        AudioError: the file is missing, its count does not fit its size, or a value is not finite;
            the message names the file.
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
        raise AudioError(
            f"{path}: not a Sphinx feature file: the count in it does not fit its size"
        )
    if len(values) % config.coefficients:
        raise AudioError(
            f"{path}: {len(values)} values, not a multiple of {config.coefficients} coefficients"
        )
    if not np.isfinite(values).all():
        raise AudioError(f"{path}: some values are not finite")
    return values.reshape(-1, config.coefficients)
