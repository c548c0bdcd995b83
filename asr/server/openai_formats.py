"""Transcripts in the formats of OpenAI's audio API."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Collection
from typing import Any

from asr.formats.subtitles import cues, milliseconds
from asr.formats.writers import find_writer
from asr.results import Transcript, Word

WRITERS_OF = {"text": "txt", "srt": "srt", "vtt": "vtt"}
"""Response formats that are text → formats of `asr transcribe`."""
RESPONSE_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("word", "segment")


def as_text(transcript: Transcript, response_format: str) -> str:
    """A transcript in one of the formats of `WRITERS_OF`, as `asr transcribe` writes it."""
    return "".join(find_writer(WRITERS_OF[response_format]).write([transcript]))


def as_json(transcript: Transcript) -> dict[str, Any]:
    """A transcript in the response format json."""
    return {"text": transcript.text, "usage": usage(transcript)}


def as_verbose_json(
    transcript: Transcript, language: str, granularities: Collection[str]
) -> dict[str, Any]:
    """A transcript in the response format verbose_json.

    Args:
        transcript: the transcript.
        language: name of its language, such as "english".
        granularities: some of `GRANULARITIES`.
    """
    values: dict[str, Any] = {
        "task": "transcribe",
        "language": language,
        "duration": _rounded(transcript.duration),
        "text": transcript.text,
        "usage": usage(transcript),
    }
    if transcript.warnings:
        values["warnings"] = list(transcript.warnings)
    if "segment" in granularities:
        values["segments"] = segments(transcript)
    if "word" in granularities:
        values["words"] = timed_words(transcript)
    return values


def timed_words(transcript: Transcript) -> list[dict[str, Any]]:
    """The words of a transcript, with times in seconds and confidences."""
    return [
        {
            "word": word.text,
            "start": _rounded(word.start),
            "end": _rounded(word.end),
            "confidence": round(word.confidence, 4),
        }
        for word in transcript.words
    ]


def segments(transcript: Transcript) -> list[dict[str, Any]]:
    """The captions of a transcript, with the keys of Whisper's segments.

    `avg_logprob` is the mean logarithm of the words' confidences. The keys that only make sense for
    Whisper have neutral values.
    """
    found = []
    words = list(transcript.words)
    for number, cue in enumerate(cues(transcript.words)):
        count = len(" ".join(cue.lines).split())
        own, words = words[:count], words[count:]
        text = " ".join(cue.lines)
        found.append(
            {
                "id": number,
                "seek": 0,
                "start": cue.start / 1000,
                "end": _end(own, cue.end),
                "text": text,
                "tokens": [],
                "temperature": 0.0,
                "avg_logprob": _mean_log(own),
                "compression_ratio": round(
                    len(text.encode()) / len(zlib.compress(text.encode())), 4
                ),
                "no_speech_prob": 0.0,
            }
        )
    return found


def usage(transcript: Transcript) -> dict[str, Any]:
    """The audio that was used, in whole seconds."""
    return {"type": "duration", "seconds": math.ceil(transcript.duration)}


def event(values: dict[str, Any] | str) -> bytes:
    """A server-sent event."""
    data = values if isinstance(values, str) else json.dumps(values, ensure_ascii=False)
    return f"data: {data}\n\n".encode()


def _end(words: list[Word], shown: int) -> float:
    """End of a segment: of its last word, where a caption would stay longer."""
    return milliseconds(words[-1].end) / 1000 if words else shown / 1000


def _mean_log(words: list[Word]) -> float:
    logs = [math.log(max(word.confidence, 1e-6)) for word in words]
    return round(sum(logs) / len(logs), 4) if logs else 0.0


def _rounded(seconds: float) -> float:
    return milliseconds(seconds) / 1000
