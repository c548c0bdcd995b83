"""Log-mel spectrograms: the output of a voice's network and the input of its vocoder."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.audio.features import mel_frequencies
from asr.base.config import STRICT
from asr.errors import ConfigError


@dataclass(frozen=True, config=STRICT)
class MelConfig:
    """The key `mel` of a voice: how samples become log-mel frames."""

    sample_rate: int = 22_050
    """Sample rate of the speech, in Hz. Default: 22050."""
    fft: int = 1024
    """Length of a frame and its Hann window, in samples. Default: 1024 (46 ms)."""
    hop: int = 256
    """Distance between the centres of frames, in samples. Default: 256 (11.6 ms)."""
    mels: int = Field(default=80, ge=1)
    """Number of mel bands. Default: 80."""
    low_hz: float = 0.0
    """Lower edge of the lowest band, in Hz. Default: 0."""
    high_hz: float = 8000.0
    """Upper edge of the highest band, in Hz. Default: 8000."""
    floor: float = Field(default=1e-5, gt=0)
    """Smallest magnitude before the natural logarithm. Default: 0.00001."""

    def __post_init__(self) -> None:
        if self.hop < 1 or self.fft < 4 * self.hop or self.fft % self.hop:
            raise ConfigError(
                f"mel: fft must be a multiple of hop, at least 4 × hop; found fft {self.fft} and "
                f"hop {self.hop}"
            )
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate / 2:
            raise ConfigError(
                f"mel: needs 0 ≤ low_hz < high_hz ≤ sample_rate / 2; found {self.low_hz}, "
                f"{self.high_hz} and {self.sample_rate / 2}"
            )


@lru_cache(maxsize=8)
def slaney_filters(config: MelConfig) -> np.ndarray:
    """Slaney's triangular mel filters with equal areas, float32 [fft / 2 + 1, mels]."""
    edges = mel_frequencies(config.mels + 2, config.low_hz, config.high_hz, "slaney")
    bins = np.arange(config.fft // 2 + 1) * config.sample_rate / config.fft
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - left) / (centre - left)
    falling = (right - bins[:, None]) / (right - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (right - left)
    return filters.astype(np.float32)


@lru_cache(maxsize=8)
def hann(size: int) -> np.ndarray:
    """Periodic Hann window, float32 [size]."""
    turns = 2 * np.pi * np.arange(size) / size
    return (0.5 - 0.5 * np.cos(turns)).astype(np.float32)


def stft(samples: np.ndarray, config: MelConfig) -> np.ndarray:
    """Short-time Fourier transform with a Hann window.

    Args:
        samples: float32 [n].
        config: frame settings.

    Returns:
        complex64 [1 + n // hop, fft / 2 + 1]. Frame i is centred on sample i × hop.
    """
    padded = np.pad(samples, config.fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, config.fft)[:: config.hop]
    return np.fft.rfft(frames * hann(config.fft), axis=1).astype(np.complex64, copy=False)


def istft(spectrum: np.ndarray, config: MelConfig) -> np.ndarray:
    """The inverse of `stft`, by adding overlapping frames.

    Args:
        spectrum: complex64 [frames, fft / 2 + 1].
        config: frame settings.

    Returns:
        float32 [(frames − 1) × hop].
    """
    frames = np.fft.irfft(spectrum, config.fft, axis=1).astype(np.float32, copy=False)
    signal = overlap_add(frames * synthesis_window(config), config.hop)
    # Frames are centred: half of the first and half of the last frame are outside the signal.
    return signal[config.fft // 2 : config.fft // 2 + (len(spectrum) - 1) * config.hop]


@lru_cache(maxsize=8)
def synthesis_window(config: MelConfig) -> np.ndarray:
    """The window that undoes `stft` when overlapping frames are added, float32 [fft]."""
    window = hann(config.fft)
    total = np.square(window).reshape(-1, config.hop).sum(axis=0)
    return window / np.tile(total, config.fft // config.hop)


def overlap_add(frames: np.ndarray, hop: int) -> np.ndarray:
    """Add overlapping frames.

    Args:
        frames: float32 [frames, size]; the size is a multiple of the hop.
        hop: distance between the starts of frames, in samples.

    Returns:
        float32 [(frames − 1) × hop + size].
    """
    count, size = frames.shape
    overlaps = size // hop
    parts = frames.reshape(count, overlaps, hop)
    signal = np.zeros((count + overlaps - 1, hop), np.float32)
    for i in range(overlaps):
        signal[i : i + count] += parts[:, i]
    return signal.reshape(-1)


def log_mel(samples: np.ndarray, config: MelConfig) -> np.ndarray:
    """Log-mel frames of mono samples.

    Args:
        samples: float32 [n], in −1…1.
        config: frame and band settings.

    Returns:
        float32 [1 + n // hop, mels]. Frame i is centred on sample i × hop.
    """
    return mel_levels(np.abs(stft(samples, config)), config)


def mel_levels(magnitudes: np.ndarray, config: MelConfig) -> np.ndarray:
    """Magnitudes [frames, fft / 2 + 1] → log-mel frames, float32 [frames, mels]."""
    energies = magnitudes @ slaney_filters(config)
    return np.log(np.maximum(energies, config.floor)).astype(np.float32)
