"""`LanguageNetwork`: the network of a recurrent language model, in TensorFlow, for training."""

from __future__ import annotations

from typing import Any

from asr.base.tensorflow import keras, tf
from asr.language.recurrent_lm import LanguageNetworkConfig
from asr.networks.recurrent import RecurrentStack


class LanguageNetwork(keras.Model):
    """Embedding, `RecurrentStack`, and the embedding again as the output layer.

    Because input and output share the embedding (Press & Wolf, 2017), most weights of a small
    model are in the recurrent layers.

    Args:
        config: shape of the network.
        labels: size of the tokenizer.
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
            shape=(self.labels, config.embedding),
            name="embedding",
            initializer=keras.initializers.RandomNormal(stddev=config.embedding**-0.5),
        )
        self.bias = self.add_weight(shape=(self.labels,), initializer="zeros", name="bias")
        self.stack.build((None, None, config.embedding))
        self.projection.build((None, None, config.units))
        self.built = True

    def call(self, ids: tf.Tensor, lengths: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Predict the label that follows each label.

        Args:
            ids: label ids, int32 [batch, time].
            lengths: labels of each sentence, int32 [batch].
            training: whether dropout is active. Default False.

        Returns:
            Logits, float32 [batch, time, labels].
        """
        x = self.drop(tf.gather(self.embedding.value, ids), training=training)
        x = self.stack(x, mask=tf.sequence_mask(lengths, tf.shape(ids)[1]), training=training)
        return tf.matmul(self.projection(x), self.embedding.value, transpose_b=True) + self.bias

    def named_weights(self) -> dict[str, Any]:
        """The trainable variables by path."""
        return {variable.path: variable for variable in self.trainable_variables}
