"""`GriffinLimGraph`: the computation of `vocoder` as a TensorFlow graph, for exported voices.

It uses only standard operations, so that TensorFlow Serving can run it.
"""

from __future__ import annotations

import numpy as np

from asr.base.tensorflow import tf
from asr.tts.mel import MelConfig, slaney_filters
from asr.tts.vocoder import FADE, INVERSION_STEPS, ITERATIONS, LEVEL, LIMIT, MOMENTUM


class GriffinLimGraph:
    """`GriffinLim` on tensors; see there.

    Args:
        config: frame and band settings of the frames.
        iterations: Griffin-Lim iterations; default: 60.
    """

    def __init__(self, config: MelConfig, iterations: int = ITERATIONS) -> None:
        self.config, self.iterations = config, iterations
        filters = slaney_filters(config)
        self.filters = tf.constant(filters)
        self.inverse = tf.constant(np.linalg.pinv(filters).astype(np.float32))
        self.gram = tf.constant(filters @ filters.T)

    def __call__(self, frames: tf.Tensor) -> tf.Tensor:
        """Log-mel frames, float32 [frames, mels] → samples, float32 [(frames − 1) × hop]."""
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
        magnitudes = magnitudes[None]
        bins = tf.range(self.config.fft // 2 + 1)
        steps = (tf.range(count)[:, None] * bins[None]) % (self.config.fft // self.config.hop)
        turns = 2 * np.pi * self.config.hop / self.config.fft * tf.cast(steps, tf.float32)
        angles = tf.complex(tf.cos(turns), tf.sin(turns))[None]
        size = tf.complex(magnitudes, tf.zeros_like(magnitudes))
        weight = tf.constant(MOMENTUM / (1 + MOMENTUM), tf.complex64)

        def step(
            i: tf.Tensor, angles: tf.Tensor, before: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            rebuilt = stft_graph(istft_graph(size * angles, self.config), self.config)
            ahead = rebuilt - weight * before
            norm = tf.maximum(tf.abs(ahead), 1e-12)
            return i + 1, ahead / tf.complex(norm, tf.zeros_like(norm)), rebuilt

        _, angles, _ = tf.while_loop(
            lambda i, *_: i < self.iterations,
            step,
            (0, angles, tf.zeros_like(angles)),
            maximum_iterations=self.iterations,
        )
        return istft_graph(size * angles, self.config)[0]


def stft_graph(samples: tf.Tensor, config: MelConfig) -> tf.Tensor:
    """`stft` on a tensor [batch, n]; see there."""
    padded = tf.pad(samples, [[0, 0], [config.fft // 2, config.fft // 2]])
    return tf.signal.stft(padded, config.fft, config.hop, config.fft)


def istft_graph(spectrum: tf.Tensor, config: MelConfig) -> tf.Tensor:
    """`istft` on a tensor [batch, frames, fft / 2 + 1]; see there."""
    window = tf.signal.inverse_stft_window_fn(config.hop)
    signal = tf.signal.inverse_stft(spectrum, config.fft, config.hop, config.fft, window)
    count = (tf.shape(spectrum)[1] - 1) * config.hop
    return signal[:, config.fft // 2 : config.fft // 2 + count]


def finish_graph(samples: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """`finish` on a tensor [n]; see there."""
    window = sample_rate // 50
    blocks = tf.signal.frame(samples, window, window, pad_end=True)
    powers = tf.reduce_mean(tf.square(blocks), axis=1)
    speech = tf.boolean_mask(powers, powers >= 1e-3 * tf.reduce_max(powers))
    level = tf.sqrt(tf.reduce_mean(speech))
    samples = samples * tf.minimum(LEVEL / tf.maximum(level, 1e-6), 100.0)
    knee = LIMIT / 2
    beyond = tf.tanh((tf.abs(samples) - knee) / knee) * knee + knee
    samples = tf.where(tf.abs(samples) > knee, tf.sign(samples) * beyond, samples)
    fade = int(FADE * sample_rate)
    ramp = tf.minimum(tf.cast(tf.range(tf.shape(samples)[0]), tf.float32) / fade, 1.0)
    return samples * ramp * ramp[::-1]
