"""OpenAI's audio API: /v1/audio/transcriptions and /v1/models."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from asr.errors import AsrError
from asr.results import Transcript
from asr.server.admission import AdmittedRoute, Slots, unless_disconnected
from asr.server.api_errors import ApiError, as_api_error
from asr.server.growing_transcript import GrowingTranscript
from asr.server.monitoring import AUDIO_SECONDS
from asr.server.openai_formats import (
    GRANULARITIES,
    RESPONSE_FORMATS,
    WRITERS_OF,
    as_json,
    as_text,
    as_verbose_json,
    event,
    usage,
)
from asr.server.speech_to_text import SpeechToText
from asr.text.languages import UNKNOWN_LANGUAGE, language_code, language_name

MODEL_ALIASES = ("whisper-1",)
"""Names of OpenAI's recognisers that clients have built in; they mean this server's recogniser."""
MAX_FIELDS = 100
"""Fields of a form at most."""
MAX_FIELD = 64_000
"""Bytes of a field that is no file at most."""
MAX_HOT_WORDS = 200
"""Hot words of a request at most."""
PHRASE_ENDS = re.compile(r"[,;\n]+|[.!?]+(?:\s|$)")
"""Characters of a prompt between which each phrase is a hot word."""


@dataclass(frozen=True)
class TranscriptionRequest:
    """The fields of a request for a transcription.

    Attributes:
        file: the recording.
        response_format: one of `RESPONSE_FORMATS`.
        granularities: some of `GRANULARITIES`.
        hot_words: words or phrases to favour, from the prompt and the keywords.
        stream: whether the text is sent while it is found.
    """

    file: UploadFile
    response_format: str
    granularities: tuple[str, ...]
    hot_words: tuple[str, ...]
    stream: bool


def openai_routes(speech_to_text: SpeechToText, voices: Sequence[str] = ()) -> list[Route]:
    """The routes of OpenAI's API for transcriptions and models.

    Args:
        speech_to_text: transcribes recordings.
        voices: names of the voices, for the list of models.
    """
    settings = speech_to_text.settings
    slots = Slots(settings.max_requests, "transcriptions")
    models = [_model(name) for name in (speech_to_text.model, *voices)]

    async def transcriptions(request: Request) -> Response:
        asked = read_transcription_request(await read_form(request), speech_to_text)
        if asked.stream:
            growing = GrowingTranscript(request, partial(_transcribe, speech_to_text, asked))
            await growing.begin()
            events = _Events(request, growing).events()
            return StreamingResponse(events, media_type="text/event-stream")
        transcript = await unless_disconnected(request, _transcribe(speech_to_text, asked))
        request.scope[AUDIO_SECONDS] = transcript.duration
        return _response(transcript, asked, speech_to_text.language)

    async def list_models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": models})

    async def retrieve_model(request: Request) -> Response:
        name = request.path_params["model"]
        for model in models:
            if model["id"] == name:
                return JSONResponse(model)
        raise _unknown_model(name, [m["id"] for m in models])

    return [
        Route(
            "/v1/audio/transcriptions",
            AdmittedRoute(slots, transcriptions, settings.timeout),
            methods=["POST"],
        ),
        Route("/v1/models", list_models),
        Route("/v1/models/{model:path}", retrieve_model),
    ]


async def read_form(request: Request) -> FormData:
    """The form of a request, with one file at most.

    Raises:
        ApiError: its charset is no encoding of text.
    """
    try:
        return await request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD)
    except UnicodeError:
        raise ApiError(400, "the form's charset cannot be read; send UTF-8") from None


def read_transcription_request(
    form: FormData, speech_to_text: SpeechToText
) -> TranscriptionRequest:
    """Check the fields of a form.

    Fields that change nothing here, such as `temperature`, are ignored.

    Raises:
        ApiError: a field is missing or wrong; the message names it and what is possible.
    """
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise ApiError(400, "file: a recording is needed, as multipart/form-data", param="file")
    texts = _text_fields(form)
    model = texts.get("model") or speech_to_text.model
    if model not in (speech_to_text.model, *MODEL_ALIASES):
        raise _unknown_model(model, [speech_to_text.model, *MODEL_ALIASES])
    _check_language(texts.get("language", ""), speech_to_text.language)
    response_format = _one_of(texts, "response_format", RESPONSE_FORMATS, "json")
    granularities = tuple(
        value
        for key in ("timestamp_granularities[]", "timestamp_granularities")
        for value in form.getlist(key)
        if isinstance(value, str)
    )
    for value in granularities:
        if value not in GRANULARITIES:
            raise _unknown_value("timestamp_granularities", value, GRANULARITIES)
    if granularities and response_format != "verbose_json":
        raise ApiError(
            400,
            "timestamp_granularities: needs response_format verbose_json",
            param="timestamp_granularities",
        )
    stream = _one_of(texts, "stream", ("true", "false"), "false") == "true"
    if stream and response_format not in ("json", "text"):
        raise ApiError(
            400,
            f"stream: response_format {response_format} cannot be streamed; use json or text",
            param="stream",
        )
    keywords = [
        value
        for key in ("keywords[]", "keywords")
        for value in form.getlist(key)
        if isinstance(value, str)
    ]
    return TranscriptionRequest(
        file,
        response_format,
        granularities or ("segment",),
        read_hot_words(texts.get("prompt", ""), *keywords),
        stream,
    )


def read_hot_words(*prompts: str) -> tuple[str, ...]:
    """The phrases of prompts: their parts between commas, semicolons, lines and sentences.

    Raises:
        ApiError: there are more than `MAX_HOT_WORDS`.
    """
    parts = (part.strip() for prompt in prompts for part in PHRASE_ENDS.split(prompt))
    found = tuple(dict.fromkeys(part for part in parts if any(map(str.isalnum, part))))
    if len(found) > MAX_HOT_WORDS:
        raise ApiError(
            400,
            f"prompt: its {len(found)} phrases are favoured as hot words, and {MAX_HOT_WORDS} are "
            "the limit; send the most important ones",
            param="prompt",
        )
    return found


class _Events:
    """A transcription as server-sent events.

    A word is sent when a further one follows, because the last word may still change.

    Args:
        request: the request.
        growing: the transcription, which has begun.
    """

    def __init__(self, request: Request, growing: GrowingTranscript) -> None:
        self.request, self.growing = request, growing
        self._sent = ""

    async def events(self) -> AsyncIterator[bytes]:
        """The events, until the transcription ends."""
        try:
            async for text in self.growing.texts():
                if delta := self._delta(text[: text.rfind(" ") + 1].rstrip()):
                    yield delta
            try:
                transcript = self.growing.result()
            except AsrError as error:
                yield event(as_api_error(error).body)
                return
            self.request.scope[AUDIO_SECONDS] = transcript.duration
            if delta := self._delta(transcript.text):
                yield delta
            done = {"type": "transcript.text.done", "text": transcript.text}
            yield event({**done, "usage": usage(transcript)})
            yield event("[DONE]")
        finally:
            self.growing.cancel()

    def _delta(self, text: str) -> bytes | None:
        if len(text) <= len(self._sent) or not text.startswith(self._sent):
            return None
        delta = text[len(self._sent) :]
        self._sent = text
        return event({"type": "transcript.text.delta", "delta": delta})


async def _transcribe(
    speech_to_text: SpeechToText,
    asked: TranscriptionRequest,
    on_text: Callable[[str], object] | None = None,
) -> Transcript:
    file = asked.file
    return await speech_to_text.transcribe_file(file.file, file.filename, asked.hot_words, on_text)


def _response(
    transcript: Transcript, asked: TranscriptionRequest, language: str | None
) -> Response:
    if asked.response_format in WRITERS_OF:
        return PlainTextResponse(as_text(transcript, asked.response_format))
    if asked.response_format == "json":
        return JSONResponse(as_json(transcript))
    name = language_name(language or "").partition(" (")[0].lower()
    return JSONResponse(as_verbose_json(transcript, name, asked.granularities))


def _text_fields(form: FormData) -> dict[str, str]:
    """The fields that are no files and no lists.

    Raises:
        ApiError: a field is there twice, or is a file.
    """
    texts: dict[str, str] = {}
    for key, value in form.multi_items():
        if key == "file" or key.endswith("[]") or key in ("timestamp_granularities", "keywords"):
            continue
        if not isinstance(value, str):
            raise ApiError(400, f"{key[:100]}: must be text, not a file", param=key[:100])
        if key in texts:
            raise ApiError(400, f"{key[:100]}: given twice", param=key[:100])
        texts[key] = value
    return texts


def _check_language(asked: str, own: str | None) -> None:
    if not asked or own is None:
        return
    if language_code(asked) not in (language_code(own), *UNKNOWN_LANGUAGE):
        raise ApiError(
            400,
            f"language: {asked[:40]!r} is asked for, but the model's language is {own!r}",
            param="language",
        )


def _one_of(texts: dict[str, str], key: str, choices: tuple[str, ...], default: str) -> str:
    value = texts.get(key, "") or default
    if value.lower() not in choices:
        raise _unknown_value(key, value, choices)
    return value.lower()


def _unknown_value(key: str, value: str, choices: tuple[str, ...]) -> ApiError:
    return ApiError(400, f"{key}: {value[:100]!r} is unknown; one of {', '.join(choices)}", key)


def _unknown_model(name: str, known: list[str]) -> ApiError:
    return ApiError(
        404,
        f"model: {name[:100]!r} is not on this server; it has {', '.join(known)}",
        param="model",
        code="model_not_found",
    )


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "asr"}
