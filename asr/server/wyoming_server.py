"""Wyoming, the protocol of Home Assistant's voice assistants, on a port of its own.

A client sends events: lines of JSON, each with the lengths of further JSON and of audio behind it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, async_write_event
from wyoming.info import AsrModel, AsrProgram, Attribution, Describe, Info, TtsProgram, TtsVoice
from wyoming.ping import Ping, Pong
from wyoming.tts import Synthesize

from asr.errors import AsrError, ServerError, reason
from asr.server.admission import Slots
from asr.server.monitoring import Monitor
from asr.server.openai_routes import read_hot_words
from asr.server.settings import ServerSettings
from asr.server.speech_routes import MAX_INPUT
from asr.server.speech_to_text import SpeechToText
from asr.server.text_to_speech import TextToSpeech
from asr.text.languages import UNKNOWN_LANGUAGE, language_code
from asr.version import __version__

MAX_LINE = 64_000
"""Bytes of an event's line, and of the JSON behind it, at most."""
MAX_PAYLOAD = 1 << 20
"""Bytes of an event's audio at most."""
IDLE = 120.0
"""Seconds without an event after which a connection is closed."""
LINGER = 2.0
"""Seconds in which the rest of a refused connection is read."""
SPEECH_RATE = 24_000
"""Sample rate of speech in Hz."""
WIDTHS = {1: "u1", 2: "<i2", 4: "<i4"}
"""Bytes of a sample → type of NumPy."""


class _BadEvent(AsrError):
    """An event that the protocol does not have."""


class WyomingServer:
    """Serves speech to text, and text to speech, to clients of Wyoming.

    The protocol has no keys, so it only listens where the whole server needs none.

    Args:
        settings: address and limits.
        speech_to_text: transcribes.
        text_to_speech: speaks; None for no speech.
        monitor: takes numbers.

    Attributes:
        port: the port, when the server has started.
    """

    def __init__(
        self,
        settings: ServerSettings,
        speech_to_text: SpeechToText,
        text_to_speech: TextToSpeech | None,
        monitor: Monitor,
    ) -> None:
        self.settings, self.monitor = settings, monitor
        self.speech_to_text, self.text_to_speech = speech_to_text, text_to_speech
        self.port = settings.wyoming_port or 0
        self.slots = Slots(settings.max_streams, "connections")
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen.

        Raises:
            ServerError: the address is in use.
        """
        host = self.settings.host
        try:
            self._server = await asyncio.start_server(self._serve, host, self.port, limit=MAX_LINE)
        except OSError as error:
            raise ServerError(
                f"{host}:{self.port}: cannot listen: {reason(error)}; choose another --wyoming-port"
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Close all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with self.slots.enter(), self.monitor.in_progress.track_inprogress():
                await self._converse(reader, writer)
        except (AsrError, TimeoutError, ConnectionError, asyncio.IncompleteReadError) as error:
            if isinstance(error, AsrError):
                await _send_last(reader, writer, Error(str(error)).event())
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = _Conversation(self, writer)
        while True:
            async with asyncio.timeout(IDLE):
                event = await read_event(reader)
            if event is None:
                return
            started = time.perf_counter()
            status = 200
            try:
                async with asyncio.timeout(self.settings.timeout):
                    await conversation.answer(event)
            except _BadEvent:
                raise
            except AsrError as error:  # the next request may be better
                status = 400
                await conversation.send(Error(str(error)).event())
            if event.type in ("audio-stop", "synthesize"):
                seconds = time.perf_counter() - started
                self.monitor.finished(
                    f"wyoming {event.type}", status, seconds, conversation.seconds
                )

    def info(self) -> Event:
        """What the server can do."""
        recognizer, author = self.speech_to_text, Attribution("asr", "")
        models = [
            AsrModel(
                name=recognizer.model,
                attribution=author,
                installed=True,
                description=recognizer.model,
                version=__version__,
                languages=[recognizer.language or "en"],
            )
        ]
        programs = [
            AsrProgram(
                name="asr",
                attribution=author,
                installed=True,
                description="asr serve",
                version=__version__,
                models=models,
            )
        ]
        voices: list[TtsProgram] = []
        if self.text_to_speech is not None:
            voice = TtsVoice(
                name=self.text_to_speech.name,
                attribution=author,
                installed=True,
                description=self.text_to_speech.name,
                version=__version__,
                languages=["en"],
            )
            voices = [
                TtsProgram(
                    name="asr",
                    attribution=author,
                    installed=True,
                    description="asr serve",
                    version=__version__,
                    voices=[voice],
                )
            ]
        return Info(asr=programs, tts=voices).event()


class _Conversation:
    """What a client has sent so far."""

    def __init__(self, server: WyomingServer, writer: asyncio.StreamWriter) -> None:
        self.server, self.writer = server, writer
        self.seconds = 0.0
        self._audio = bytearray()
        self._form: tuple[int, int, int] | None = None
        self._hot_words: tuple[str, ...] = ()

    async def send(self, event: Event) -> None:
        """Send an event.

        Raises:
            TimeoutError: the client does not read.
        """
        async with asyncio.timeout(self.server.settings.idle_timeout):
            await async_write_event(event, self.writer)

    async def answer(self, event: Event) -> None:
        """React to an event. Unknown ones are ignored, as the protocol says.

        Raises:
            _BadEvent: an event lacks what it needs.
            AsrError: the request cannot be done.
        """
        try:
            await self._answer(event)
        except (KeyError, TypeError, AttributeError, ValueError):
            raise _BadEvent(f"{event.type[:40]}: its data are wrong") from None

    async def _answer(self, event: Event) -> None:
        if Describe.is_type(event.type):
            await self.send(self.server.info())
        elif Ping.is_type(event.type):
            await self.send(Pong(text=Ping.from_event(event).text).event())
        elif Transcribe.is_type(event.type):
            self._begin(Transcribe.from_event(event))
        elif AudioStart.is_type(event.type):
            self._clear()
        elif AudioChunk.is_type(event.type):
            self._keep(AudioChunk.from_event(event))
        elif AudioStop.is_type(event.type):
            await self._transcribe()
        elif Synthesize.is_type(event.type):
            await self._speak(Synthesize.from_event(event))

    def _clear(self) -> None:
        self._audio, self._form = bytearray(), None

    def _begin(self, asked: Transcribe) -> None:
        own = self.server.speech_to_text.language
        language = asked.language or own
        if own and language_code(language or own) not in (language_code(own), *UNKNOWN_LANGUAGE):
            raise AsrError(f"transcribe: language {language!r:.40}, but the model's is {own!r}")
        self._clear()
        phrases = (*(asked.transcript_names or ()), *(asked.transcript_terms or ()))
        self._hot_words = read_hot_words(*phrases)

    def _keep(self, chunk: AudioChunk) -> None:
        form = (int(chunk.rate), int(chunk.width), int(chunk.channels))
        rate, width, channels = form
        if width not in WIDTHS or not 1 <= channels <= 16 or not 1000 <= rate <= 192_000:
            raise _BadEvent("audio-chunk: samples of 1, 2 or 4 bytes, 1 to 16 channels, are needed")
        if self._form not in (None, form):
            raise _BadEvent("audio-chunk: another format than the chunk before")
        self._form = form
        self._audio += chunk.audio
        if self._seconds() > self.server.settings.max_duration:
            raise _BadEvent(f"longer than {self.server.settings.max_duration:g} s, the limit")

    def _seconds(self) -> float:
        rate, width, channels = self._form or (1, 1, 1)
        return len(self._audio) / (rate * width * channels)

    async def _transcribe(self) -> None:
        rate, width, channels = self._form or (16_000, 2, 1)
        self.seconds = self._seconds()
        whole = len(self._audio) - len(self._audio) % (width * channels)
        samples = np.frombuffer(bytes(self._audio[:whole]), WIDTHS[width]).reshape(-1, channels)
        hot_words = self._hot_words
        self._clear()
        speech_to_text = self.server.speech_to_text
        transcript = await speech_to_text.transcribe_samples(samples, rate, hot_words)
        await self.send(Transcript(transcript.text, language=speech_to_text.language).event())

    async def _speak(self, asked: Synthesize) -> None:
        voice = self.server.text_to_speech
        if voice is None:
            raise AsrError("synthesize: this server has no voice; start it with --voice NAME")
        if len(asked.text) > MAX_INPUT:
            raise AsrError(f"synthesize: {len(asked.text)} characters; {MAX_INPUT} are the limit")
        self.seconds = 0.0
        form = {"rate": SPEECH_RATE, "width": 2, "channels": 1}
        started = False
        async for part in voice.speak(asked.text, 1.0, "pcm"):
            if not started:
                await self.send(AudioStart(**form).event())
                started = True
            self.seconds += part.duration
            if part.data:
                await self.send(AudioChunk(audio=part.data, **form).event())
        await self.send(AudioStop().event())


async def read_event(reader: asyncio.StreamReader) -> Event | None:
    """Read an event whose lengths are bounded, unlike `wyoming.event.async_read_event`.

    Returns:
        The event; None at the end of the connection.

    Raises:
        _BadEvent: it is no event, or too large.
        asyncio.IncompleteReadError: the connection ends within it.
    """
    try:
        line = await reader.readline()
    except ValueError:  # longer than the reader's limit
        raise _BadEvent(f"an event's line is longer than {MAX_LINE // 1000} kB") from None
    if not line:
        return None
    header = _json_object(line)
    kind, data = header.get("type"), header.get("data") or {}
    if not isinstance(kind, str) or not isinstance(data, dict):
        raise _BadEvent("an event needs a type, and an object as data")
    if size := _length(header, "data_length", MAX_LINE):
        data = {**data, **_json_object(await reader.readexactly(size))}
    payload = None
    if size := _length(header, "payload_length", MAX_PAYLOAD):
        payload = await reader.readexactly(size)
    return Event(kind, data, payload)


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise _BadEvent("an event must be a JSON object in one line")
    return values


def _length(header: Mapping[str, Any], key: str, most: int) -> int:
    size = header.get(key) or 0
    if not isinstance(size, int) or not 0 <= size <= most:
        raise _BadEvent(f"{key}: a whole number up to {most} is needed")
    return size


async def _send_last(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, event: Event
) -> None:
    """Send an event before the connection is closed.

    What the client is still sending is read for a while. Otherwise it would see a broken connection
    instead of the event.
    """
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(LINGER):
            await async_write_event(event, writer)
            writer.write_eof()
            while await reader.read(MAX_LINE):
                pass
