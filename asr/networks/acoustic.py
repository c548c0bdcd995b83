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
        self.middle_heads = [
            keras.layers.Dense(size, dtype="float32", name="middle_" + name)
            for name, size in (config.head_layout(labels).sizes.items() if config.middle else ())
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
        for head in (*self.heads, *self.middle_heads):
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
        if self.middle_heads and training:
            self.middle = tf.concat([head(self.stack.middle) for head in self.middle_heads], axis=2)
        return tf.concat([head(x) for head in self.heads], axis=2), lengths_out

    def named_weights(self) -> dict[str, Any]:
        """Trainable variables by path. Models built earlier do not change the paths."""
        return {v.path: v for v in self.trainable_variables if "middle_" not in v.path}

    def folded(self) -> dict[str, np.ndarray]:
        arrays = {p: v.numpy().astype(np.float32) for p, v in self.named_weights().items()}
        if self.config.norm != "batch":
            return arrays
        for i, norm in enumerate(self.stack.norms):
            s = norm.gamma.numpy() / np.sqrt(norm.var.numpy() + 1e-3)
            t = norm.beta.numpy() - norm.mean.numpy() * s
            arrays = {p: a for p, a in arrays.items() if f"/norm_{i}/" not in p}
            if i + 1 < self.config.layers:
                cell = next(p for p in arrays if f"lstm_{i + 1}/kernel" in p)
                k, b = cell, cell.replace("/kernel", "/bias")
                arrays[b] = arrays[b] + np.einsum("n,dng->dg", t, arrays[k])
                arrays[k] = arrays[k] * s[None, :, None]
            else:
                for head in self.heads:
                    k, b = head.kernel.path, head.bias.path
                    arrays[b] = arrays[b] + t @ arrays[k]
                    arrays[k] = arrays[k] * s[:, None]
        return arrays

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Logits of a batch, without dropout; see `runtimes.EmissionNetwork`."""
        return self._traced(features, lengths).numpy()
