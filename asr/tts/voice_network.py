"""`VoiceModel`: the Keras network of a voice, from symbols to durations, pitch and log-mel frames.

Training and exported voices use it. `voice_runtime` computes the same without TensorFlow.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from asr.base.files import atomic_write
from asr.base.tensorflow import keras, tf
from asr.networks.model_directory import LEXICON_FILE, write_model
from asr.networks.recurrent import RecurrentStack
from asr.networks.weights import Weighted, load_weights, weights_file
from asr.pronunciation.pronouncer import Pronouncer, write_lexicon
from asr.tts.harmonic_bands import HIGHEST_PITCH, LOWEST_PITCH, PITCHES, harmonic_bands
from asr.tts.mel import MelConfig
from asr.tts.scales import add_scales
from asr.tts.sentences import SILENT, SYMBOLS
from asr.tts.voice_config import (
    FRAMES_PER_STEP,
    MAX_STEPS,
    PITCH_BINS,
    PITCH_POINTS,
    POSITION_FEATURES,
    SPEAKER_SCALE,
    VOCODER_FILE,
    VoiceAcousticConfig,
    VoiceConfig,
)

SPEAKER_VECTORS = "voice/speaker/embeddings"
"""Path of the speakers' vectors, of a voice that has several."""


class VoiceModel(keras.Model):
    """An encoder over symbols, predictors of durations and pitch, and a decoder over steps.

    The design follows FastSpeech (Ren et al., 2019) and FastPitch (Łańcucki, 2021), with recurrent
    stacks instead of transformers. All stacks are bidirectional and masked, so that a sentence
    gives the same result alone and in any padded batch.

    A voice of several speakers has a vector for each, which is added to the encoder's output.
    Everything else is shared, so that a speaker with little data learns from the others.

    Pitch is the natural logarithm of the fundamental frequency, standardised over the voice.
    Unvoiced symbols have an interpolated pitch. `scales` holds the means and standard deviations of
    pitch and mel frames.

    Args:
        config: shape of the network.
        symbols: number of different symbols.
        mel: frame and band settings.
        speakers: number of speakers, if there are several; default: 0, one without a vector.
    """

    def __init__(
        self, config: VoiceAcousticConfig, symbols: int, mel: MelConfig, speakers: int = 0
    ) -> None:
        super().__init__(name="voice")
        self.config, self.mel = config, mel
        c = config
        self.embed = keras.layers.Embedding(symbols, c.embedding, name="embedding")
        self.encoder = RecurrentStack(
            c.cell, c.encoder_units, c.encoder_layers, True, c.dropout, name="encoder"
        )
        # All vectors are zero at first: a speaker begins as the mean of all.
        self.speaker = (
            keras.layers.Embedding(speakers, self.encoder.width, "zeros", name="speaker")
            if speakers > 1
            else None
        )
        self.duration = _Predictor(c, 1, "duration")
        self.pitch = _Predictor(c, PITCH_POINTS, "pitch")
        self.prenet = keras.layers.Dense(c.decoder_units, activation="relu", name="prenet")
        self.decoder = RecurrentStack(
            c.cell, c.decoder_units, c.decoder_layers, True, c.dropout, name="decoder"
        )
        parts = 2 if c.harmonics else 1  # the envelope, and how far harmonics stand out
        self.head = keras.layers.Dense(FRAMES_PER_STEP * parts * mel.mels, name="head")
        self.scales = add_scales(self, mel.mels)
        self.build((None, None))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        # Without this, Keras would trace and run the network to find the shapes.
        c, outer = self.config, (None, None)
        self.embed.build(outer)
        self.encoder.build((*outer, c.embedding))
        encoded = self.encoder.width
        if self.speaker is not None:
            self.speaker.build((None,))
        self.duration.build((*outer, encoded))
        self.pitch.build((*outer, encoded))
        self.prenet.build((*outer, encoded + POSITION_FEATURES + 1 + PITCH_BINS))
        self.decoder.build((*outer, c.decoder_units))
        self.head.build((*outer, self.decoder.width))
        self.built = True

    def call(
        self,
        symbols: tf.Tensor,
        lengths: tf.Tensor,
        speakers: tf.Tensor,
        durations: tf.Tensor,
        heights: tf.Tensor,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Frames for given durations and pitch, and the predicted durations and pitch.

        Args:
            symbols: symbol ids, int32 [batch, symbols]; ids beyond the lengths are ignored.
            lengths: symbols of each sentence, int32 [batch].
            speakers: speaker of each sentence, int32 [batch]; one voice alone ignores it.
            durations: steps of each symbol, int32 [batch, symbols]; zero beyond the lengths.
            heights: standardised pitch of each step, float32 [batch, steps].
            training: whether dropout is on; default: False.

        Returns:
            Standardised frames [batch, steps × FRAMES_PER_STEP, mels]; predicted log(1 + steps)
            [batch, symbols]; predicted pitch [batch, symbols, PITCH_POINTS].
        """
        encoded = self.encode(symbols, lengths, speakers, training)
        frames = self.decode(encoded, durations, heights, training)
        steps = self.duration(encoded, training=training)[..., 0]
        return frames, steps, self.pitch(encoded, training=training)

    def encode(
        self, symbols: tf.Tensor, lengths: tf.Tensor, speakers: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """The encoder's output for the speakers, [batch, symbols, 2 × encoder_units]."""
        mask = tf.sequence_mask(lengths, tf.shape(symbols)[1])
        encoded = self.encoder(self.embed(symbols), mask=mask, training=training)
        if self.speaker is None:
            return encoded
        return encoded + SPEAKER_SCALE * self.speaker(speakers)[:, None]

    def plan(
        self,
        encoded: tf.Tensor,
        lengths: tf.Tensor,
        silent: tf.Tensor,
        rate: tf.Tensor,
        shift: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Predict durations and pitch.

        Args:
            encoded: the output of `encode`.
            lengths: symbols of each sentence, int32 [batch].
            silent: symbols that may have no duration, bool [batch, symbols].
            rate: speed; 1 as learnt, 2 twice as fast.
            shift: semitones by which the pitch is raised.

        Returns:
            Steps of each symbol, int32 [batch, symbols], and standardised pitch
            [batch, symbols, PITCH_POINTS].
        """
        steps = (tf.exp(self.duration(encoded)[..., 0]) - 1.0) / rate
        valid = tf.sequence_mask(lengths, tf.shape(encoded)[1])
        # Rounding the running total keeps the length of the sentence.
        total = tf.cumsum(
            tf.where(valid, tf.clip_by_value(steps, 0.0, float(MAX_STEPS)), 0.0), axis=1
        )
        ends = tf.cast(tf.round(total), tf.int32)
        rounded = ends - tf.pad(ends[:, :-1], [[0, 0], [1, 0]])
        least = tf.where(silent, 0, 1)
        durations = tf.where(valid, tf.maximum(rounded, least), 0)
        pitch = self.pitch(encoded) + shift * np.log(2) / 12 / self.scales["pitch_deviation"]
        return durations, pitch

    def heights(self, durations: tf.Tensor, pitch: tf.Tensor) -> tf.Tensor:
        """The pitch of each step, float32 [batch, steps], from that of the symbols.

        It is linear between the middles of both halves of a symbol, and constant outside them.
        """
        place = _Steps(durations)
        share = tf.clip_by_value(2 * place.done / place.length - 0.5, 0.0, 1.0)
        first, second = tf.unstack(place.at_step(pitch), PITCH_POINTS, axis=-1)
        return (1 - share) * first + share * second

    def decode(
        self, encoded: tf.Tensor, durations: tf.Tensor, heights: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Standardised frames [batch, steps × FRAMES_PER_STEP, mels].

        Args:
            encoded: the output of `encode`.
            durations: steps of each symbol, int32 [batch, symbols].
            heights: standardised pitch of each step, float32 [batch, steps]. In training it is
                that of the recording, so that the harmonics of frames have one right place.
            training: whether dropout is on.
        """
        place = _Steps(durations)
        length, done = place.length, place.done
        height = heights[:, : tf.shape(done)[1]]
        centres = tf.linspace(-3.0, 3.0, PITCH_BINS)
        bumps = tf.exp(-tf.square((height[..., None] - centres) * (PITCH_BINS / 6)) / 2)
        where = tf.stack(
            [done / length, tf.math.log(length), 1 / (0.5 + done), 1 / (0.5 + length - done)], -1
        )
        spoken = place.at_step(encoded)
        x = self.prenet(tf.concat([spoken, where, height[..., None], bumps], axis=-1))
        x = self.decoder(x, mask=place.mask, training=training)
        batch, steps = tf.unstack(tf.shape(done))
        made = tf.reshape(self.head(x), [batch, FRAMES_PER_STEP * steps, -1])
        if not self.config.harmonics:
            return made
        envelope, depth = tf.split(made, 2, axis=-1)
        return envelope + depth * self._harmonics(height, place.mask)

    def _harmonics(self, height: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """`harmonics_at` the pitch of each frame, [batch, steps × FRAMES_PER_STEP, mels]."""
        # The first frame of a step has its pitch; towards the next step it is linear.
        inside = tf.concat([mask[:, 1:], mask[:, :1] & False], axis=1)
        following = tf.where(inside, tf.roll(height, -1, axis=1), height)
        share = tf.range(FRAMES_PER_STEP, dtype=tf.float32) / FRAMES_PER_STEP
        frames = height[..., None] * (1 - share) + following[..., None] * share
        frames = tf.reshape(frames, [tf.shape(height)[0], -1])
        log_pitch = frames * self.scales["pitch_deviation"] + self.scales["pitch_mean"]
        table = tf.constant(harmonic_bands(self.mel))
        low, high = np.log(LOWEST_PITCH), np.log(HIGHEST_PITCH)
        places = (log_pitch - low) * ((PITCHES - 1) / (high - low))
        places = tf.clip_by_value(places, 0.0, PITCHES - 1.0)
        below = tf.minimum(tf.cast(places, tf.int32), PITCHES - 2)
        between = (places - tf.cast(below, tf.float32))[..., None]
        return tf.gather(table, below) * (1 - between) + tf.gather(table, below + 1) * between

    def predict_frames(
        self,
        symbols: tf.Tensor,
        lengths: tf.Tensor,
        speakers: tf.Tensor,
        rate: tf.Tensor,
        shift: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Predict frames and durations of a batch of sentences.

        Args:
            symbols: symbol ids, int32 [batch, symbols].
            lengths: symbols of each sentence, int32 [batch].
            speakers: speaker of each sentence, int32 [batch].
            rate: speed, float32 scalar.
            shift: semitones by which the pitch is raised, float32 scalar.

        Returns:
            Log-mel frames [batch, frames, mels], undefined beyond a sentence's durations; steps of
            each symbol, int32 [batch, symbols].
        """
        encoded = self.encode(symbols, lengths, speakers)
        quiet = tf.constant([symbol in SILENT for symbol in SYMBOLS])
        durations, pitch = self.plan(encoded, lengths, tf.gather(quiet, symbols), rate, shift)
        frames = self.decode(encoded, durations, self.heights(durations, pitch))
        return frames * self.scales["mel_deviation"] + self.scales["mel_mean"], durations

    def named_weights(self) -> dict[str, Any]:
        """All variables of the voice by path."""
        variables = [*self.trainable_variables, *self.scales.values()]
        return {variable.path: variable for variable in variables}


class _Steps:
    """The decoder's steps, for given durations of symbols.

    Attributes:
        owner: symbol of each step, int32 [batch, steps].
        length: steps of that symbol, float32 [batch, steps].
        done: how much of the symbol is over in the middle of the step, in steps, of that shape.
        mask: which steps belong to the sentence, bool [batch, steps].
    """

    def __init__(self, durations: tf.Tensor) -> None:
        ends = tf.cumsum(durations, axis=1)
        total = ends[:, -1]
        steps = tf.reduce_max(total)
        time = tf.tile(tf.range(steps)[None], [tf.shape(ends)[0], 1])
        owner = tf.searchsorted(ends, time, side="right")
        self.owner = tf.minimum(owner, tf.shape(ends)[1] - 1)
        self.length = tf.cast(tf.maximum(self.at_step(durations), 1), tf.float32)
        done = tf.cast(time - self.at_step(ends - durations), tf.float32) + 0.5
        self.done = tf.minimum(done, self.length - 0.5)  # keeps padding finite, too
        self.mask = tf.sequence_mask(total, steps)

    def at_step(self, values: tf.Tensor) -> tf.Tensor:
        """Values of symbols [batch, symbols, …] for each step [batch, steps, …]."""
        return tf.gather(values, self.owner, batch_dims=1)


class _Predictor(keras.layers.Layer):
    """Predicts values for each symbol: [batch, symbols, n] → [batch, symbols, outputs]."""

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


def load_voice_network(folder: Path, config: VoiceConfig) -> VoiceModel:
    """The Keras network in a voice's directory.

    Raises:
        ModelError: the weights cannot be read, are damaged or do not fit the configuration.
    """
    network = VoiceModel(config.acoustic, len(config.symbols), config.mel, len(config.speakers))
    load_weights(network, folder / "weights.npz", config.weights_sha256)
    return network


def save_voice(
    folder: Path,
    config: VoiceConfig,
    pronounce: Pronouncer,
    network: VoiceModel,
    card: str,
    vocoder: Weighted | None = None,
) -> None:
    """Write a voice's directory, with float16 weights.

    Args:
        folder: the directory.
        config: content of `model.json`; its digests are filled in.
        pronounce: its lexicon is written.
        network: the voice.
        card: content of README.md.
        vocoder: the network of the trained vocoder that `config.vocoder` describes; default: none.
    """
    write_lexicon(folder / LEXICON_FILE, pronounce.lexicon.items())
    if vocoder is not None and config.vocoder is not None:
        arrays, sha256 = weights_file(vocoder)
        with atomic_write(folder / VOCODER_FILE, binary=True) as file:
            file.write(arrays)
        config = replace(config, vocoder=replace(config.vocoder, weights_sha256=sha256))
    write_model(folder, config, weights_file(network), card)
