"""The page at / of `asr serve`, and the requests that only the page makes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asr.decoding.spelling_joiner import Spelling
from asr.formats.writers import find_writer
from asr.results import Transcript
from asr.server.admission import AdmittedRoute, Slots, unless_disconnected
from asr.server.json_body import read_json_object
from asr.server.monitoring import AUDIO_SECONDS
from asr.server.openai_formats import timed_words
from asr.server.openai_routes import read_form, read_transcription_request
from asr.server.speech_routes import read_input
from asr.server.speech_to_text import SpeechToText
from asr.server.text_to_speech import TextToSpeech

DOWNLOADS = ("txt", "srt", "vtt", "TextGrid", "json")
"""Formats of `asr transcribe` that the page offers."""


def page_routes(speech_to_text: SpeechToText, text_to_speech: TextToSpeech | None) -> list[Route]:
    """The requests of the page.

    Args:
        speech_to_text: transcribes recordings.
        text_to_speech: has the pronunciations; None without a voice.
    """
    settings = speech_to_text.settings
    slots = Slots(settings.max_requests, "transcriptions of the page")

    async def about(request: Request) -> Response:
        voice = None if text_to_speech is None else text_to_speech.name
        language = speech_to_text.language
        return JSONResponse({"model": speech_to_text.model, "language": language, "voice": voice})

    async def transcripts(request: Request) -> Response:
        asked = read_transcription_request(await read_form(request), speech_to_text)
        name = asked.file.filename or "recording"
        decoder = await speech_to_text.decoder(asked.hot_words)
        joiner = speech_to_text.engine.recognizer.spelling_joiner(decoder)
        work = speech_to_text.transcribe_file(asked.file.file, name, title=name, joiner=joiner)
        transcript = replace(await unless_disconnected(request, work), audio_filepath=name)
        request.scope[AUDIO_SECONDS] = transcript.duration
        spellings = joiner.spellings(transcript.words)
        # In a thread, because the files of hours of speech are large.
        content = await asyncio.to_thread(page_transcript, transcript, spellings)
        return Response(content, media_type="application/json")

    routes = [
        Route("/page/about", about),
        Route(
            "/page/transcripts",
            AdmittedRoute(slots, transcripts, settings.timeout),
            methods=["POST"],
        ),
    ]
    if text_to_speech is not None:
        routes.append(_phones_route(settings.max_requests, settings.timeout, text_to_speech))
    return routes


def page_transcript(transcript: Transcript, spellings: Sequence[Sequence[Spelling]]) -> bytes:
    """A transcript with all files that the page offers, as JSON.

    The files are made at once, so that the server need not keep the transcript.

    Args:
        transcript: the transcript.
        spellings: other spellings of each word.
    """
    words = timed_words(transcript)
    for word, others in zip(words, spellings, strict=True):
        word["spellings"] = [
            {"text": other.text, "probability": round(other.probability, 4)} for other in others
        ]
    values: dict[str, Any] = {
        "text": transcript.text,
        "duration": transcript.duration,
        "words": words,
        "warnings": list(transcript.warnings),
        "files": {format: "".join(find_writer(format).write([transcript])) for format in DOWNLOADS},
    }
    return json.dumps(values).encode()


def _phones_route(limit: int, timeout: float, text_to_speech: TextToSpeech) -> Route:
    slots = Slots(limit, "requests for phones")

    async def phones(request: Request) -> Response:
        text = read_input(await read_json_object(request))
        sentences = await unless_disconnected(request, text_to_speech.pronounce(text))
        return JSONResponse({"sentences": [sentence._asdict() for sentence in sentences]})

    return Route("/page/phones", AdmittedRoute(slots, phones, timeout), methods=["POST"])
