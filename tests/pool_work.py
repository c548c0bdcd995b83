"""Work for the processes of a `WorkerPool` in its tests: it goes wrong as its task says."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from asr.errors import AudioError, TextError
from asr.server.speech_encoder import SpeechEncoder
from asr.server.speech_worker import SpeechTask, SpokenPart, TimedSentence, TimedSpeechTask
from asr.server.upload_reader import Upload
from asr.tts.timings import TimedPhone, TimedWord


def work(task: Any) -> Iterator[Any]:
    """Does what the task names, in a process of the pool."""
    yield os.getpid()
    if task == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif task == "hang":
        time.sleep(60)
    elif task == "fail":
        raise AudioError("file: no audio")
    elif task == "fault":
        raise ZeroDivisionError
    elif task == "eat":
        yield len(bytearray(400_000_000))
    elif task == "count":
        yield from range(100_000)


class Crash(Upload):
    """An upload that kills the process which reads it."""

    def __getattribute__(self, name: str) -> Any:
        if name == "features":
            os.kill(os.getpid(), signal.SIGSEGV)
        return object.__getattribute__(self, name)


def do_tone_task(task: SpeechTask | TimedSpeechTask) -> Iterator[Any]:
    """As `speech_worker.do_speech_task`, with tones for speech and letters for phones."""
    return speak_letters(task) if isinstance(task, TimedSpeechTask) else speak_tone(task)


def speak_letters(task: TimedSpeechTask) -> Iterator[TimedSentence]:
    """A tone of 0.5 s for each word, whose letters are its phones."""
    if not task.text.strip():
        raise TextError("nothing to speak")
    seconds = 0.5 / task.rate
    for number, word in enumerate(task.text.split()):
        start = number * seconds
        phones = tuple(TimedPhone(letter, start, start + seconds) for letter in word)
        words = (TimedWord(word, (word,), start, start + seconds, phones),)
        samples = tone(number, task.rate)
        yield TimedSentence(samples, 22_050, words, ("a warning",) if word == "x" else ())


def speak_tone(task: SpeechTask) -> Iterator[SpokenPart]:
    """As `speak_worker.speak`, with a tone of 0.5 s for each sentence instead of a voice."""
    encoder = SpeechEncoder(task.format, 22_050)
    sentences = [part for part in task.text.split(".") if part.strip()]
    if not sentences:
        raise TextError("nothing to speak")
    for number, sentence in enumerate(sentences):
        if "crash" in sentence:
            os.kill(os.getpid(), signal.SIGSEGV)
        yield SpokenPart(encoder.encode(tone(number, task.rate)), 0.5 / task.rate)
    yield SpokenPart(encoder.finish(), 0.0)


def tone(number: int, rate: float = 1.0) -> np.ndarray:
    """The tone of a sentence, float32 [n] at 22,050 Hz."""
    time = np.arange(round(11_025 / rate)) / 22_050
    return (0.3 * np.sin(2 * np.pi * (300 + 100 * number) * time)).astype(np.float32)
