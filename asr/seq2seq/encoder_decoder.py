"""The networks that training needs: an encoder and, on top, attention and a decoder, or CTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asr import ctc
from asr.base.tensorflow import keras, tf
from asr.networks.recurrent import RecurrentStack
from asr.seq2seq.converter_config import Seq2SeqConfig
from asr.seq2seq.pairs import END, PADDING, UNKNOWN

Batch = Mapping[str, tf.Tensor]
"""See `PairDataset.batch`."""

FAR = -1e9
"""A logit whose probability is zero."""


class Network(keras.Model):
    """Embedding and bidirectional encoder, which both kinds share.

    Args:
        sources, targets: sizes of the vocabularies.
    """

    def __init__(self, config: Seq2SeqConfig, sources: int, targets: int) -> None:
        super().__init__(name="converter")
        self.config, self.targets = config, targets
        self.embedding = keras.layers.Embedding(sources, config.embedding, name="embedding")
        self.encoder = RecurrentStack(
            config.cell, config.encoder_units, config.encoder_layers, True, config.dropout,
            name="encoder",
        )  # fmt: skip
        self.drop = keras.layers.Dropout(config.dropout, name="dropout")

    def build(self, input_shape: Any = None) -> None:
        self.embedding.build((None, None))
        self.encoder.build((None, None, self.config.embedding))
        self.built = True

    def encode(self, sources: tf.Tensor, lengths: tf.Tensor, training: bool) -> tf.Tensor:
        """Ids [batch, symbols] → [batch, symbols, width]; beyond a length it means nothing."""
        x = self.drop(self.embedding(sources), training=training)
        mask = tf.sequence_mask(lengths, tf.shape(sources)[1])
        return self.encoder(x, mask=mask, training=training)

    def losses(self, batch: Batch, smoothing: float) -> tf.Tensor:
        """Negative log-likelihood of each target in nats, for training: [batch]."""
        raise NotImplementedError

    def right(self, batch: Batch) -> tf.Tensor:
        """Whether greedy decoding makes of each source exactly its target: bool [batch]."""
        raise NotImplementedError

    def named_weights(self) -> dict[str, Any]:
        """Every trained variable by its path, which does not depend on what else was built."""
        return {variable.path: variable for variable in self.trainable_variables}


class AttentionNetwork(Network):
    """Encoder, and a decoder of two recurrent layers with attention between them.

    Layer A reads the symbols so far, the encoder's summary before the first; what it says is the
    query of scaled dot-product attention (Bahdanau et al., 2015; Luong et al., 2015, "general")
    over the encoder's outputs; layer B reads A's output and what attention found, as in Wu et al.
    (2016), and the next symbol is read off B and the latter. As no layer's input depends on what
    a later one said a step before, all steps of a known target are computed at once.
    """

    def __init__(self, config: Seq2SeqConfig, sources: int, targets: int) -> None:
        super().__init__(config, sources, targets)
        self.said = keras.layers.Embedding(targets, config.embedding, name="said")
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
        self.said.build((None, None))
        self.summary.build((None, width))
        self.reader.build((None, None, self.config.embedding))
        self.keys.build((None, None, width))
        self.writer.build((None, None, units + width))
        self.head.build((None, None, units + width))
        super().build(input_shape)

    def call(self, batch: Batch, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits [batch, target symbols + 1, vocabulary] of each symbol after the true ones before
        it, and attention [batch, target symbols + 1, source symbols]."""
        lengths = batch["lengths"]
        encoded = self.encode(batch["sources"], lengths, training)
        units = self.config.encoder_units
        # The end of either direction: what has read all of the source.
        last = tf.gather(encoded, lengths - 1, batch_dims=1)
        ends = tf.concat([last[:, :units], encoded[:, 0, units:]], axis=1)
        before = self.drop(self.said(batch["targets"][:, :-1]), training=training)
        said = tf.concat([self.summary(ends)[:, None], before], axis=1)
        queries = self.reader(said, training=training)
        scores = tf.matmul(queries, self.keys(encoded), transpose_b=True)
        scores *= self.config.decoder_units**-0.5
        inside = tf.sequence_mask(lengths, tf.shape(encoded)[1])[:, None]
        attention = tf.nn.softmax(tf.where(inside, scores, FAR))
        found = tf.matmul(attention, encoded)
        written = self.writer(tf.concat([queries, found], axis=2), training=training)
        return self.head(tf.concat([written, found], axis=2)), attention

    def losses(self, batch: Batch, smoothing: float) -> tf.Tensor:
        """With label smoothing (Szegedy et al., 2016)."""
        logits, _ = self(batch, training=True)
        logs = tf.nn.log_softmax(logits)
        true = tf.gather(logs, batch["targets"], batch_dims=2)
        wanted = (1 - smoothing) * true + smoothing * tf.reduce_mean(logs, axis=2)
        return -tf.reduce_sum(wanted * _valid(batch), axis=1)

    def right(self, batch: Batch) -> tf.Tensor:
        # Greedy decoding goes wrong where it first differs from the target, and until then it has
        # read the true symbols: no loop is needed to know whether it does.
        logits, _ = self(batch)
        never = [FAR if i in (PADDING, UNKNOWN) else 0.0 for i in range(self.targets)]
        best = tf.argmax(logits + tf.constant(never), axis=2, output_type=tf.int32)
        wrong = tf.cast(best != batch["targets"], tf.float32) * _valid(batch)
        return tf.reduce_sum(wrong, axis=1) == 0


class CTCNetwork(Network):
    """Encoder, and of each source symbol some frames of labels (Graves et al., 2006): a label says
    nothing of the others, which only the encoder ties together (Rao et al., 2015)."""

    def __init__(self, config: Seq2SeqConfig, sources: int, targets: int) -> None:
        super().__init__(config, sources, targets)
        self.head = keras.layers.Dense(config.frames * targets, name="head")
        self.build()

    def build(self, input_shape: Any = None) -> None:
        self.head.build((None, None, self.encoder.width))
        super().build(input_shape)

    def call(self, batch: Batch, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits [batch, source symbols × frames, vocabulary], and how many frames: [batch]."""
        encoded = self.encode(batch["sources"], batch["lengths"], training)
        shape = tf.shape(encoded)
        logits = tf.reshape(
            self.head(encoded), [shape[0], shape[1] * self.config.frames, self.targets]
        )
        return logits, batch["lengths"] * self.config.frames

    def losses(self, batch: Batch, smoothing: float) -> tf.Tensor:
        """Smoothing leaves a share to the divergence from uniform (Kim et al., 2018)."""
        logits, lengths = self(batch, training=True)
        total = ctc.loss(logits, lengths, batch["targets"], batch["target_lengths"])
        if not smoothing:
            return total
        valid = tf.cast(tf.sequence_mask(lengths, tf.shape(logits)[1]), tf.float32)
        uniform = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=2)
        return (1 - smoothing) * total + smoothing * tf.reduce_sum(uniform * valid, axis=1)

    def right(self, batch: Batch) -> tf.Tensor:
        logits, lengths = self(batch)
        best = tf.argmax(logits, axis=2, output_type=tf.int32)
        frames = tf.shape(logits)[1]
        new = tf.concat([tf.ones_like(best[:, :1], tf.bool), best[:, 1:] != best[:, :-1]], axis=1)
        labels = new & (best != PADDING) & tf.sequence_mask(lengths, frames)
        said = tf.ragged.boolean_mask(best, labels).to_tensor(shape=[None, None])
        wanted = tf.where(tf.cast(_valid(batch), tf.bool), batch["targets"], PADDING)
        wanted = tf.where(wanted == END, PADDING, wanted)
        width = tf.maximum(tf.shape(said)[1], tf.shape(wanted)[1])
        said, wanted = (tf.pad(x, [[0, 0], [0, width - tf.shape(x)[1]]]) for x in (said, wanted))
        return tf.reduce_all(said == wanted, axis=1)


def make_network(config: Seq2SeqConfig, sources: int, targets: int) -> Network:
    """The network of a configuration, for vocabularies of these sizes."""
    kind = AttentionNetwork if config.kind == "attention" else CTCNetwork
    return kind(config, sources, targets)


def _valid(batch: Batch) -> tf.Tensor:
    """Which target symbols count, the end among them: float32 [batch, target symbols + 1]."""
    return tf.sequence_mask(
        batch["target_lengths"] + 1, tf.shape(batch["targets"])[1], dtype=tf.float32
    )
