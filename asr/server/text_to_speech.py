"""`TextToSpeech`: texts → worker process → encoded speech, for the routes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import Any

from asr.server.settings import ServerSettings
from asr.server.speech_worker import (
    SpeechTask,
    SpokenPart,
    TimedSentence,
    TimedSpeechTask,
    do_speech_task,
)
from asr.server.worker_pool import Cancelled, WorkerPool
from asr.tts.voice_config import find_voice

PARTS_AHEAD = 4
"""Sentences of one text that are spoken before the client has taken them."""
STALL = 60.0
"""Seconds for the first sentence, before which the voice is loaded."""


class TextToSpeech:
    """Speaks the texts of clients, one text at a time.

    Its process starts with the first text: until then, the voice needs no memory.

    Args:
        voice: shipped name or directory of the voice, with :SPEAKER if it has several.

    Attributes:
        voice: the voice, with its whole path.
        name: name of the voice or the speaker.
        pool: the process.

    Raises:
        ModelError: there is no such voice or speaker.
    """

    def __init__(self, voice: str) -> None:
        found = find_voice(voice)
        self.name = found.name
        self.voice = str(found.folder.absolute())
        if found.config.speakers:
            self.voice += f":{found.config.speakers[found.speaker]}"
        self.pool = WorkerPool(do_speech_task, 1, stall=STALL)

    def close(self) -> None:
        """End the process."""
        self.pool.close()

    async def speak_timed(self, text: str, rate: float) -> list[TimedSentence]:
        """Speak a text, with the times of its words and phones.

        Args:
            text: any number of sentences.
            rate: speed, from 0.25 to 4; 1 as recorded.

        Raises:
            TextError: the text has nothing that can be spoken.
            WorkerError: the process died, or the server shuts down.
        """
        found: list[TimedSentence] = []
        cancelled = threading.Event()
        task = TimedSpeechTask(self.voice, text, rate)
        try:
            await asyncio.wrap_future(self.pool.submit(task, found.append, cancelled))
        finally:
            cancelled.set()
        return found

    async def speak(self, text: str, rate: float, format: str) -> AsyncGenerator[SpokenPart, None]:
        """Speak a text, sentence by sentence.

        Args:
            text: any number of sentences.
            rate: speed, from 0.25 to 4; 1 as recorded.
            format: a key of `SPEECH_FORMATS`.

        Raises:
            TextError: the text has nothing that can be spoken; before the first part.
            WorkerError: the process died, or the server shuts down.
        """
        loop = asyncio.get_running_loop()
        parts: asyncio.Queue[SpokenPart] = asyncio.Queue(PARTS_AHEAD)
        cancelled = threading.Event()

        def take(part: SpokenPart) -> None:
            waiting = asyncio.run_coroutine_threadsafe(parts.put(part), loop)
            while not cancelled.is_set():
                with suppress(TimeoutError):
                    return waiting.result(0.1)
            waiting.cancel()
            raise Cancelled("cancelled")

        task = SpeechTask(self.voice, text, rate, format)
        done = asyncio.wrap_future(self.pool.submit(task, take, cancelled))
        try:
            while not done.done():
                getting = asyncio.ensure_future(parts.get())
                waited: set[asyncio.Future[Any]] = {getting, done}
                try:
                    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                    if getting.done():
                        yield getting.result()
                finally:
                    getting.cancel()
            for part in _rest(parts):
                yield part
            done.result()
        finally:
            cancelled.set()
            done.add_done_callback(_ignore_error)


def make_text_to_speech(settings: ServerSettings) -> TextToSpeech | None:
    """The voice of a server; None without one.

    Raises:
        ModelError: there is no such voice.
    """
    return None if settings.voice is None else TextToSpeech(settings.voice)


def _rest(parts: asyncio.Queue[SpokenPart]) -> Iterator[SpokenPart]:
    while not parts.empty():
        yield parts.get_nowait()


def _ignore_error(future: asyncio.Future[None]) -> None:
    """Read a future's exception, which asyncio would log otherwise."""
    if not future.cancelled():
        future.exception()
