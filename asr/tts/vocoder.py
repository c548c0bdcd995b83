"""From mel frames to samples: mel inversion and the fast Griffin-Lim algorithm, in TensorFlow.

Standard operations only, as an exported voice will need.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asr.base.tensorflow import tf
from asr.tts.mel import MelConfig, mel_filters

Vocoder = Callable[[tf.Tensor], tf.Tensor]
"""Log-mel frames [frames, mels] → samples [(frames − 1) × hop]: what `Synthesizer` can be given
instead of `GriffinLim`."""

ITERATIONS = 60
MOMENTUM = 0.99
INVERSION_STEPS = 30
LEVEL = 10 ** (-20 / 20)
"""Root mean square of what is said (−20 dB below full scale), pauses left out."""
LIMIT = 0.9
"""No sample goes beyond; what comes near is bent, not cut, for a cut is heard as a click."""
FADE = 0.01
"""Seconds at both ends."""


class GriffinLim:
    """Log-mel frames → samples whose spectrogram comes close to them.

    Magnitudes are the non-negative ones whose mel energies are nearest, by multiplicative updates
    (Lee & Seung, 2001); phases are found by going back and forth between signal and spectrogram
    with momentum (Griffin & Lim, 1984; Perraudin et al., 2013). The same frames always give the
    same samples.
    """

    def __init__(self, config: MelConfig, iterations: int = ITERATIONS) -> None:
        self.config, self.iterations = config, iterations
        filters = mel_filters(config)
        self.filters = tf.constant(filters)
        self.inverse = tf.constant(np.linalg.pinv(filters).astype(np.float32))
        self.gram = tf.constant(filters @ filters.T)

    def __call__(self, frames: tf.Tensor) -> tf.Tensor:
        """Float32 [frames, mels] → float32 [(frames − 1) × hop]."""
        return self.phases(self.magnitudes(frames))

    def magnitudes(self, frames: tf.Tensor) -> tf.Tensor:
        """Log-mel frames [frames, mels] → magnitudes [frames, fft / 2 + 1]."""
        energies = tf.exp(frames)
        wanted = tf.matmul(energies, self.filters, transpose_b=True)
        x = tf.maximum(tf.matmul(energies, self.inverse), self.config.floor)
        for _ in range(INVERSION_STEPS):
            x *= wanted / tf.maximum(tf.matmul(x, self.gram), 1e-9)
        return x

    def phases(self, magnitudes: tf.Tensor) -> tf.Tensor:
        """Magnitudes [frames, fft / 2 + 1] → samples."""
        count = tf.shape(magnitudes)[0]
        # As tones in the middle of each bin have them. Random ones are a matter of luck: among
        # eight seeds the distance that remained was between these phases' and three times as much.
        bins = tf.range(self.config.fft // 2 + 1)
        steps = (tf.range(count)[:, None] * bins[None]) % (self.config.fft // self.config.hop)
        turns = 2 * np.pi * self.config.hop / self.config.fft * tf.cast(steps, tf.float32)
        angles = tf.complex(tf.cos(turns), tf.sin(turns))
        size = tf.complex(magnitudes, tf.zeros_like(magnitudes))
        weight = tf.constant(MOMENTUM / (1 + MOMENTUM), tf.complex64)

        def step(
            i: tf.Tensor, angles: tf.Tensor, before: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            rebuilt = self._spectrum(self._signal(size * angles, count))
            ahead = rebuilt - weight * before
            norm = tf.maximum(tf.abs(ahead), 1e-12)
            return i + 1, ahead / tf.complex(norm, tf.zeros_like(norm)), rebuilt

        _, angles, _ = tf.while_loop(
            lambda i, *_: i < self.iterations, step, (0, angles, tf.zeros_like(angles)),
            maximum_iterations=self.iterations,
        )  # fmt: skip
        return self._signal(size * angles, count)

    def _signal(self, spectrum: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        c = self.config
        window = tf.signal.inverse_stft_window_fn(c.hop)
        signal = tf.signal.inverse_stft(spectrum, c.fft, c.hop, c.fft, window)
        # Frames are centred: half of the first and of the last one lie outside.
        return signal[c.fft // 2 : c.fft // 2 + (count - 1) * c.hop]

    def _spectrum(self, signal: tf.Tensor) -> tf.Tensor:
        c = self.config
        padded = tf.pad(signal, [[c.fft // 2, c.fft // 2]])
        return tf.signal.stft(padded, c.fft, c.hop, c.fft)


def finish(samples: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Samples [n] at a standard loudness, limited, and faded at both ends."""
    window = sample_rate // 50
    blocks = tf.signal.frame(samples, window, window, pad_end=True)
    powers = tf.reduce_mean(tf.square(blocks), axis=1)
    # What is 30 dB and more below the loudest fiftieth of a second is a pause.
    said = tf.boolean_mask(powers, powers >= 1e-3 * tf.reduce_max(powers))
    level = tf.sqrt(tf.reduce_mean(said))
    samples = samples * tf.minimum(LEVEL / tf.maximum(level, 1e-6), 100.0)
    # Straight up to half of the limit, from there on a curve that never reaches it.
    knee = LIMIT / 2
    beyond = tf.tanh((tf.abs(samples) - knee) / knee) * knee + knee
    samples = tf.where(tf.abs(samples) > knee, tf.sign(samples) * beyond, samples)
    fade = int(FADE * sample_rate)
    ramp = tf.minimum(tf.cast(tf.range(tf.shape(samples)[0]), tf.float32) / fade, 1.0)
    return samples * ramp * ramp[::-1]
