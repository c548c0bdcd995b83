"""Live transcription in the protocol of vosk-server: a WebSocket at /.

The client sends a JSON configuration, then 16-bit samples as binary messages, and gets one JSON
answer for each of them: a partial text, or the result of an utterance that has ended. A last
message `{"eof": 1}` is answered by the rest.
"""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from asr.base.units import Seconds
from asr.errors import AsrError, WorkerError
from asr.results import Partial, Word
from asr.server.admission import Slots
from asr.server.api_errors import ApiError
from asr.server.live_stream import LiveStream
from asr.server.monitoring import AUDIO_SECONDS
from asr.server.openai_routes import read_hot_words
from asr.server.speech_to_text import SpeechToText

IDLE = 120.0
"""Seconds without a message after which a stream is closed."""
MAX_RATE = 192_000
"""Hz; the highest sample rate."""
MIN_CHUNK, MAX_CHUNK = 0.1, 5.0
"""Seconds; the last seconds are read and searched again after every chunk, so short ones cost
more."""
MAX_REASON = 120
"""Bytes of the reason for a closed WebSocket; the protocol allows 123."""
POLICY, BAD_DATA, GOING_AWAY = 1008, 1007, 1012
"""Codes of closed WebSockets."""
SUBPROTOCOL = "asr"
"""Subprotocol that is chosen if a client offers it. A web page that offers its key as a subprotocol
(`guard.KEY_PROTOCOL`) must offer another one to be chosen."""
UNKNOWN_WORD = "[unk]"
"""Vosk's place holder in a list of phrases for every other word."""


@dataclass(frozen=True)
class VoskConfig:
    """The configuration of a stream.

    Attributes:
        sample_rate: Hz; None for the model's.
        words: whether results have their words.
        max_alternatives: more than 0 for results in a list of alternatives, which has one entry.
        phrases: words or phrases to favour.
        chunk: seconds of audio between two texts; Vosk has no such key.
    """

    sample_rate: int | None = None
    words: bool = True
    max_alternatives: int = 0
    phrases: tuple[str, ...] = ()
    chunk: Seconds = 0.5


class _BadMessage(AsrError):
    """A message that the protocol does not have."""


def vosk_routes(speech_to_text: SpeechToText) -> list[WebSocketRoute]:
    """The WebSocket of vosk-server.

    Args:
        speech_to_text: has the engine and the limits.
    """
    slots = Slots(speech_to_text.settings.max_streams, "live streams")

    async def live(websocket: WebSocket) -> None:
        try:
            with slots.enter():
                offered = websocket.scope.get("subprotocols", ())
                await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
                await _converse(websocket, speech_to_text)
        except ApiError as error:
            await websocket.send_denial_response(error.response())
        except WebSocketDisconnect:
            pass

    return [WebSocketRoute("/", live)]


async def _converse(websocket: WebSocket, speech_to_text: SpeechToText) -> None:
    conversation = _Conversation(speech_to_text)
    code, reason = 1000, ""
    try:
        while not conversation.ended:
            async with asyncio.timeout(IDLE):
                message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            async with asyncio.timeout(speech_to_text.settings.timeout):
                answer = await conversation.answer(message.get("text"), message.get("bytes"))
            if answer is not None:
                async with asyncio.timeout(speech_to_text.settings.idle_timeout):
                    await websocket.send_text(json.dumps(answer, ensure_ascii=False))
    except TimeoutError:
        code, reason = POLICY, f"no data for {IDLE:g} s, or too much to do"
    except _BadMessage as error:
        code, reason = BAD_DATA, str(error)
    except WorkerError as error:
        code, reason = GOING_AWAY, str(error)
    except AsrError as error:
        code, reason = POLICY, str(error)
    finally:
        websocket.scope[AUDIO_SECONDS] = conversation.seconds
    short = reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")
    await websocket.close(code, short)


class _Conversation:
    """What a client has said so far.

    Attributes:
        ended: whether the client has sent everything.
    """

    def __init__(self, speech_to_text: SpeechToText) -> None:
        self.speech_to_text = speech_to_text
        self.ended = False
        self._config = VoskConfig()
        self._stream: LiveStream | None = None
        self._before = 0.0
        self._final: list[Partial] = []
        self._partial = ""

    @property
    def seconds(self) -> float:
        """Duration of the audio so far."""
        return self._before + (0.0 if self._stream is None else self._stream.position)

    async def answer(self, text: str | None, data: bytes | None) -> dict[str, Any] | None:
        """The answer to a message; None for a configuration, which has none.

        Raises:
            _BadMessage: the protocol has no such message.
            AsrError: the stream cannot be transcribed.
        """
        if data is not None:
            return await self._audio(data)
        try:
            values = json.loads(text or "")
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict) or not values.keys() & {"config", "eof", "reset"}:
            raise _BadMessage('expected audio, or JSON with "config", "eof" or "reset"')
        if "config" in values:
            self._config = read_vosk_config(values["config"], self._config)
            return None
        self.ended = "eof" in values
        return await self._finish()

    async def _audio(self, data: bytes) -> dict[str, Any]:
        if self._stream is None:
            decoder = await self.speech_to_text.decoder(self._config.phrases)
            left = self.speech_to_text.settings.max_duration - self._before
            engine = self.speech_to_text.engine
            config = self._config
            self._stream = LiveStream(engine, config.sample_rate, decoder, left, config.chunk)
        ended = False
        for result in await self._stream.feed(data):
            # Without a new result, the last partial one stays.
            self._partial = "" if result.final else result.text
            if result.final:
                self._final.append(result)
                ended = ended or result.pause
        if ended:
            return self._result()
        texts = [result.text for result in self._final]
        return {"partial": " ".join(text for text in (*texts, self._partial) if text)}

    async def _finish(self) -> dict[str, Any]:
        """End the stream; a next one begins where it ended."""
        if self._stream is not None:
            self._final += await self._stream.finish()
        result = self._result()
        self._before, self._stream, self._partial = self.seconds, None, ""
        return result

    def _result(self) -> dict[str, Any]:
        """The final results so far as one utterance."""
        words = [word for result in self._final for word in result.words]
        text = " ".join(result.text for result in self._final if result.text)
        self._final = []
        values: dict[str, Any] = {"text": text}
        if self._config.words and words:
            values = {"result": [self._word(word) for word in words], "text": text}
        if self._config.max_alternatives:
            mean = sum(word.confidence for word in words) / len(words) if words else 1.0
            return {"alternatives": [{"confidence": round(mean, 6), **values}]}
        return values

    def _word(self, word: Word) -> dict[str, Any]:
        return {
            "conf": round(word.confidence, 6),
            "end": round(self._before + word.end, 3),
            "start": round(self._before + word.start, 3),
            "word": word.text,
        }


def read_vosk_config(values: Any, before: VoskConfig) -> VoskConfig:
    """Read a configuration. Keys that it lacks keep their values; unknown keys are ignored.

    Raises:
        AsrError: a value is wrong; the message names its key.
    """
    if not isinstance(values, dict):
        raise _BadMessage('"config" must be a JSON object')
    rate = values.get("sample_rate", before.sample_rate)
    if rate is not None:
        if not _is_number(rate) or not 1000 <= rate <= MAX_RATE:
            raise _BadMessage(f"sample_rate: a number from 1000 to {MAX_RATE} is needed")
        rate = round(rate)
    phrases = values.get("phrase_list")
    if phrases is None:
        hot_words = before.phrases
    elif isinstance(phrases, list) and all(isinstance(phrase, str) for phrase in phrases):
        hot_words = read_hot_words(*(phrase for phrase in phrases if phrase != UNKNOWN_WORD))
    else:
        raise _BadMessage("phrase_list: a list of texts is needed")
    alternatives = values.get("max_alternatives", before.max_alternatives)
    if not isinstance(alternatives, int):
        raise _BadMessage("max_alternatives: a whole number is needed")
    chunk = values.get("chunk", before.chunk)
    if not _is_number(chunk) or not MIN_CHUNK <= chunk <= MAX_CHUNK:
        raise _BadMessage(f"chunk: seconds from {MIN_CHUNK} to {MAX_CHUNK:g} are needed")
    words = bool(values.get("words", before.words))
    return VoskConfig(rate, words, alternatives, hot_words, chunk)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
