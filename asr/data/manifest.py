"""JSONL manifests in NVIDIA NeMo's field names: reading and writing.

One object a line: `audio_filepath` and/or `feature_filepath` (relative to the manifest's folder, or
absolute), `duration` in seconds, `text`, and optionally `speaker`, and `teacher`: the name of the
model that wrote the text.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.base.files import atomic_write, json_line
from asr.errors import ManifestError, reason


@dataclass(frozen=True)
class Utterance:
    """One line of a manifest; `audio_filepath`, or `feature_filepath` where there is no audio."""

    text: str
    duration: float
    audio_filepath: Path | None = None
    speaker: str | None = None
    feature_filepath: Path | None = None
    teacher: str | None = None
    """Name of the model that wrote the text; None where a person did."""

    @property
    def path(self) -> Path:
        """The file that stands for the utterance."""
        path = self.audio_filepath or self.feature_filepath
        assert path is not None
        return path


def read_manifest(path: Path) -> list[Utterance]:
    """Read a manifest; paths come back resolved against its folder.

    Raises:
        ManifestError: not readable, without a line, or a broken line, named by its number.
    """
    path = Path(path)
    try:
        # Not splitlines: a text may hold a character such as U+2028, which JSON leaves as it is.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {reason(error)}") from None
    utterances = [
        _utterance(line, path, number) for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not utterances:
        raise ManifestError(f"{path}: has no utterances")
    return utterances


def write_manifest(path: Path, utterances: Sequence[Utterance]) -> None:
    """Write a manifest whose paths are relative to its own folder."""
    path = Path(path)
    folder = path.parent.resolve()
    with atomic_write(path) as file:
        for u in utterances:
            values: dict[str, Any] = {}
            for key in ("audio_filepath", "feature_filepath"):
                if (target := getattr(u, key)) is not None:
                    # The file's own name stays: in some stores it is a link to a nameless one.
                    target = Path(target).parent.resolve() / Path(target).name
                    values[key] = os.path.relpath(target, folder)
            values |= {"duration": round(u.duration, 3), "text": u.text}
            for key in ("speaker", "teacher"):
                if (value := getattr(u, key)) is not None:
                    values[key] = value
            file.write(json_line(values))


def taught(utterances: Iterable[Utterance]) -> dict[str, dict[str, float]]:
    """Utterances and hours by the teacher that labelled them; those with texts by people left out.

    >>> taught([Utterance("a", 36.0, teacher="whisper-base"), Utterance("b", 5.0)])
    {'whisper-base': {'utterances': 1, 'hours': 0.01}}
    """
    counts: dict[str, dict[str, float]] = {}
    for u in utterances:
        if u.teacher is not None:
            count = counts.setdefault(u.teacher, {"utterances": 0, "hours": 0.0})
            count["utterances"] += 1
            count["hours"] += u.duration / 3600
    return counts


def _utterance(line: str, path: Path, number: int) -> Utterance:
    where = f"{path}, line {number}"
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ManifestError(f"{where}: expected an object, found {type(values).__name__}")
    values = {key: value for key, value in values.items() if value is not None}
    for key in ("audio_filepath", "feature_filepath", "text", "speaker", "teacher"):
        if not isinstance(values.get(key, ""), str):
            raise ManifestError(f"{where}: {key}: expected a string, found {values[key]!r}")
        if key.endswith("filepath") and "\0" in values.get(key, ""):
            raise ManifestError(f"{where}: {key}: a path cannot hold a NUL character")
    if "text" not in values:
        raise ManifestError(f"{where}: missing key text")
    if not (values.get("audio_filepath") or values.get("feature_filepath")):
        raise ManifestError(f"{where}: missing key audio_filepath (or feature_filepath)")
    duration = values.get("duration")
    if isinstance(duration, bool) or not isinstance(duration, (int, float)):
        raise ManifestError(f"{where}: duration: expected seconds, found {duration!r}")
    if not 0 <= duration <= sys.float_info.max:
        raise ManifestError(f"{where}: duration: must be finite and not negative, found {duration}")
    folder = path.parent
    return Utterance(
        text=values["text"],
        duration=float(duration),
        audio_filepath=folder / values["audio_filepath"] if values.get("audio_filepath") else None,
        speaker=values.get("speaker"),
        feature_filepath=(
            folder / values["feature_filepath"] if values.get("feature_filepath") else None
        ),
        teacher=values.get("teacher"),
    )
