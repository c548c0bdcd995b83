"""The acoustic model of a voice: symbols → durations, pitch and log-mel frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.base.tensorflow import keras, tf
from asr.networks.recurrent import Cell, RecurrentStack

FRAMES_A_STEP = 2
"""Mel frames of one decoder step, which is also the unit of durations (23 ms)."""
PITCH_POINTS = 2
"""Values of a symbol's pitch: the mean of its first and of its second half."""
PITCH_BINS = 24
"""A step's pitch is shown to the decoder as so many bumps, so that it can place harmonics."""
PLACES = 4
"""Values that say where in its symbol a step is."""
LONGEST = 80
"""Steps of a symbol: nobody is silent, or holds a vowel, for longer than two seconds."""


@dataclass(frozen=True, config=STRICT)
class VoiceAcousticConfig:
    """Shape of a voice's network; travels inside every voice."""

    embedding: int = Field(default=128, ge=1)
    cell: Cell = "gru"
    encoder_units: int = Field(default=128, ge=1)
    encoder_layers: int = Field(default=2, ge=1)
    predictor_units: int = Field(default=128, ge=1)
    decoder_units: int = Field(default=256, ge=1)
    decoder_layers: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)


class VoiceModel(keras.Model):
    """Encoder over symbols, predictors of durations and pitch, length regulation, decoder.

    After FastSpeech (Ren et al., 2019) and FastPitch (Łańcucki, 2021), with recurrent stacks where
    those have transformers. All stacks are bidirectional and masked: a sentence's result is the
    same alone and in any padded batch.

    Pitch is the natural logarithm of the fundamental frequency, standardised over the voice, and
    goes on through unvoiced symbols. `scales` holds what standardises pitch and mel frames.
    """

    def __init__(self, config: VoiceAcousticConfig, symbols: int, mels: int) -> None:
        super().__init__(name="voice")
        self.config, self.mels = config, mels
        c = config
        self.embed = keras.layers.Embedding(symbols, c.embedding, name="embedding")
        self.encoder = RecurrentStack(
            c.cell, c.encoder_units, c.encoder_layers, True, c.dropout, name="encoder"
        )
        self.duration = _Predictor(c, 1, "duration")
        self.pitch = _Predictor(c, PITCH_POINTS, "pitch")
        self.prenet = keras.layers.Dense(c.decoder_units, activation="relu", name="prenet")
        self.decoder = RecurrentStack(
            c.cell, c.decoder_units, c.decoder_layers, True, c.dropout, name="decoder"
        )
        self.head = keras.layers.Dense(FRAMES_A_STEP * mels, name="head")
        self.scales = {
            name: self.add_weight(name=name, shape=shape, initializer=start, trainable=False)
            for name, shape, start in (
                ("mel_mean", [mels], "zeros"), ("mel_deviation", [mels], "ones"),
                ("pitch_mean", [], "zeros"), ("pitch_deviation", [], "ones"),
            )
        }  # fmt: skip
        self.build((None, None))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        # By shapes alone: Keras would otherwise trace the graph for them, and run it once.
        c, outer = self.config, (None, None)
        self.embed.build(outer)
        self.encoder.build((*outer, c.embedding))
        encoded = self.encoder.width
        self.duration.build((*outer, encoded))
        self.pitch.build((*outer, encoded))
        self.prenet.build((*outer, encoded + PLACES + 1 + PITCH_BINS))
        self.decoder.build((*outer, c.decoder_units))
        self.head.build((*outer, self.decoder.width))
        self.built = True

    def call(
        self, symbols: tf.Tensor, lengths: tf.Tensor, durations: tf.Tensor, pitch: tf.Tensor,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:  # fmt: skip
        """With given durations and pitch, as in training.

        Args:
            symbols: int32 [batch, symbols], anything beyond `lengths` (int32 [batch]).
            durations: int32 [batch, symbols], steps; zero beyond the lengths.
            pitch: float32 [batch, symbols, PITCH_POINTS], standardised.

        Returns:
            Standardised frames [batch, steps × FRAMES_A_STEP, mels]; log(1 + steps)
            [batch, symbols] and pitch [batch, symbols, PITCH_POINTS] as predicted.
        """
        encoded = self.encode(symbols, lengths, training)
        frames = self.decode(encoded, durations, pitch, training)
        steps = self.duration(encoded, training=training)[..., 0]
        return frames, steps, self.pitch(encoded, training=training)

    def encode(self, symbols: tf.Tensor, lengths: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Symbols in their context: [batch, symbols, 2 × encoder_units]."""
        mask = tf.sequence_mask(lengths, tf.shape(symbols)[1])
        return self.encoder(self.embed(symbols), mask=mask, training=training)

    def plan(
        self, encoded: tf.Tensor, lengths: tf.Tensor, silent: tf.Tensor, rate: tf.Tensor,
        shift: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:  # fmt: skip
        """Durations in steps and pitch of encoded symbols, as the predictors have them.

        Args:
            silent: bool [batch, symbols], those that may last for no time at all.
            rate: speed, 1 as learnt, 2 twice as fast. shift: semitones up.
        """
        steps = (tf.exp(self.duration(encoded)[..., 0]) - 1.0) / rate
        valid = tf.sequence_mask(lengths, tf.shape(encoded)[1])
        # Rounded on the running total: what one symbol loses the next one gets.
        total = tf.cumsum(
            tf.where(valid, tf.clip_by_value(steps, 0.0, float(LONGEST)), 0.0), axis=1
        )
        ends = tf.cast(tf.round(total), tf.int32)
        rounded = ends - tf.pad(ends[:, :-1], [[0, 0], [1, 0]])
        least = tf.where(silent, 0, 1)
        durations = tf.where(valid, tf.maximum(rounded, least), 0)
        pitch = self.pitch(encoded) + shift * np.log(2) / 12 / self.scales["pitch_deviation"]
        return durations, pitch

    def decode(
        self, encoded: tf.Tensor, durations: tf.Tensor, pitch: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Standardised frames [batch, steps × FRAMES_A_STEP, mels] of symbols that last so long."""
        ends = tf.cumsum(durations, axis=1)
        total = ends[:, -1]
        steps = tf.reduce_max(total)
        time = tf.tile(tf.range(steps)[None], [tf.shape(ends)[0], 1])
        owner = tf.searchsorted(ends, time, side="right")
        owner = tf.minimum(owner, tf.shape(ends)[1] - 1)

        def at_step(values: tf.Tensor) -> tf.Tensor:
            return tf.gather(values, owner, batch_dims=1)

        length = tf.cast(tf.maximum(at_step(durations), 1), tf.float32)
        done = tf.cast(time - at_step(ends - durations), tf.float32) + 0.5
        done = tf.minimum(done, length - 0.5)  # beyond a sentence's end too: all stays finite
        place = done / length
        # From the middle of the first half to the middle of the second one, level beyond.
        share = tf.clip_by_value(2 * place - 0.5, 0.0, 1.0)
        first, second = tf.unstack(at_step(pitch), PITCH_POINTS, axis=-1)
        height = (1 - share) * first + share * second
        centres = tf.linspace(-3.0, 3.0, PITCH_BINS)
        bumps = tf.exp(-tf.square((height[..., None] - centres) * (PITCH_BINS / 6)) / 2)
        where = tf.stack(
            [place, tf.math.log(length), 1 / (0.5 + done), 1 / (0.5 + length - done)], -1
        )
        x = self.prenet(tf.concat([at_step(encoded), where, height[..., None], bumps], axis=-1))
        x = self.decoder(x, mask=tf.sequence_mask(total, steps), training=training)
        return tf.reshape(self.head(x), [tf.shape(x)[0], FRAMES_A_STEP * steps, self.mels])

    def named_weights(self) -> dict[str, Any]:
        """Every variable that a voice is made of, by its path."""
        variables = [*self.trainable_variables, *self.scales.values()]
        return {variable.path: variable for variable in variables}


class _Predictor(keras.layers.Layer):
    """Values of each symbol from what surrounds it: [batch, symbols, n] → [..., outputs]."""

    def __init__(self, config: VoiceAcousticConfig, outputs: int, name: str) -> None:
        super().__init__(name=name)
        self.supports_masking = True
        self.hidden = keras.layers.Dense(config.predictor_units, activation="relu", name="hidden")
        self.drop = keras.layers.Dropout(config.dropout)
        self.out = keras.layers.Dense(outputs, name="out")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.hidden.build(input_shape)
        self.out.build((*input_shape[:-1], self.hidden.units))
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.out(self.drop(self.hidden(x), training=training))
