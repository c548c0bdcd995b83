"""`Synthesizer`: text to speech with a voice, loaded from a model directory.

The directory holds `model.json` (configuration, training record, versions), `weights.npz`,
`lexicon.txt.gz` (words and their phones, to which you may add lines), the card, `README.md`, and
`vocoder.npz` if the voice has a trained vocoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import NamedTuple

import numpy as np

from asr.base.units import Seconds
from asr.errors import ConfigError, ModelError, TextError
from asr.networks.model_directory import LEXICON_FILE
from asr.networks.weights import WeightArrays
from asr.pronunciation.pronouncer import Pronouncer, read_lexicon
from asr.tts.sentences import SYMBOLS, Sentence, sentences, unspeakable_reason
from asr.tts.source_filter import SourceFilter
from asr.tts.ssml import read_markup
from asr.tts.timings import TimedPhone, TimedSpeech, TimedWord, joined_words
from asr.tts.vocoder import GriffinLim, Vocoder, finish, limited
from asr.tts.voice_config import FRAMES_PER_STEP, VOCODER_FILE, VoiceConfig, find_voice
from asr.tts.voice_runtime import VoiceRuntime

PAUSE = 0.25
"""Pause between two sentences, in seconds."""
RATES = (0.25, 4.0)
"""Slowest and fastest speed."""
PITCHES = (-12.0, 12.0)
"""Lowest and highest pitch shift, in semitones."""


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

    def start_before(self, end: int) -> Seconds:
        """Where the sentence begins in speech that `with_pauses` has made up to sample `end`."""
        silence = round(self.sentence.silence * self.sample_rate)
        return (end - silence - len(self.samples)) / self.sample_rate

    def spoken_words(self, start: Seconds = 0.0) -> Iterator[tuple[str | None, TimedWord]]:
        """Each spoken word with its times, for `joined_words`.

        Args:
            start: where this sentence begins in a longer speech; default: 0.

        Yields:
            The written text that begins with the word, or None, and the word.
        """
        edges = np.append(0.0, np.cumsum(self.durations)).clip(0, self.seconds) + start
        for word in self.sentence.words:
            phones = tuple(
                TimedPhone(self.sentence.symbols[i], float(edges[i]), float(edges[i + 1]))
                for i in range(word.first, word.last)
            )
            times = float(edges[word.first]), float(edges[word.last])
            yield word.written, TimedWord(word.text, (word.text,), *times, phones)


def with_pauses(spoken: Iterable[Speech]) -> Iterator[tuple[np.ndarray, Speech]]:
    """Samples of each sentence, with the pause before it, and the silence behind the last one.

    The samples of a sentence end with those of its speech and its silence.
    """
    for i, speech in enumerate(spoken):
        pause, silence = speech.sentence.pause, speech.sentence.silence
        seconds = pause if pause is not None else PAUSE if i else 0.0
        before, behind = (
            np.zeros(round(s * speech.sample_rate), np.float32) for s in (seconds, silence)
        )
        yield np.concatenate([before, speech.samples, behind]), speech


class Synthesizer:
    """Text to speech with one voice.

    Args:
        config: the content of `model.json`.
        pronounce: word → phones.
        network: symbols → frames.
        vocoder: frames → samples; default: `GriffinLim`.
        speaker: place of the speaker in `config.speakers`; default: 0, the first.

    Attributes:
        config, pronounce, network, vocoder, speaker: the arguments. You may assign another vocoder
            or speaker.
    """

    def __init__(
        self,
        config: VoiceConfig,
        pronounce: Pronouncer,
        network: VoiceRuntime,
        vocoder: Vocoder | None = None,
        speaker: int = 0,
    ) -> None:
        self.config, self.pronounce, self.network = config, pronounce, network
        self.speaker = speaker
        self.vocoder = vocoder or GriffinLim(config.mel)

    @classmethod
    def load(
        cls, voice: str | PathLike[str], vocoder: Vocoder | None = None, threads: int = 0
    ) -> Synthesizer:
        """Load a voice.

        Args:
            voice: name of a shipped voice, or a model directory. A voice of several speakers may
                be followed by a colon and the name of one; by default, its first speaker speaks.
            vocoder: frames → samples; default: the voice's trained vocoder, or `GriffinLim` if it
                has none.
            threads: number of threads of ONNX Runtime; default: 0, it chooses.

        Raises:
            ModelError: a file is missing or damaged, or does not fit the configuration, or the
                voice has no such speaker.
            ConfigError: `model.json` has an unknown, missing or impossible key.
        """
        folder, config, speaker, _ = find_voice(voice)
        if config.symbols != SYMBOLS:
            raise ModelError(f"{folder}: model.json: symbols differ from those of this version")
        pronounce = Pronouncer(read_lexicon(folder / LEXICON_FILE))
        weights = WeightArrays(folder / "weights.npz", config.weights_sha256)
        if vocoder is None and config.vocoder is not None:
            trained = WeightArrays(folder / VOCODER_FILE, config.vocoder.weights_sha256)
            vocoder = SourceFilter(config.mel, config.vocoder.shape, trained, threads)
        return cls(config, pronounce, VoiceRuntime(config, weights, threads), vocoder, speaker)

    def speak(self, text: str, rate: float = 1.0, pitch: float = 0.0) -> np.ndarray:
        """Speak a text.

        Args:
            text: any number of sentences, plain or as SSML in <speak>…</speak>.
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

    def speak_timed(self, text: str, rate: float = 1.0, pitch: float = 0.0) -> TimedSpeech:
        """Speak a text, and say when each word and each phone is spoken.

        Arguments and exceptions are those of `speak`.
        """
        parts, words, count = list[np.ndarray](), list[tuple[str | None, TimedWord]](), 0
        for samples, speech in with_pauses(self.speak_each(text, rate, pitch)):
            parts.append(samples)
            count += len(samples)
            words += speech.spoken_words(speech.start_before(count))
        sample_rate = self.config.mel.sample_rate
        return TimedSpeech(np.concatenate(parts), sample_rate, tuple(joined_words(words)))

    def speak_each(self, text: str, rate: float = 1.0, pitch: float = 0.0) -> Iterator[Speech]:
        """Speak a text sentence by sentence, so that memory does not grow with its length.

        Arguments and exceptions are those of `speak`.
        """
        self.check_options(rate, pitch)
        for sentence in self.sentences(text):
            yield self.speak_sentence(sentence, rate, pitch)

    def sentences(self, text: str) -> Iterator[Sentence]:
        """The sentences of a text, as symbols.

        Args:
            text: plain text, or SSML in <speak>…</speak>.

        Raises:
            TextError: the text has nothing that can be spoken, or its markup is wrong; the message
                says why.
        """
        empty = True
        for sentence in sentences(read_markup(text), self.pronounce):
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
        by_symbol = _prosody_by_symbol(sentence)
        rates = np.clip(by_symbol.rate * rate, *RATES)
        shifts = np.clip(by_symbol.pitch + pitch, *PITCHES)
        ids = np.array(sentence.ids, np.int32)
        plan = self.network.plan(ids, rates, shifts, self.speaker)
        mel = self.config.mel
        samples = finish(self.vocoder(self.network.frames(plan)), mel.sample_rate)
        lengths = plan.durations * FRAMES_PER_STEP * mel.hop
        if (by_symbol.gain != 1).any():
            samples = _amplified(samples, by_symbol.gain, lengths, mel.sample_rate)
        return Speech(sentence, samples, mel.sample_rate, lengths / mel.sample_rate)


class _BySymbol(NamedTuple):
    """Prosody of each symbol of a sentence, float32 [symbols]; see `Prosody`."""

    rate: np.ndarray
    pitch: np.ndarray
    gain: np.ndarray


def _prosody_by_symbol(sentence: Sentence) -> _BySymbol:
    """The pauses behind a word are spoken as the word is, and START as the first word."""
    words, count = sentence.words, len(sentence.symbols)
    lengths = np.diff([0, *(word.first for word in words[1:]), count])
    values = np.array([(w.prosody.rate, w.prosody.pitch, w.prosody.gain) for w in words])
    return _BySymbol(*np.repeat(values.astype(np.float32), lengths, axis=0).T)


def _amplified(
    samples: np.ndarray, gains: np.ndarray, lengths: np.ndarray, sample_rate: int
) -> np.ndarray:
    """Samples with another loudness for each symbol; it changes within 10 ms.

    Args:
        samples: float32 [n].
        gains: factors, float32 [symbols].
        lengths: samples of each symbol, int32 [symbols]; the last one may be cut.
        sample_rate: in Hz.
    """
    each = np.repeat(gains, lengths)[: len(samples)]
    window = sample_rate // 100
    padded = np.pad(each, (window // 2, window - 1 - window // 2), mode="edge")
    smooth = np.convolve(padded, np.full(window, 1 / window, np.float32), mode="valid")
    scaled = samples * smooth.astype(np.float32)
    # The samples are limited already: only what becomes louder is limited again, and never below
    # what it was.
    louder = np.sign(scaled) * np.maximum(np.abs(limited(scaled)), np.abs(samples))
    return np.where(smooth > 1, louder, scaled).astype(np.float32, copy=False)
