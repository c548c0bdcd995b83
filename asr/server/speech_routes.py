"""OpenAI's API for speech: /v1/audio/speech."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from asr.server.admission import AdmittedRoute, Slots, unless_disconnected
from asr.server.api_errors import ApiError
from asr.server.json_body import number_value, read_json_object, text_value
from asr.server.monitoring import AUDIO_SECONDS
from asr.server.openai_formats import event
from asr.server.settings import ServerSettings
from asr.server.speech_encoder import SPEECH_FORMATS
from asr.server.speech_worker import SpokenPart
from asr.server.text_to_speech import TextToSpeech

SPEECH_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""Names of OpenAI's models that clients have built in; they mean this server's voice."""
SPEECH_VOICES = (
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx"),
    *("sage", "shimmer", "verse"),
)
"""Names of OpenAI's voices, which mean this server's voice, too."""
MAX_INPUT = 4096
"""Characters of a text at most."""
RATES = (0.25, 4.0)
"""Slowest and fastest speed: those of OpenAI's API and of `Synthesizer`."""


def speech_routes(settings: ServerSettings, text_to_speech: TextToSpeech) -> list[Route]:
    """The route of OpenAI's API for speech.

    Args:
        settings: the limits.
        text_to_speech: speaks.
    """
    slots = Slots(settings.max_requests, "speech requests")

    async def speech(request: Request) -> Response:
        values = await read_json_object(request)
        text = read_input(values)
        name = text_to_speech.name
        _check_name(values, "model", (name, *SPEECH_MODELS), name)
        voice = values.get("voice")
        if isinstance(voice, dict):  # a voice of one's own, {"id": NAME}
            values["voice"] = voice.get("id")
        _check_name(values, "voice", (name, *SPEECH_VOICES), name)
        format = _check_name(values, "response_format", tuple(SPEECH_FORMATS), "mp3")
        rate = number_value(values, "speed", 1.0, *RATES)
        as_events = _check_name(values, "stream_format", ("audio", "sse"), "audio") == "sse"
        parts = text_to_speech.speak(text, rate, format)
        # The first sentence is spoken before the response begins, so that errors have a status.
        first = await unless_disconnected(request, anext(parts))
        body = _body(request, first, parts, as_events)
        kind = "text/event-stream" if as_events else SPEECH_FORMATS[format].media_type
        return StreamingResponse(body, media_type=kind)

    return [
        Route("/v1/audio/speech", AdmittedRoute(slots, speech, settings.timeout), methods=["POST"])
    ]


def read_input(values: dict[str, Any]) -> str:
    """The text of a request.

    Raises:
        ApiError: it is missing or too long.
    """
    text = text_value(values, "input")
    if len(text) > MAX_INPUT:
        raise ApiError(
            400,
            f"input: {len(text)} characters; {MAX_INPUT} are the limit, send it in parts",
            param="input",
        )
    return text


async def _body(
    request: Request, first: SpokenPart, parts: AsyncGenerator[SpokenPart, None], as_events: bool
) -> AsyncIterator[bytes]:
    seconds = 0.0
    async with aclosing(parts):
        part: SpokenPart | None = first
        while part is not None:
            seconds += part.duration
            request.scope[AUDIO_SECONDS] = seconds
            if as_events:
                audio = base64.b64encode(part.data).decode()
                yield event({"type": "speech.audio.delta", "audio": audio})
            else:
                yield part.data
            part = await anext(parts, None)
    if as_events:
        used = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        yield event({"type": "speech.audio.done", "usage": used})


def _check_name(values: dict[str, Any], key: str, known: tuple[str, ...], default: str) -> str:
    name = text_value(values, key, default)
    if name not in known:
        status, code = (404, "model_not_found") if key == "model" else (400, None)
        raise ApiError(
            status, f"{key}: {name[:100]!r} is unknown; one of {', '.join(known)}", key, code
        )
    return name
