"""The acoustic model: feature frames → CTC logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from asr.base.tensorflow import keras, tf
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.recurrent import RecurrentStack


class AcousticModel(keras.Model):
    """Front, `RecurrentStack` and a dense layer to the labels.

    Called with float32 features [batch, frames, dimension], zero beyond each utterance's end, and
    int32 lengths [batch]; returns float32 logits [batch, frames', labels] and int32 lengths
    [batch]. Logits beyond an utterance's length mean nothing. With a second head, its logits stand
    behind those of the first: [batch, frames', labels + phones], two distributions side by side.
    """

    def __init__(self, config: AcousticConfig, dimension: int, labels: int) -> None:
        super().__init__(name="acoustic")
        self.config, self.dimension, self.labels = config, dimension, labels
        # The kernel spans two strides, so that neighbouring output frames overlap by one.
        self.kernel = 2 * config.stride
        self.convolution = (
            keras.layers.Conv1D(
                config.filters, self.kernel, config.stride, activation="relu", name="conv"
            )
            if config.front == "conv"
            else None
        )
        self.stack = RecurrentStack(
            config.cell, config.units, config.layers, config.bidirectional, config.dropout,
            config.norm, name="stack",
        )  # fmt: skip
        # float32 under any precision policy: CTC in half precision is wrong.
        self.heads = [
            keras.layers.Dense(size, dtype="float32", name=name)
            for name, size in config.heads(labels).items()
        ]
        self.build((None, None, dimension))
        # One signature with open shapes: otherwise every new shape is traced again.
        self._traced = tf.function(
            lambda features, lengths: self(features, lengths, training=False)[0],
            input_signature=[
                tf.TensorSpec([None, None, dimension], tf.float32),
                tf.TensorSpec([None], tf.int32),
            ],
            autograph=False,  # there is no Python of ours to rewrite
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        # By shapes alone: Keras would otherwise trace the graph for them, and run it once.
        if self.convolution is not None:
            self.convolution.build(input_shape)
            width = self.config.filters
        else:
            width = self.config.stride * self.dimension
        self.stack.build((None, None, width))
        for head in self.heads:
            head.build((None, None, self.stack.width))
        self.built = True

    def call(
        self, features: tf.Tensor, lengths: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        stride = self.config.stride
        lengths_out = (lengths + stride - 1) // stride
        frames = tf.shape(features)[1]
        frames_out = (frames + stride - 1) // stride
        if self.convolution is not None:
            # Not padding="same": where that puts its zeros depends on the padded length.
            left = (self.kernel - stride) // 2
            right = frames_out * stride - frames + self.kernel - stride - left
            x = self.convolution(tf.pad(features, [[0, 0], [left, right], [0, 0]]))
        else:
            x = tf.pad(features, [[0, 0], [0, frames_out * stride - frames], [0, 0]])
            x = tf.reshape(x, [tf.shape(x)[0], frames_out, stride * self.dimension])
        mask = tf.sequence_mask(lengths_out, frames_out)
        x = self.stack(x, mask=mask, training=training)
        return tf.concat([head(x) for head in self.heads], axis=2), lengths_out

    def named_weights(self) -> dict[str, Any]:
        """Every trained variable by its path, which does not depend on what else was built."""
        return {variable.path: variable for variable in self.trainable_variables}

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The same from array to array (see `recognizer.Network`)."""
        return self._traced(features, lengths).numpy()
