"""Speaking texts in a worker process, which keeps TensorFlow out of the server's process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

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


class SpokenPart(NamedTuple):
    """A piece of speech: encoded bytes, and how much speech was put into the encoder for them."""

    data: bytes
    duration: Seconds


def speak(task: SpeechTask) -> Iterator[SpokenPart]:
    """Speak a text sentence by sentence; `WorkerPool` runs this in its process.

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
