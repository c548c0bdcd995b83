"""Log-mel spectrograms: what a voice's network predicts, and what its vocoder makes audible."""

from __future__ import annotations

from functools import lru_cache

import librosa
import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.errors import ConfigError


@dataclass(frozen=True, config=STRICT)
class MelConfig:
    """How samples become mel frames; travels inside every voice."""

    sample_rate: int = 22_050
    fft: int = 1024
    """Samples a frame (46 ms), under a Hann window."""
    hop: int = 256
    """Samples from one frame's centre to the next one's (11.6 ms)."""
    mels: int = Field(default=80, ge=1)
    low_hz: float = 0.0
    high_hz: float = 8000.0
    floor: float = Field(default=1e-5, gt=0)
    """Smallest magnitude, before the natural logarithm."""

    def __post_init__(self) -> None:
        if self.hop < 1 or self.fft < 4 * self.hop or self.fft % self.hop:
            raise ConfigError(
                f"mel: fft must be 4 × hop or another multiple, found {self.fft} and {self.hop}"
            )
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate / 2:
            raise ConfigError(
                f"mel: low_hz < high_hz ≤ sample_rate / 2 is needed, found {self.low_hz}, "
                f"{self.high_hz} and {self.sample_rate / 2}"
            )


@lru_cache(maxsize=8)
def mel_filters(config: MelConfig) -> np.ndarray:
    """Slaney's triangular filters of equal area: float32 [fft / 2 + 1, mels]."""
    filters = librosa.filters.mel(
        sr=config.sample_rate, n_fft=config.fft, n_mels=config.mels, fmin=config.low_hz,
        fmax=config.high_hz,
    )  # fmt: skip
    return filters.T.astype(np.float32)


def log_mel(samples: np.ndarray, config: MelConfig) -> np.ndarray:
    """Samples [n] in −1…1 → float32 [1 + n // hop, mels], frame i centred on sample i × hop."""
    spectrum = np.abs(librosa.stft(samples, n_fft=config.fft, hop_length=config.hop))
    energies = spectrum.T @ mel_filters(config)
    return np.log(np.maximum(energies, config.floor)).astype(np.float32)
