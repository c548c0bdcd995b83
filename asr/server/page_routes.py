"""The page at / of `asr serve`, and the requests that only the page makes."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from asr.decoding.spelling_joiner import Spelling, SpellingJoiner
from asr.errors import AsrError
from asr.formats.writers import find_writer
from asr.results import Transcript
from asr.server.admission import AdmittedRoute, Slots, unless_disconnected
from asr.server.api_errors import as_api_error
from asr.server.growing_transcript import GrowingTranscript
from asr.server.json_body import number_value, read_json_object
from asr.server.monitoring import AUDIO_SECONDS
from asr.server.openai_formats import timed_words
from asr.server.openai_routes import read_form, read_transcription_request
from asr.server.speech_routes import RATES, read_input
from asr.server.speech_to_text import SpeechToText
from asr.server.speech_worker import TimedSentence
from asr.server.text_to_speech import TextToSpeech

DOWNLOADS = ("txt", "srt", "vtt", "TextGrid", "json")
"""Formats of `asr transcribe` that the page offers."""
HEARD = 200
"""Characters of the text so far that the page shows while a recording is transcribed."""


def page_routes(speech_to_text: SpeechToText, text_to_speech: TextToSpeech | None) -> list[Route]:
    """The requests of the page.

    Args:
        speech_to_text: transcribes recordings.
        text_to_speech: speaks; None without a voice.
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
        growing = GrowingTranscript(
            request,
            lambda on_text: speech_to_text.transcribe_file(
                asked.file.file, name, on_text=on_text, title=name, joiner=joiner
            ),
        )
        await growing.begin()
        lines = _lines(request, growing, joiner, name)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    routes = [
        Route("/page/about", about),
        Route(
            "/page/transcripts",
            AdmittedRoute(slots, transcripts, settings.timeout),
            methods=["POST"],
        ),
    ]
    if text_to_speech is not None:
        routes.append(_speech_route(settings.max_requests, settings.timeout, text_to_speech))
    return routes


async def _lines(
    request: Request, growing: GrowingTranscript, joiner: SpellingJoiner, name: str
) -> AsyncIterator[bytes]:
    """JSON lines: the end of the text so far after each window, then the transcript or an error."""
    try:
        async for text in growing.texts():
            yield _line({"heard": text[-HEARD:]})
        transcript = replace(growing.result(), audio_filepath=name)
        request.scope[AUDIO_SECONDS] = transcript.duration
        spellings = joiner.spellings(transcript.words)
        # In a thread, because the files of hours of speech are large.
        yield await asyncio.to_thread(lambda: _line(page_transcript(transcript, spellings)))
    except AsrError as error:  # the response has begun, so it cannot have the error's status
        yield _line(as_api_error(error).body)
    finally:
        growing.cancel()


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode() + b"\n"


def page_transcript(
    transcript: Transcript, spellings: Sequence[Sequence[Spelling]]
) -> dict[str, Any]:
    """A transcript with all files that the page offers, for JSON.

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
    return {
        "text": transcript.text,
        "duration": transcript.duration,
        "words": words,
        "warnings": list(transcript.warnings),
        "files": {format: "".join(find_writer(format).write([transcript])) for format in DOWNLOADS},
    }


def _speech_route(limit: int, timeout: float, text_to_speech: TextToSpeech) -> Route:
    slots = Slots(limit, "texts of the page")

    async def speech(request: Request) -> Response:
        values = await read_json_object(request)
        text, rate = read_input(values), number_value(values, "speed", 1.0, *RATES)
        work = text_to_speech.speak_timed(text, rate)
        sentences = await unless_disconnected(request, work)
        seconds = sum(len(sentence.samples) / sentence.sample_rate for sentence in sentences)
        request.scope[AUDIO_SECONDS] = seconds
        return JSONResponse(await asyncio.to_thread(page_speech, sentences))

    return Route("/page/speech", AdmittedRoute(slots, speech, timeout), methods=["POST"])


def page_speech(sentences: Sequence[TimedSentence]) -> dict[str, Any]:
    """Speech with its words and their phones, for JSON; samples are 16-bit, in Base64."""
    samples = np.concatenate([sentence.samples for sentence in sentences])
    return {
        "sample_rate": sentences[0].sample_rate,
        "samples": base64.b64encode((samples * 32767).astype("<i2").tobytes()).decode(),
        "words": [
            {
                "word": word.text,
                "start": word.start,
                "end": word.end,
                "phones": [phone.phone for phone in word.phones],
            }
            for sentence in sentences
            for word in sentence.words
        ],
        "warnings": [warning for sentence in sentences for warning in sentence.warnings],
    }
