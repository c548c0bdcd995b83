"""`GriffinLim`: a vocoder from log-mel frames to samples, in numpy.

`vocoder_graph` has the same computation as a TensorFlow graph, for exported voices.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asr.base.blas import one_thread
from asr.tts.mel import MelConfig, istft, slaney_filters, stft

Vocoder = Callable[[np.ndarray], np.ndarray]
"""Log-mel frames, float32 [frames, mels] → samples, float32 [(frames − 1) × hop]. `Synthesizer`
accepts any."""

ITERATIONS = 60
"""Default number of Griffin-Lim iterations."""
MOMENTUM = 0.99
"""Momentum of the fast Griffin-Lim algorithm."""
INVERSION_STEPS = 30
"""Multiplicative updates of mel inversion."""
LEVEL = 10 ** (-20 / 20)
"""Root mean square of the speech without pauses: 20 dB below full scale."""
LIMIT = 0.9
"""Largest absolute sample. Peaks are compressed smoothly, because clipping is audible as clicks."""
FADE = 0.01
"""Length of the fades at both ends, in seconds."""


class GriffinLim:
    """Finds samples whose spectrogram is close to given log-mel frames.

    Mel inversion finds non-negative magnitudes with the given mel energies, by multiplicative
    updates (Lee & Seung, 2001). The fast Griffin-Lim algorithm finds phases (Griffin & Lim, 1984;
    Perraudin et al., 2013). The same frames always give the same samples.

    Args:
        config: frame and band settings of the frames.
        iterations: Griffin-Lim iterations; default: 60. Fewer are faster and sound rougher.
    """

    def __init__(self, config: MelConfig, iterations: int = ITERATIONS) -> None:
        self.config, self.iterations = config, iterations
        self.filters = slaney_filters(config)
        self.inverse = np.linalg.pinv(self.filters).astype(np.float32)

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Log-mel frames, float32 [frames, mels] → samples, float32 [(frames − 1) × hop]."""
        return self.phases(self.magnitudes(frames))

    def magnitudes(self, frames: np.ndarray) -> np.ndarray:
        """Log-mel frames [frames, mels] → magnitudes [frames, fft / 2 + 1]."""
        energies = np.exp(frames)
        wanted = energies @ self.filters.T
        x = np.maximum(energies @ self.inverse, np.float32(self.config.floor))
        with one_thread():
            for _ in range(INVERSION_STEPS):
                made = x @ self.filters @ self.filters.T
                x *= wanted / np.maximum(made, np.float32(1e-9))
        return x

    def phases(self, magnitudes: np.ndarray) -> np.ndarray:
        """Magnitudes, float32 [frames, fft / 2 + 1] → samples, float32 [(frames − 1) × hop]."""
        c = self.config
        # Start from the phases of a tone in the middle of each bin. With random phases and eight
        # seeds, the remaining distance was between one and three times that of these phases.
        steps = np.outer(np.arange(len(magnitudes)), np.arange(c.fft // 2 + 1)) % (c.fft // c.hop)
        turns = (2 * np.pi * c.hop / c.fft * steps).astype(np.float32)
        spectrum = magnitudes * (np.cos(turns) + 1j * np.sin(turns)).astype(np.complex64)
        weight, before = np.float32(MOMENTUM / (1 + MOMENTUM)), np.zeros_like(spectrum)
        for _ in range(self.iterations):
            rebuilt = stft(istft(spectrum, c), c)
            ahead = rebuilt - weight * before
            norm = np.sqrt(np.square(ahead.real) + np.square(ahead.imag))  # faster than abs
            spectrum = ahead * (magnitudes / np.maximum(norm, np.float32(1e-12)))
            before = rebuilt
        return istft(spectrum, c)


def finish(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Samples at a standard loudness, with limited peaks and faded ends.

    Args:
        samples: float32 [n].
        sample_rate: in Hz.

    Returns:
        float32 [n], below `LIMIT`, with the root mean square `LEVEL`.
    """
    window = sample_rate // 50
    blocks = np.pad(samples, (0, -len(samples) % window)).reshape(-1, window)
    powers = np.square(blocks).mean(axis=1)
    # Blocks of 20 ms that are more than 30 dB below the loudest one are pauses.
    speech = powers[powers >= np.float32(1e-3) * powers.max(initial=0)]
    level = np.sqrt(speech.mean()) if len(speech) else np.float32(0)
    samples = samples * np.float32(min(LEVEL / max(level, 1e-6), 100.0))
    samples = limited(samples)
    fade = int(FADE * sample_rate)
    ramp = np.minimum(np.arange(len(samples), dtype=np.float32) / np.float32(fade), np.float32(1))
    return samples * ramp * ramp[::-1]


def limited(samples: np.ndarray) -> np.ndarray:
    """Samples below `LIMIT`: as they are up to half of it, then on a curve that approaches it."""
    knee = np.float32(LIMIT / 2)
    beyond = np.tanh((np.abs(samples) - knee) / knee) * knee + knee
    return np.where(np.abs(samples) > knee, np.sign(samples) * beyond, samples)
