"""`LabelLog`: the labels of an unfinished run, so that a killed run can go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from asr.base.files import append, atomic_write, json_line
from asr.base.progress import track
from asr.data.inputs import RecordingRef, recording_name
from asr.data.manifest import Utterance
from asr.results import Failure

PART = 128
"""Recordings that are labelled at once. A kill loses the labels of one part at most."""
PATHS = ("audio_filepath", "feature_filepath")

Labels = tuple[list[Utterance], list[Failure]]
"""The labelled recordings that are kept, and the recordings that cannot be used."""


class LabelLog:
    """A file beside the manifest, with one line of JSON per finished part of the recordings.

    Its first line has the settings, the size of a part and a hash of the recordings. A log of other
    ones is replaced. An interruption can tear the last line only, and a torn line is dropped.

    Args:
        path: the file.
        settings: what the labels depend on, as plain values.
    """

    def __init__(self, path: Path, settings: Sequence[str | float | None]) -> None:
        self.path = path
        self.settings = settings

    def label(
        self, recordings: Sequence[RecordingRef], label: Callable[[Sequence[RecordingRef]], Labels]
    ) -> Labels:
        """Label the recordings whose labels are not in the log yet.

        Args:
            recordings: all recordings.
            label: labels some recordings.

        Returns:
            The labels of all recordings, in order.

        Raises:
            OSError: the log cannot be written.
        """

        def label_part(part: Sequence[RecordingRef]) -> dict[str, Any]:
            kept, failures = label(part)
            return {
                "kept": [_plain(utterance) for utterance in kept],
                "failures": [failure.to_dict() for failure in failures],
            }

        lines = self.in_parts(recordings, label_part, "labelling")
        return (
            [_utterance(values) for line in lines for values in line["kept"]],
            [Failure(**values) for line in lines for values in line["failures"]],
        )

    def in_parts(
        self,
        recordings: Sequence[RecordingRef],
        work: Callable[[Sequence[RecordingRef]], dict[str, Any]],
        what: str,
    ) -> list[dict[str, Any]]:
        """Do the work on the parts that are not in the log yet.

        Args:
            recordings: all recordings.
            work: does it for the recordings of a part, and returns values for JSON.
            what: title of the progress bar.

        Returns:
            The values of all parts, in order.

        Raises:
            OSError: the log cannot be written.
        """
        parts = [recordings[i : i + PART] for i in range(0, len(recordings), PART)]
        lines = self._finished(self._first_line(recordings))
        for part in track(parts[len(lines) - 1 :], len(parts) - len(lines) + 1, what):
            values = work(part)
            append(self.path, json_line(values))
            lines.append(values)
        return lines[1:]

    def remove(self) -> None:
        """Remove the file, once the manifest is written."""
        self.path.unlink(missing_ok=True)

    def _first_line(self, recordings: Sequence[RecordingRef]) -> dict[str, Any]:
        names = hashlib.sha256()
        for recording in recordings:
            name = recording.name if isinstance(recording, Utterance) else recording_name(recording)
            names.update(f"{name}\n".encode(errors="surrogateescape"))
        return {
            "settings": list(self.settings),
            "part": PART,
            "recordings": names.hexdigest(),
        }

    def _finished(self, first: dict[str, Any]) -> list[dict[str, Any]]:
        """The lines of an earlier run that can be used, after the first line; writes the log."""
        lines: list[dict[str, Any]] = []
        text = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
        for line in text.split("\n")[:-1]:  # what follows the last line end is torn
            try:
                lines.append(json.loads(line))
            except ValueError:
                break
        if not lines or lines[0] != first:
            lines = [first]
        with atomic_write(self.path) as file:
            file.writelines(map(json_line, lines))
        return lines


def _plain(utterance: Utterance) -> dict[str, Any]:
    values = {field.name: getattr(utterance, field.name) for field in fields(Utterance)}
    return {k: str(v) if isinstance(v, Path) else v for k, v in values.items() if v is not None}


def _utterance(values: dict[str, Any]) -> Utterance:
    paths: dict[str, Any] = {key: Path(values[key]) for key in PATHS if key in values}
    return Utterance(**{**values, **paths})
