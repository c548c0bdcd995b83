"""`Synthesizer`: a voice's directory that turns text into speech.

It holds `model.json` (all configuration, training summary, versions), `weights.npz`,
`lexicon.txt.gz` (words and their phones; a person may add lines) and its card, `README.md`.
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
from asr.networks.model_directory import read_config, write_model
from asr.networks.weights import load_weights, weights_file
from asr.pronunciation.pronouncer import Pronouncer, read_lexicon, write_lexicon
from asr.tts.mel import MelConfig
from asr.tts.sentences import SILENT, SYMBOLS, Sentence, sentences, unspeakable
from asr.tts.vocoder import GriffinLim, Vocoder, finish
from asr.tts.voice_network import FRAMES_A_STEP, VoiceAcousticConfig, VoiceModel

LEXICON = "lexicon.txt.gz"
PAUSE = 0.25
"""Seconds between two sentences."""
RATES = (0.25, 4.0)
SHIFTS = (-12.0, 12.0)


@strict_dataclass(frozen=True, config=STRICT)
class VoiceConfig:
    """The content of a voice's `model.json`."""

    voice: str
    """Its name."""
    mel: MelConfig = Field(default_factory=MelConfig)
    acoustic: VoiceAcousticConfig = Field(default_factory=VoiceAcousticConfig)
    symbols: tuple[str, ...] = SYMBOLS
    training: dict[str, Any] = Field(default_factory=dict)
    """Summary of the run that made the weights: command, seed, data, commit, scores."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str = ""
    format: int = 1


@dataclass(frozen=True)
class Speech:
    """A sentence that was said.

    samples: float32 [n] in −1…1 at `sample_rate` Hz. durations: seconds of each of the sentence's
    symbols.
    """

    sentence: Sentence
    samples: np.ndarray
    sample_rate: int
    durations: np.ndarray

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.sample_rate


def joined(spoken: Iterable[Speech]) -> Iterator[tuple[np.ndarray, Speech]]:
    """Sentences' samples with PAUSE between one and the next."""
    for i, speech in enumerate(spoken):
        pause = np.zeros(round(PAUSE * speech.sample_rate) if i else 0, np.float32)
        yield np.concatenate([pause, speech.samples]), speech


class Synthesizer:
    """Text to speech with one voice.

    Attributes:
        config: everything that `model.json` says.
        pronounce: word → phones.
        network: the Keras model, symbols → frames.
        vocoder: frames → samples; another one may be put in its place.
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
        # One signature with open shapes: otherwise every new length is traced again.
        one, many = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32)
        scalar = tf.TensorSpec([], tf.float32)
        self._predict = tf.function(self.predict, input_signature=[many, one, scalar, scalar])
        self._samples = tf.function(
            lambda frames: finish(self.vocoder(frames), config.mel.sample_rate),
            input_signature=[tf.TensorSpec([None, config.mel.mels], tf.float32)],
        )

    @classmethod
    def load(cls, voice: str | PathLike[str], vocoder: Vocoder | None = None) -> Synthesizer:
        """Load a shipped voice by its name or any voice by its directory.

        Raises:
            ModelError: a file is missing, damaged, or does not fit the configuration.
            ConfigError: `model.json` has an unknown, missing or impossible key.
        """
        folder = find_model(voice)
        config = read_config(VoiceConfig, folder)
        if config.symbols != SYMBOLS:
            raise ModelError(f"{folder}: its symbols are not those of this version")
        voice_of = cls(config, Pronouncer(read_lexicon(folder / LEXICON)), vocoder=vocoder)
        load_weights(voice_of.network, folder / "weights.npz", config.weights_sha256)
        return voice_of

    def save(self, folder: Path, card: str) -> None:
        """Write the voice's directory; weights as float16."""
        write_lexicon(folder / LEXICON, self.pronounce.lexicon.items())
        write_model(folder, self.config, weights_file(self.network), card)

    def speak(self, text: str, rate: float = 1.0, pitch: float = 0.0) -> np.ndarray:
        """All of a text: float32 samples [n] in −1…1 at the voice's sample rate.

        Raises: as `speak_each`.
        """
        spoken = joined(self.speak_each(text, rate, pitch))
        return np.concatenate([samples for samples, _ in spoken])

    def speak_each(self, text: str, rate: float = 1.0, pitch: float = 0.0) -> Iterator[Speech]:
        """A text sentence by sentence, so that a long one needs no more memory than a short one.

        Args:
            rate: speed, 1 as the voice was recorded, 2 twice as fast.
            pitch: semitones up, or down if negative.

        Raises:
            TextError: nothing in the text can be said; the message says why.
            ConfigError: rate or pitch is out of range.
        """
        self.check(rate, pitch)
        for sentence in self.sentences(text):
            yield self.say(sentence, rate, pitch)

    def sentences(self, text: str) -> Iterator[Sentence]:
        """What the front end makes of a text.

        Raises:
            TextError: nothing in it can be said; the message says why.
        """
        said = False
        for sentence in sentences(text, self.pronounce):
            said = True
            yield sentence
        if not said:
            raise TextError(unspeakable(text))

    def check(self, rate: float, pitch: float) -> None:
        """Whether a voice can be that fast and that high.

        Raises:
            ConfigError: it cannot; the message has the limits.
        """
        for name, value, (low, high) in (("rate", rate, RATES), ("pitch", pitch, SHIFTS)):
            if not low <= value <= high:
                raise ConfigError(f"{name}: {value:g} is out of range, {low:g} to {high:g}")

    def say(self, sentence: Sentence, rate: float = 1.0, pitch: float = 0.0) -> Speech:
        """One sentence of the front end."""
        ids = np.array([sentence.ids], np.int32)
        lengths = np.array([ids.shape[1]], np.int32)
        frames, durations = self._predict(ids, lengths, np.float32(rate), np.float32(pitch))
        mel = self.config.mel
        step = FRAMES_A_STEP * mel.hop / mel.sample_rate
        samples = self._samples(frames[0]).numpy()
        return Speech(sentence, samples, mel.sample_rate, durations[0].numpy() * step)

    def predict(
        self, symbols: tf.Tensor, lengths: tf.Tensor, rate: tf.Tensor, shift: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Symbol ids [batch, symbols] → log-mel frames [batch, frames, mels], of which those beyond
        a sentence's durations mean nothing, and durations in steps [batch, symbols]."""
        network, scales = self.network, self.network.scales
        encoded = network.encode(symbols, lengths)
        quiet = tf.constant([symbol in SILENT for symbol in self.config.symbols])
        durations, pitch = network.plan(encoded, lengths, tf.gather(quiet, symbols), rate, shift)
        frames = network.decode(encoded, durations, pitch)
        return frames * scales["mel_deviation"] + scales["mel_mean"], durations
