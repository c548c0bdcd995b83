"""`RecurrentStack`: the recurrent network that all models of the project share."""

from __future__ import annotations

from typing import Any, Literal, get_args

from asr.base.tensorflow import keras
from asr.errors import ConfigError
from asr.networks.acoustic_config import Cell
from asr.networks.gru import FusedGRU
from asr.networks.lstm import FusedLSTM


class BatchNorm(keras.layers.Layer):
    """Trial: Deep Speech 2's, over all valid steps of the batch, at the place of layer norm."""

    def build(self, shape):
        n = shape[-1]
        self.gamma = self.add_weight(shape=(n,), initializer="ones", name="gamma", autocast=False)
        self.beta = self.add_weight(shape=(n,), initializer="zeros", name="beta", autocast=False)
        self.mean = self.add_weight(shape=(n,), initializer="zeros", name="mean", trainable=False, autocast=False)
        self.var = self.add_weight(shape=(n,), initializer="ones", name="var", trainable=False, autocast=False)
        self.built = True

    def call(self, x, mask=None, training=False):
        from asr.base.tensorflow import tf
        y = tf.cast(x, tf.float32)
        if training:
            w = tf.cast(mask, tf.float32)[:, :, None]
            total = tf.reduce_sum(w)
            mean = tf.reduce_sum(y * w, [0, 1]) / total
            var = tf.reduce_sum(tf.square(y - mean) * w, [0, 1]) / total
            self.mean.assign(0.98 * self.mean + 0.02 * mean)
            self.var.assign(0.98 * self.var + 0.02 * var)
        else:
            mean, var = self.mean, self.var
        y = (y - mean) / tf.sqrt(var + 1e-3) * self.gamma + self.beta
        return tf.cast(y, x.dtype)


@keras.saving.register_keras_serializable("asr")
class RecurrentStack(keras.layers.Layer):
    """Layers of recurrent cells, each followed by layer normalisation and dropout.

    The stack takes inputs [batch, time, n] and a boolean mask [batch, time], and returns
    [batch, time, units], or 2 × units when bidirectional. Masked steps do not change the outputs of
    valid steps, so an utterance has the same result alone and in any padded batch.

    Args:
        cell: vanilla "rnn" (Elman, 1990), "lstm" (Hochreiter & Schmidhuber, 1997) or "gru"
            (Cho et al., 2014).
        units: size of the state of each direction.
        layers: number of layers.
        bidirectional: whether each layer has a second cell that reads backwards (Schuster &
            Paliwal, 1997); the outputs of both are concatenated.
        dropout: share of each layer's outputs to drop in training.
        norm: "layer" for layer normalisation of each layer's outputs (Ba et al., 2016), or "none".
    """

    def __init__(
        self,
        cell: Cell = "lstm",
        units: int = 256,
        layers: int = 3,
        bidirectional: bool = True,
        dropout: float = 0.0,
        norm: Literal["layer", "none"] = "layer",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cell, self.units, self.layers = cell, units, layers
        self.bidirectional, self.dropout, self.norm = bidirectional, dropout, norm
        self.recurrent: list[keras.layers.Layer] = []
        self.norms: list[keras.layers.Layer] = []
        for i in range(layers):
            layer = self._cell_layer(f"{cell}_{i}")
            self.recurrent.append(layer)
            if norm == "batch":
                self.norms.append(BatchNorm(name=f"norm_{i}"))
            if norm == "layer":
                self.norms.append(keras.layers.LayerNormalization(name=f"norm_{i}"))
        self.drop = keras.layers.Dropout(dropout, name="dropout")
        self.supports_masking = True

    def _cell_layer(self, name: str) -> keras.layers.Layer:
        if self.cell == "lstm":
            return FusedLSTM(self.units, self.bidirectional, name=name)
        if self.cell == "gru":
            return FusedGRU(self.units, self.bidirectional, name=name)
        if self.cell != "rnn":
            raise ConfigError(
                f"cell: {self.cell!r} is not known; one of {', '.join(get_args(Cell))}"
            )
        layer = keras.layers.SimpleRNN(self.units, return_sequences=True, name=name)
        return keras.layers.Bidirectional(layer, name=f"bi_{name}") if self.bidirectional else layer

    @property
    def width(self) -> int:
        """Size of the last axis of the output."""
        return self.units * (2 if self.bidirectional else 1)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = tuple(input_shape)
        for i, layer in enumerate(self.recurrent):
            layer.build(shape)
            shape = (*shape[:-1], self.width)
            if self.norms:
                self.norms[i].build(shape)
        self.built = True

    def call(self, x: Any, mask: Any = None, training: bool = False) -> Any:
        for i, layer in enumerate(self.recurrent):
            x = layer(x, mask=mask, training=training)
            if self.norm == "batch":
                x = self.norms[i](x, mask=mask, training=training)
            elif self.norms:
                x = self.norms[i](x)
            x = self.drop(x, training=training)
            if i == self.layers - 2:
                self.middle = x
        return x

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "cell": self.cell,
            "units": self.units,
            "layers": self.layers,
            "bidirectional": self.bidirectional,
            "dropout": self.dropout,
            "norm": self.norm,
        }
