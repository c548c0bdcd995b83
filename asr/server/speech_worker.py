"""Speaking texts in a worker process, apart from the server's process.

The same process says how texts are pronounced, because it has loaded the voice's lexicon.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from asr.base.units import Seconds
from asr.server.speech_encoder import SpeechEncoder

if TYPE_CHECKING:
    from asr.tts.synthesizer import Synthesizer


@dataclass(frozen=True)
class SpeechTask:
    """A text to speak.

    Attributes:
        voice: shipped name or directory of the voice.
        text: any number of sentences.
        rate: speed, from 0.25 to 4; 1 as recorded.
        format: a key of `SPEECH_FORMATS`.
    """

    voice: str
    text: str
    rate: float
    format: str


@dataclass(frozen=True)
class PhonesTask:
    """A text whose phones are asked for.

    Attributes:
        voice: shipped name or directory of the voice.
        text: any number of sentences.
    """

    voice: str
    text: str


class PronouncedSentence(NamedTuple):
    """The phones of a sentence.

    Attributes:
        words: objects with `word` as it is spoken and its `phones` in ARPAbet, for JSON.
        warnings: what is skipped, spelled or pronounced by a rule.
    """

    words: list[dict[str, Any]]
    warnings: list[str]


class SpokenPart(NamedTuple):
    """A piece of speech: encoded bytes, and how much speech was put into the encoder for them."""

    data: bytes
    duration: Seconds


def speak_or_pronounce(
    task: SpeechTask | PhonesTask,
) -> Iterator[SpokenPart] | Iterator[PronouncedSentence]:
    """Do a task; `WorkerPool` runs this in its process."""
    return pronounce(task) if isinstance(task, PhonesTask) else speak(task)


def pronounce(task: PhonesTask) -> Iterator[PronouncedSentence]:
    """The phones of each sentence of a text.

    Raises:
        TextError: the text has nothing that can be spoken.
        ModelError, ConfigError: see `Synthesizer.load`.
    """
    for sentence in _load(task.voice).sentences(task.text):
        words = [
            {"word": word.text, "phones": sentence.symbols[word.first : word.last]}
            for word in sentence.words
        ]
        yield PronouncedSentence(words, list(sentence.warnings))


def speak(task: SpeechTask) -> Iterator[SpokenPart]:
    """Speak a text sentence by sentence.

    Yields:
        A part after each sentence, and a last one.

    Raises:
        TextError: the text has nothing that can be spoken.
        ModelError, ConfigError: see `Synthesizer.load`.
    """
    from asr.tts.synthesizer import with_pauses

    voice = _load(task.voice)
    encoder = SpeechEncoder(task.format, voice.config.mel.sample_rate)
    for samples, speech in with_pauses(voice.speak_each(task.text, task.rate)):
        yield SpokenPart(encoder.encode(samples), len(samples) / speech.sample_rate)
    yield SpokenPart(encoder.finish(), 0.0)


@lru_cache(maxsize=1)
def _load(voice: str) -> Synthesizer:
    from asr.tts.synthesizer import Synthesizer

    return Synthesizer.load(voice)
