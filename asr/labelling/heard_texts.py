"""`HeardTexts`: what a recogniser heard, cached in a file so that a restart computes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.base.files import append, json_line
from asr.base.units import Seconds
from asr.labelling.order import sureness
from asr.results import Transcript, Word


@dataclass(frozen=True)
class Heard:
    """A recogniser's text of one recording.

    Attributes:
        text: the text.
        words: its words; times count from the start of the recording or segment.
        duration: seconds of audio.
        warnings: what is wrong with the file.
    """

    text: str
    words: tuple[Word, ...]
    duration: Seconds
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, transcript: Transcript) -> Heard:
        """The parts of a transcript that labelling needs."""
        return cls(transcript.text, transcript.words, transcript.duration, transcript.warnings)

    @property
    def sure(self) -> float:
        """See `sureness`."""
        return sureness(self.words)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a word is [text, start, end, confidence]."""
        words = [[w.text, w.start, w.end, w.confidence] for w in self.words]
        return {
            "text": self.text,
            "words": words,
            "duration": self.duration,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Heard:
        """The inverse of `to_dict`.

        Raises:
            KeyError, TypeError: the values are others.
        """
        words = tuple(Word(str(t), float(a), float(b), float(c)) for t, a, b, c in values["words"])
        warnings = tuple(str(warning) for warning in values["warnings"])
        return cls(str(values["text"]), words, float(values["duration"]), warnings)


def file_stamp(path: Path) -> tuple[int, int]:
    """Size and time of change of a file; a file with another stamp is transcribed again."""
    try:
        state = path.stat()
    except (OSError, ValueError):  # the transcription reports the error
        return (0, 0)
    return (state.st_size, state.st_mtime_ns)


class HeardTexts:
    """A file with one line per recording and recogniser.

    A line is appended as soon as a recording is transcribed. An interruption can tear the last line
    only, and torn lines are skipped. Lines of other recognisers stay: an earlier one may come back.

    Args:
        path: the file; it need not exist.
        key: digest of the recogniser and its decoding options.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self._known: dict[tuple[str, int, int], Heard] = {}
        lines = path.read_bytes().split(b"\n") if path.is_file() else []
        self._torn = bool(lines and lines[-1])
        for line in lines:
            try:
                values = json.loads(line)
                if values["key"] == key:
                    size, time = values["file"]
                    self._known[values["id"], size, time] = Heard.from_dict(values["heard"])
            except (ValueError, TypeError, KeyError):
                continue

    def get(self, id: str, stamp: tuple[int, int]) -> Heard | None:
        """What was heard in a recording; None if it must be transcribed."""
        return self._known.get((id, *stamp))

    def add(self, id: str, stamp: tuple[int, int], heard: Heard) -> None:
        """Store what was heard.

        Raises:
            OSError: the file cannot be written.
        """
        self._known[id, *stamp] = heard
        values = {"id": id, "file": list(stamp), "key": self.key, "heard": heard.to_dict()}
        # Behind a torn line, the new one must not continue it.
        append(self.path, ("\n" if self._torn else "") + json_line(values))
        self._torn = False
