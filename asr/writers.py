"""Output formats behind one lookup: `WRITERS[format](results)` yields pieces of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from asr.files import json_line
from asr.results import Transcript

Writer = Callable[[Iterable[Transcript]], Iterator[str]]


def txt(results: Iterable[Transcript]) -> Iterator[str]:
    """The text, one recording a line; to know which recording it is, take jsonl."""
    for result in results:
        yield result.text + "\n"


def jsonl(results: Iterable[Transcript]) -> Iterator[str]:
    """One object a recording: audio_filepath as given, text, duration (s), score (nats a frame).

    With n-best, also alternatives: text and score (nats of the whole recording) of each.
    """
    for result in results:
        values: dict[str, Any] = {
            "audio_filepath": result.audio_filepath,
            "text": result.text,
            "duration": round(result.duration, 3),
            "score": round(result.score, 4),
        }
        if result.alternatives:
            values["alternatives"] = [
                {"text": a.text, "score": round(a.score, 4)} for a in result.alternatives
            ]
        yield json_line(values)


WRITERS: dict[str, Writer] = {"txt": txt, "jsonl": jsonl}
