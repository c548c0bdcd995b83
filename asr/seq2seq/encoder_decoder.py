"""The networks in Keras, for training: an encoder with an attention decoder or with CTC."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from asr import ctc
from asr.base.tensorflow import keras, tf
from asr.networks.recurrent import RecurrentStack
from asr.seq2seq.converter_config import Seq2SeqConfig
from asr.seq2seq.pairs import END, PADDING, UNKNOWN

PairBatch = Mapping[str, tf.Tensor]
"""A batch of pairs; `PairDataset.batch` makes it and describes its arrays."""

IMPOSSIBLE = -1e9
"""Logit of a symbol or position that must have probability zero."""


class EncoderNetwork(keras.Model, ABC):
    """Embedding and bidirectional encoder: the base of both kinds of networks.

    Args:
        config: shape of the network.
        sources: size of the source vocabulary.
        targets: size of the target vocabulary.
    """

    def __init__(self, config: Seq2SeqConfig, sources: int, targets: int) -> None:
        super().__init__(name="converter")
        self.config, self.targets = config, targets
        self.embedding = keras.layers.Embedding(sources, config.embedding, name="embedding")
        self.encoder = RecurrentStack(
            config.cell,
            config.encoder_units,
            config.encoder_layers,
            bidirectional=True,
            dropout=config.dropout,
            name="encoder",
        )
        self.drop = keras.layers.Dropout(config.dropout, name="dropout")

    def build(self, input_shape: Any = None) -> None:
        self.embedding.build((None, None))
        self.encoder.build((None, None, self.config.embedding))
        self.built = True

    def encode(self, sources: tf.Tensor, lengths: tf.Tensor, training: bool) -> tf.Tensor:
        """Ids [batch, symbols] → [batch, symbols, width]; undefined beyond each source's length."""
        x = self.drop(self.embedding(sources), training=training)
        mask = tf.sequence_mask(lengths, tf.shape(sources)[1])
        return self.encoder(x, mask=mask, training=training)

    @abstractmethod
    def losses(self, batch: PairBatch, smoothing: float) -> tf.Tensor:
        """Loss of each target in nats, for training: [batch].

        Args:
            batch: the pairs.
            smoothing: weight of label smoothing; 0 gives the negative log-likelihood.
        """

    @abstractmethod
    def exact_matches(self, batch: PairBatch) -> tf.Tensor:
        """Whether greedy decoding converts each source to exactly its target: bool [batch]."""

    def named_weights(self) -> dict[str, Any]:
        """Trainable variables by path. Models built earlier do not change the paths."""
        return {variable.path: variable for variable in self.trainable_variables}


class AttentionNetwork(EncoderNetwork):
    """Encoder, and a decoder of two recurrent layers with attention between them.

    1. The layer `reader` reads the symbols so far, after a summary of the source.
    2. Its output is the query of scaled dot-product attention over the encoder's outputs (Bahdanau
       et al., 2015; Luong et al., 2015, "general").
    3. The layer `writer` reads the query and the result of attention, as in Wu et al. (2016).
    4. The dense layer `head` predicts the next symbol from the output of `writer` and the result of
       attention.

    No layer's input depends on a later layer's output at the step before, so training computes all
    steps of a target at once.
    """

    def __init__(self, config: Seq2SeqConfig, sources: int, targets: int) -> None:
        super().__init__(config, sources, targets)
        # Weights files call this layer "said".
        self.target_embedding = keras.layers.Embedding(targets, config.embedding, name="said")
        self.summary = keras.layers.Dense(config.embedding, name="summary")
        self.reader, self.writer = (
            RecurrentStack(config.cell, config.decoder_units, 1, False, config.dropout, name=name)
            for name in ("reader", "writer")
        )
        self.keys = keras.layers.Dense(config.decoder_units, use_bias=False, name="keys")
        self.head = keras.layers.Dense(targets, name="head")
        self.build()

    def build(self, input_shape: Any = None) -> None:
        width, units = self.encoder.width, self.config.decoder_units
        self.target_embedding.build((None, None))
        self.summary.build((None, width))
        self.reader.build((None, None, self.config.embedding))
        self.keys.build((None, None, width))
        self.writer.build((None, None, units + width))
        self.head.build((None, None, units + width))
        super().build(input_shape)

    def call(self, batch: PairBatch, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Predict each symbol of the targets from the true symbols before it.

        Returns:
            Logits [batch, target symbols + 1, vocabulary], and attention
            [batch, target symbols + 1, source symbols].
        """
        lengths = batch["lengths"]
        encoded = self.encode(batch["sources"], lengths, training)
        units = self.config.encoder_units
        # The last output of either direction, which has read the whole source.
        last = tf.gather(encoded, lengths - 1, batch_dims=1)
        ends = tf.concat([last[:, :units], encoded[:, 0, units:]], axis=1)
        before = self.drop(self.target_embedding(batch["targets"][:, :-1]), training=training)
        inputs = tf.concat([self.summary(ends)[:, None], before], axis=1)
        queries = self.reader(inputs, training=training)
        scores = tf.matmul(queries, self.keys(encoded), transpose_b=True)
        scores *= self.config.decoder_units**-0.5
        inside = tf.sequence_mask(lengths, tf.shape(encoded)[1])[:, None]
        attention = tf.nn.softmax(tf.where(inside, scores, IMPOSSIBLE))
        found = tf.matmul(attention, encoded)
        written = self.writer(tf.concat([queries, found], axis=2), training=training)
        return self.head(tf.concat([written, found], axis=2)), attention

    def losses(self, batch: PairBatch, smoothing: float) -> tf.Tensor:
        """Cross entropy with label smoothing (Szegedy et al., 2016)."""
        logits, _ = self(batch, training=True)
        logs = tf.nn.log_softmax(logits)
        true = tf.gather(logs, batch["targets"], batch_dims=2)
        wanted = (1 - smoothing) * true + smoothing * tf.reduce_mean(logs, axis=2)
        return -tf.reduce_sum(wanted * _valid(batch), axis=1)

    def exact_matches(self, batch: PairBatch) -> tf.Tensor:
        # Until its first error, greedy decoding reads the true symbols. So the predictions after
        # true symbols tell whether it makes an error, without a loop.
        logits, _ = self(batch)
        never = [IMPOSSIBLE if i in (PADDING, UNKNOWN) else 0.0 for i in range(self.targets)]
        best = tf.argmax(logits + tf.constant(never), axis=2, output_type=tf.int32)
        wrong = tf.cast(best != batch["targets"], tf.float32) * _valid(batch)
        return tf.reduce_sum(wrong, axis=1) == 0


class CTCNetwork(EncoderNetwork):
    """Encoder, and several output frames for each source symbol, trained with CTC.

    Frames do not depend on each other's labels (Graves et al., 2006; Rao et al., 2015).
    """

    def __init__(self, config: Seq2SeqConfig, sources: int, targets: int) -> None:
        super().__init__(config, sources, targets)
        self.head = keras.layers.Dense(config.frames * targets, name="head")
        self.build()

    def build(self, input_shape: Any = None) -> None:
        self.head.build((None, None, self.encoder.width))
        super().build(input_shape)

    def call(self, batch: PairBatch, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits [batch, source symbols × frames, vocabulary], and number of frames [batch]."""
        encoded = self.encode(batch["sources"], batch["lengths"], training)
        shape = tf.shape(encoded)
        logits = tf.reshape(
            self.head(encoded), [shape[0], shape[1] * self.config.frames, self.targets]
        )
        return logits, batch["lengths"] * self.config.frames

    def losses(self, batch: PairBatch, smoothing: float) -> tf.Tensor:
        """The CTC loss; `smoothing` as in `ctc.loss`."""
        logits, lengths = self(batch, training=True)
        return ctc.loss(logits, lengths, batch["targets"], batch["target_lengths"], smoothing)

    def exact_matches(self, batch: PairBatch) -> tf.Tensor:
        logits, lengths = self(batch)
        best = tf.argmax(logits, axis=2, output_type=tf.int32)
        frames = tf.shape(logits)[1]
        new = tf.concat([tf.ones_like(best[:, :1], tf.bool), best[:, 1:] != best[:, :-1]], axis=1)
        labels = new & (best != PADDING) & tf.sequence_mask(lengths, frames)
        predicted = tf.ragged.boolean_mask(best, labels).to_tensor(shape=[None, None])
        wanted = tf.where(tf.cast(_valid(batch), tf.bool), batch["targets"], PADDING)
        wanted = tf.where(wanted == END, PADDING, wanted)
        width = tf.maximum(tf.shape(predicted)[1], tf.shape(wanted)[1])
        predicted, wanted = (
            tf.pad(x, [[0, 0], [0, width - tf.shape(x)[1]]]) for x in (predicted, wanted)
        )
        return tf.reduce_all(predicted == wanted, axis=1)


def make_network(config: Seq2SeqConfig, sources: int, targets: int) -> EncoderNetwork:
    """Make the network of a configuration; the arguments are those of `EncoderNetwork`."""
    kind = AttentionNetwork if config.kind == "attention" else CTCNetwork
    return kind(config, sources, targets)


def _valid(batch: PairBatch) -> tf.Tensor:
    """1.0 for the symbols and the end of each target: float32 [batch, target symbols + 1]."""
    return tf.sequence_mask(
        batch["target_lengths"] + 1, tf.shape(batch["targets"])[1], dtype=tf.float32
    )
