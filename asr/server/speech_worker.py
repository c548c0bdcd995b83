"""Speaking texts in a worker process, apart from the server's process.

OpenAI's API gets encoded speech, and the page speech with the times of its words and phones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asr.base.units import Hertz, Seconds
from asr.server.speech_encoder import SpeechEncoder
from asr.tts.timings import TimedWord, joined_words

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
class TimedSpeechTask:
    """A text to speak whose words and phones have times.

    Attributes:
        voice: shipped name or directory of the voice.
        text: any number of sentences.
        rate: speed, from 0.25 to 4; 1 as recorded.
    """

    voice: str
    text: str
    rate: float


class TimedSentence(NamedTuple):
    """A sentence that was spoken.

    Attributes:
        samples: float32 [n], in −1…1, with the pause before the sentence.
        sample_rate: in Hz.
        words: its words; times count from the start of the text.
        warnings: what is skipped, spelled or pronounced by a rule.
    """

    samples: np.ndarray
    sample_rate: Hertz
    words: tuple[TimedWord, ...]
    warnings: tuple[str, ...]


class SpokenPart(NamedTuple):
    """A piece of speech: encoded bytes, and how much speech was put into the encoder for them."""

    data: bytes
    duration: Seconds


def do_speech_task(
    task: SpeechTask | TimedSpeechTask,
) -> Iterator[SpokenPart] | Iterator[TimedSentence]:
    """Do a task; `WorkerPool` runs this in its process."""
    return speak_timed(task) if isinstance(task, TimedSpeechTask) else speak(task)


def speak_timed(task: TimedSpeechTask) -> Iterator[TimedSentence]:
    """Speak a text sentence by sentence, with the times of words and phones.

    Raises:
        TextError: the text has nothing that can be spoken.
        ModelError, ConfigError: see `Synthesizer.load`.
    """
    from asr.tts.synthesizer import with_pauses

    count = 0
    for samples, speech in with_pauses(_load(task.voice).speak_each(task.text, task.rate)):
        count += len(samples)
        start = (count - len(speech.samples)) / speech.sample_rate
        words = tuple(joined_words(speech.spoken_words(start)))
        warnings = speech.sentence.warnings
        yield TimedSentence(samples, speech.sample_rate, words, warnings)


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
