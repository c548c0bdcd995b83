"""`harmonic_bands`: the log-mel frame of pulses at each pitch.

The pitch decides which bands have a harmonic. A network that must learn this from examples blurs
all harmonics but the first ones. So a voice's decoder is given them: it predicts an envelope, and
how far the harmonics stand out in each band.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from asr.tts.mel import MelConfig, hann, slaney_filters
from asr.tts.source_filter import pulse_train

LOWEST_PITCH, HIGHEST_PITCH = 50.0, 700.0
"""Range of the pitches, in Hz. Pitches beyond it have the frame of the nearest one."""
PITCHES = 400
"""Number of pitches, evenly on a logarithmic scale: 0.7 % apart."""
LEAST = 0.03
"""Smallest energy of a band between harmonics, as a share of its mean: speech has noise there."""


@lru_cache(maxsize=8)
def harmonic_bands(config: MelConfig) -> np.ndarray:
    """Log-mel frames of pulses, less their mean over all pitches, float32 [PITCHES, mels]."""
    pitch = np.geomspace(LOWEST_PITCH, HIGHEST_PITCH, PITCHES)[:, None]
    time = (np.arange(config.fft) - config.fft // 2) / config.sample_rate
    windows = pulse_train(time * pitch, pitch, config.sample_rate) * hann(config.fft)
    energies = np.abs(np.fft.rfft(windows, axis=1)) @ slaney_filters(config)
    levels = np.log(np.maximum(energies, LEAST * energies.mean(axis=0)))
    return (levels - levels.mean(axis=0)).astype(np.float32)


def pitch_places(log_pitch: np.ndarray) -> np.ndarray:
    """Rows of `harmonic_bands`, float, for natural logarithms of pitches in Hz."""
    low, high = np.log(LOWEST_PITCH), np.log(HIGHEST_PITCH)
    return np.clip((log_pitch - low) * ((PITCHES - 1) / (high - low)), 0, PITCHES - 1)


def harmonics_at(log_pitch: np.ndarray, config: MelConfig) -> np.ndarray:
    """`harmonic_bands` of any pitches.

    Args:
        log_pitch: natural logarithms of the pitches in Hz, float [frames].
        config: frame and band settings.

    Returns:
        float32 [frames, mels].
    """
    table, places = harmonic_bands(config), pitch_places(log_pitch)
    below = np.minimum(places.astype(np.int32), PITCHES - 2)
    share = (places - below)[:, None].astype(np.float32)
    return table[below] * (1 - share) + table[below + 1] * share
