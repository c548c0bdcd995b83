"""The front end of `features.py` as a Keras layer on tf.signal; a test holds the two together."""

from __future__ import annotations

from typing import Any

from asr.audio.features import (
    SAMPLE_SCALE,
    STD_FLOOR,
    FeatureConfig,
    cosine_transform,
    hamming,
    mel_filters,
)
from asr.base.config import parse, to_dict
from asr.base.tensorflow import keras, tf


@keras.saving.register_keras_serializable("asr")
class MfccLayer(keras.layers.Layer):
    """Samples [batch, time], lengths [batch] → features [batch, frames, dimension], counts [batch].

    An utterance's features do not depend on the padding behind it or on its neighbours.
    """

    def __init__(self, config: FeatureConfig | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(config, dict):
            config = parse(FeatureConfig, config, "MfccLayer", complete=True)
        self.config = config

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": to_dict(self.config)}

    def call(self, samples: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        c = self.config
        signal = tf.cast(samples, tf.float64) * SAMPLE_SCALE
        signal = tf.concat([signal[:, :1], signal[:, 1:] - c.pre_emphasis * signal[:, :-1]], axis=1)
        frames = tf.signal.frame(signal, c.window, c.hop) * hamming(c)
        power = tf.abs(tf.signal.rfft(frames, [c.fft])) ** 2
        energies = tf.math.log(tf.maximum(tf.matmul(power, mel_filters(c)), c.log_floor))
        static = tf.cast(tf.matmul(energies, cosine_transform(c)), tf.float32)
        counts = tf.maximum(0, 1 + (lengths - c.window) // c.hop)
        return self.expand(static, counts), counts

    def expand(self, static: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
        """`features.expand`: cepstra [batch, frames, coefficients] → [batch, frames, dimension]."""
        c = self.config
        length = tf.shape(static)[1]
        last = tf.maximum(counts - 1, 0)[:, None]

        def delta(x: tf.Tensor) -> tf.Tensor:
            def shifted(n: int) -> tf.Tensor:
                index = tf.maximum(tf.minimum(tf.range(length)[None, :] + n, last), 0)
                return tf.gather(x, index, batch_dims=1)

            offsets = range(1, c.delta_width + 1)
            slope = tf.add_n([n * (shifted(n) - shifted(-n)) for n in offsets])
            return slope / (2.0 * sum(n * n for n in offsets))

        mask = tf.sequence_mask(counts, length)[:, :, None]
        # Chosen, not multiplied by zero: padding may hold NaN.
        parts = [tf.where(mask, static, 0.0)]
        for _ in range(c.deltas):
            parts.append(delta(parts[-1]))
        features = tf.cast(tf.concat(parts, axis=2), tf.float64)
        mask = tf.cast(mask, tf.float64)
        total = tf.maximum(tf.cast(counts, tf.float64), 1.0)[:, None, None]
        if c.normalise != "none":
            features -= tf.reduce_sum(features * mask, axis=1, keepdims=True) / total
        if c.normalise == "mean_variance":
            variance = tf.reduce_sum(tf.square(features) * mask, axis=1, keepdims=True) / total
            features /= tf.maximum(tf.sqrt(variance), STD_FLOOR)
        return tf.cast(features * mask, tf.float32)
