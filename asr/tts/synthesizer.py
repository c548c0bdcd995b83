"""`Synthesizer`: text to speech with a voice, loaded from a model directory.

The directory holds `model.json` (configuration, training record, versions), `weights.npz`,
`lexicon.txt.gz` (words and their phones, to which you may add lines) and the card, `README.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as strict_dataclass

from asr.base.config import STRICT
from asr.base.tensorflow import tf
from asr.errors import ConfigError, ModelError, TextError
from asr.models import find_model
from asr.networks.model_directory import LEXICON_FILE, read_config, write_model
from asr.networks.weights import load_weights, weights_file
from asr.pronunciation.pronouncer import Pronouncer, read_lexicon, write_lexicon
from asr.tts.mel import MelConfig
from asr.tts.sentences import SILENT, SYMBOLS, Sentence, sentences, unspeakable_reason
from asr.tts.vocoder import GriffinLim, Vocoder, finish
from asr.tts.voice_network import FRAMES_PER_STEP, VoiceAcousticConfig, VoiceModel

PAUSE = 0.25
"""Pause between two sentences, in seconds."""
RATES = (0.25, 4.0)
"""Slowest and fastest speed."""
PITCHES = (-12.0, 12.0)
"""Lowest and highest pitch shift, in semitones."""


@strict_dataclass(frozen=True, config=STRICT)
class VoiceConfig:
    """The content of a voice's `model.json`."""

    voice: str
    """Name of the voice."""
    mel: MelConfig = Field(default_factory=MelConfig)
    acoustic: VoiceAcousticConfig = Field(default_factory=VoiceAcousticConfig)
    symbols: tuple[str, ...] = SYMBOLS
    training: dict[str, Any] = Field(default_factory=dict)
    """Record of the training: command, seed, data, commit, scores."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str = ""
    format: int = 1


@dataclass(frozen=True)
class Speech:
    """The speech of one sentence.

    Attributes:
        sentence: the sentence.
        samples: float32 [n], in −1…1.
        sample_rate: in Hz.
        durations: duration of each symbol of the sentence, in seconds.
    """

    sentence: Sentence
    samples: np.ndarray
    sample_rate: int
    durations: np.ndarray

    @property
    def seconds(self) -> float:
        """Length of the speech in seconds."""
        return len(self.samples) / self.sample_rate


def with_pauses(spoken: Iterable[Speech]) -> Iterator[tuple[np.ndarray, Speech]]:
    """Samples of each sentence, with a pause before all but the first."""
    for i, speech in enumerate(spoken):
        pause = np.zeros(round(PAUSE * speech.sample_rate) if i else 0, np.float32)
        yield np.concatenate([pause, speech.samples]), speech


class Synthesizer:
    """Text to speech with one voice.

    Attributes:
        config: the content of `model.json`.
        pronounce: word → phones.
        network: the Keras model, symbols → frames.
        vocoder: frames → samples; you may assign another one.
    """

    def __init__(
        self,
        config: VoiceConfig,
        pronounce: Pronouncer,
        network: VoiceModel | None = None,
        vocoder: Vocoder | None = None,
    ) -> None:
        self.config, self.pronounce = config, pronounce
        self.network = network or VoiceModel(config.acoustic, len(config.symbols), config.mel.mels)
        self.vocoder = vocoder or GriffinLim(config.mel)
        # With open shapes in the signature, TensorFlow does not trace again for each new length.
        one, many = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32)
        scalar = tf.TensorSpec([], tf.float32)
        self._predict = tf.function(self.predict, input_signature=[many, one, scalar, scalar])
        self._samples = tf.function(
            lambda frames: finish(self.vocoder(frames), config.mel.sample_rate),
            input_signature=[tf.TensorSpec([None, config.mel.mels], tf.float32)],
        )

    @classmethod
    def load(cls, voice: str | PathLike[str], vocoder: Vocoder | None = None) -> Synthesizer:
        """Load a voice.

        Args:
            voice: name of a shipped voice, or a model directory.
            vocoder: frames → samples; default: `GriffinLim`.

        Raises:
            ModelError: a file is missing or damaged, or does not fit the configuration.
            ConfigError: `model.json` has an unknown, missing or impossible key.
        """
        folder = find_model(voice)
        config = read_config(VoiceConfig, folder)
        if config.symbols != SYMBOLS:
            raise ModelError(f"{folder}: model.json: symbols differ from those of this version")
        voice_of = cls(config, Pronouncer(read_lexicon(folder / LEXICON_FILE)), vocoder=vocoder)
        load_weights(voice_of.network, folder / "weights.npz", config.weights_sha256)
        return voice_of

    def save(self, folder: Path, card: str) -> None:
        """Write the model directory, with float16 weights and `card` as its README.md."""
        write_lexicon(folder / LEXICON_FILE, self.pronounce.lexicon.items())
        write_model(folder, self.config, weights_file(self.network), card)

    def speak(self, text: str, rate: float = 1.0, pitch: float = 0.0) -> np.ndarray:
        """Speak a text.

        Args:
            text: any number of sentences.
            rate: speed, from 0.25 to 4; default: 1, as recorded.
            pitch: semitones by which the pitch is raised, from −12 to 12; default: 0.

        Returns:
            Mono samples, float32 [n], in −1…1, at `config.mel.sample_rate`.

        Raises:
            TextError: the text has nothing that can be spoken; the message says why.
            ConfigError: rate or pitch is out of range.
        """
        spoken = with_pauses(self.speak_each(text, rate, pitch))
        return np.concatenate([samples for samples, _ in spoken])

    def speak_each(self, text: str, rate: float = 1.0, pitch: float = 0.0) -> Iterator[Speech]:
        """Speak a text sentence by sentence, so that memory does not grow with its length.

        Arguments and exceptions are those of `speak`.
        """
        self.check_options(rate, pitch)
        for sentence in self.sentences(text):
            yield self.speak_sentence(sentence, rate, pitch)

    def sentences(self, text: str) -> Iterator[Sentence]:
        """The sentences of a text, as symbols.

        Raises:
            TextError: the text has nothing that can be spoken; the message says why.
        """
        empty = True
        for sentence in sentences(text, self.pronounce):
            empty = False
            yield sentence
        if empty:
            raise TextError(unspeakable_reason(text))

    def check_options(self, rate: float, pitch: float) -> None:
        """Check the speed and the pitch shift.

        Raises:
            ConfigError: one is out of range; the message names the limits.
        """
        for name, value, (low, high) in (("rate", rate, RATES), ("pitch", pitch, PITCHES)):
            if not low <= value <= high:
                raise ConfigError(f"{name}: {value:g} is out of range, {low:g} to {high:g}")

    def speak_sentence(self, sentence: Sentence, rate: float = 1.0, pitch: float = 0.0) -> Speech:
        """Speak one sentence; see `speak` for the options."""
        ids = np.array([sentence.ids], np.int32)
        lengths = np.array([ids.shape[1]], np.int32)
        frames, durations = self._predict(ids, lengths, np.float32(rate), np.float32(pitch))
        mel = self.config.mel
        step = FRAMES_PER_STEP * mel.hop / mel.sample_rate
        samples = self._samples(frames[0]).numpy()
        return Speech(sentence, samples, mel.sample_rate, durations[0].numpy() * step)

    def predict(
        self, symbols: tf.Tensor, lengths: tf.Tensor, rate: tf.Tensor, shift: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Predict frames and durations of a batch of sentences.

        Args:
            symbols: symbol ids, int32 [batch, symbols].
            lengths: symbols of each sentence, int32 [batch].
            rate: speed, float32 scalar.
            shift: semitones by which the pitch is raised, float32 scalar.

        Returns:
            Log-mel frames [batch, frames, mels], undefined beyond a sentence's durations; steps of
            each symbol, int32 [batch, symbols].
        """
        network, scales = self.network, self.network.scales
        encoded = network.encode(symbols, lengths)
        quiet = tf.constant([symbol in SILENT for symbol in self.config.symbols])
        durations, pitch = network.plan(encoded, lengths, tf.gather(quiet, symbols), rate, shift)
        frames = network.decode(encoded, durations, pitch)
        return frames * scales["mel_deviation"] + scales["mel_mean"], durations
