"""The language model's network: label ids so far → logits of the next one."""

from __future__ import annotations

from typing import Any

from asr.base.tensorflow import keras, tf
from asr.language.recurrent_lm import LanguageNetworkConfig
from asr.networks.recurrent import RecurrentStack


class LanguageNetwork(keras.Model):
    """Embedding, `RecurrentStack`, and the embedding again as the output layer.

    Called with int32 ids [batch, time] and lengths [batch]; returns float32 logits
    [batch, time, labels] of what follows each id. Sharing the embedding (Press & Wolf, 2017)
    leaves most of a small model's weights to the recurrent layers.
    """

    def __init__(self, config: LanguageNetworkConfig, labels: int) -> None:
        super().__init__(name="language")
        self.config, self.labels = config, labels
        self.stack = RecurrentStack(
            config.cell, config.units, config.layers, False, config.dropout, name="stack"
        )
        self.drop = keras.layers.Dropout(config.dropout)
        self.projection = keras.layers.Dense(config.embedding, name="projection")
        self.build((None, None))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        config = self.config
        self.embedding = self.add_weight(
            shape=(self.labels, config.embedding), name="embedding",
            initializer=keras.initializers.RandomNormal(stddev=config.embedding**-0.5),
        )  # fmt: skip
        self.bias = self.add_weight(shape=(self.labels,), initializer="zeros", name="bias")
        self.stack.build((None, None, config.embedding))
        self.projection.build((None, None, config.units))
        self.built = True

    def call(self, ids: tf.Tensor, lengths: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = self.drop(tf.gather(self.embedding.value, ids), training=training)
        x = self.stack(x, mask=tf.sequence_mask(lengths, tf.shape(ids)[1]), training=training)
        return tf.matmul(self.projection(x), self.embedding.value, transpose_b=True) + self.bias

    def named_weights(self) -> dict[str, Any]:
        """Every trained variable by its path."""
        return {variable.path: variable for variable in self.trainable_variables}
