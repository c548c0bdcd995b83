"""The acoustic model: feature frames → CTC logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from asr.base.tensorflow import keras, tf
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.recurrent import RecurrentStack


class AcousticModel(keras.Model):
    """A front that lowers the frame rate, a `RecurrentStack`, and one dense layer for each head.

    The model takes float32 features [batch, frames, dimension], zero beyond each utterance's
    length, and int32 lengths [batch]. It returns float32 logits [batch, frames', labels] and int32
    lengths [batch]. Logits beyond an utterance's length are undefined. With a second head, the
    logits are [batch, frames', labels + phones]; `HeadLayout.split` separates them.

    Args:
        config: shape of the model.
        dimension: number of features in a frame.
        labels: number of the tokenizer's labels.
    """

    def __init__(self, config: AcousticConfig, dimension: int, labels: int) -> None:
        super().__init__(name="acoustic")
        self.config, self.dimension, self.labels = config, dimension, labels
        # The kernel spans two strides, so neighbouring output frames overlap by one stride.
        self.kernel = 2 * config.stride
        self.convolution = (
            keras.layers.Conv1D(
                config.filters, self.kernel, config.stride, activation="relu", name="conv"
            )
            if config.front == "conv"
            else None
        )
        self.stack = RecurrentStack(
            config.cell,
            config.units,
            config.layers,
            config.bidirectional,
            config.dropout,
            config.norm,
            name="stack",
        )
        # Always float32: the CTC loss is inaccurate in half precision.
        self.heads = [
            keras.layers.Dense(size, dtype="float32", name=name)
            for name, size in config.head_layout(labels).sizes.items()
        ]
        self.build((None, None, dimension))
        # A signature with open shapes: without one, TensorFlow traces again for every new shape.
        self._traced = tf.function(
            lambda features, lengths: self(features, lengths, training=False)[0],
            input_signature=[
                tf.TensorSpec([None, None, dimension], tf.float32),
                tf.TensorSpec([None], tf.int32),
            ],
            autograph=False,  # nothing here needs AutoGraph
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        # Builds from shapes: otherwise Keras traces the model and runs it once to infer them.
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
        # The steps of the stack: with a look-ahead, it goes on into zeros behind the utterance, and
        # step t + look_ahead gives the logits of frame t.
        ahead = self.config.look_ahead
        steps = (frames + stride - 1) // stride + ahead
        if self.convolution is not None:
            # padding="same" would place its zeros by the padded length of the batch, so an
            # utterance's result would depend on its neighbours.
            left = (self.kernel - stride) // 2
            right = steps * stride - frames + self.kernel - stride - left
            x = self.convolution(tf.pad(features, [[0, 0], [left, right], [0, 0]]))
        else:
            x = tf.pad(features, [[0, 0], [0, steps * stride - frames], [0, 0]])
            x = tf.reshape(x, [tf.shape(x)[0], steps, stride * self.dimension])
        mask = tf.sequence_mask(lengths_out + ahead, steps)
        x = self.stack(x, mask=mask, training=training)[:, ahead:]
        return tf.concat([head(x) for head in self.heads], axis=2), lengths_out

    def named_weights(self) -> dict[str, Any]:
        """Trainable variables by path. Models built earlier do not change the paths."""
        return {variable.path: variable for variable in self.trainable_variables}

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Logits of a batch, without dropout; see `runtimes.EmissionNetwork`."""
        return self._traced(features, lengths).numpy()
