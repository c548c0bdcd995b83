"""Output formats behind one lookup: `WRITERS[format].write(results)` yields pieces of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from asr.files import json_line
from asr.results import Transcript


@dataclass(frozen=True)
class Writer:
    """A format: the suffix of its files, whether one holds many recordings, and its text."""

    suffix: str
    many: bool
    write: Callable[[Iterable[Transcript]], Iterator[str]]


def txt(results: Iterable[Transcript]) -> Iterator[str]:
    """The text, one recording a line; to know which recording it is, take jsonl."""
    for result in results:
        yield result.text + "\n"


def jsonl(results: Iterable[Transcript]) -> Iterator[str]:
    """One object a recording: audio_filepath as given, text, duration (s), score (nats a frame)."""
    for result in results:
        values = {
            "audio_filepath": result.audio_filepath,
            "text": result.text,
            "duration": round(result.duration, 3),
            "score": round(result.score, 4),
        }
        if result.channel is not None:
            values["channel"] = result.channel
        yield json_line(values)


WRITERS: dict[str, Writer] = {
    "txt": Writer(".txt", True, txt),
    "jsonl": Writer(".jsonl", True, jsonl),
}
