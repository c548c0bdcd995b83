"""Reading and writing JSONL manifests with NVIDIA NeMo's field names.

Each line is an object with `audio_filepath` or `feature_filepath` or both (absolute, or relative to
the manifest's folder), `duration` in seconds, `text`, and optionally `speaker` and `teacher`, the
model that wrote the text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from asr.base.config import describe_problems
from asr.base.files import atomic_write, json_line
from asr.base.units import Seconds
from asr.errors import ManifestError, reason


@dataclass(frozen=True)
class Utterance:
    """A recording, or its features, and its text.

    >>> utterance = Utterance("go forward", 1.5, audio_filepath=Path("a.wav"), speaker="anna")
    >>> utterance.path.name, utterance.duration
    ('a.wav', 1.5)

    Attributes:
        text: the text as the corpus has it, not normalised.
        duration: seconds.
        audio_filepath: the recording; None if there are only features.
        speaker: any name; None if unknown.
        feature_filepath: a Sphinx feature file; None if there are none.
        teacher: name of the model that wrote the text; None if a person did.
    """

    text: str
    duration: Seconds
    audio_filepath: Path | None = None
    speaker: str | None = None
    feature_filepath: Path | None = None
    teacher: str | None = None

    @property
    def path(self) -> Path:
        """The recording, or the feature file if there is no recording.

        Raises:
            ManifestError: the utterance has neither.
        """
        path = self.audio_filepath or self.feature_filepath
        if path is None:
            raise ManifestError(f"{self.text!r}: has no audio_filepath and no feature_filepath")
        return path


def _without_nul(path: str | None) -> str | None:
    if path and "\0" in path:
        raise PydanticCustomError("nul_in_path", "a path cannot hold a NUL character")
    return path


FilePath = Annotated[str | None, AfterValidator(_without_nul)]


class ManifestLine(BaseModel):
    """The keys of one line. Unknown keys are ignored: other programs add their own."""

    model_config = ConfigDict(strict=True, extra="ignore")

    text: str
    duration: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    audio_filepath: FilePath = None
    feature_filepath: FilePath = None
    speaker: str | None = None
    teacher: str | None = None

    def utterance(self, folder: Path) -> Utterance:
        """The utterance, with paths relative to `folder` resolved."""
        return Utterance(
            text=self.text,
            duration=self.duration,
            audio_filepath=folder / self.audio_filepath if self.audio_filepath else None,
            speaker=self.speaker,
            feature_filepath=folder / self.feature_filepath if self.feature_filepath else None,
            teacher=self.teacher,
        )


def read_manifest(path: Path) -> list[Utterance]:
    """Read a manifest.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "train.jsonl")
    ...     write_manifest(path, [Utterance("go forward", 1.5, Path(folder, "a.wav"))])
    ...     (utterance,) = read_manifest(path)
    ...     utterance.text, utterance.duration, utterance.path == Path(folder, "a.wav")
    ('go forward', 1.5, True)

    Args:
        path: a .jsonl file.

    Returns:
        The utterances in the order of their lines; paths are joined to the manifest's folder.

    Raises:
        ManifestError: the file cannot be read or has no line, or a line is invalid; the message has
            the file, the number of the line, and the key.
    """
    path = Path(path)
    try:
        # Not splitlines, which also splits at characters that JSON leaves as they are: U+2028.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {reason(error)}") from None
    folder = path.parent
    utterances = [
        _parse_line(line, f"{path}, line {number}").utterance(folder)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not utterances:
        raise ManifestError(f"{path}: has no utterances")
    return utterances


def write_manifest(path: Path, utterances: Sequence[Utterance]) -> None:
    """Write a manifest. Its paths become relative to its own folder.

    Args:
        path: the file to write; its folder is created if needed.
        utterances: the lines, in order. Durations are rounded to milliseconds.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    folder = path.parent.resolve()
    with atomic_write(path) as file:
        for utterance in utterances:
            file.write(json_line(_line_values(utterance, folder)))


def count_by_teacher(utterances: Iterable[Utterance]) -> dict[str, dict[str, float]]:
    """Count the utterances and hours of each teacher. Texts by people are not counted.

    >>> count_by_teacher([Utterance("a", 36.0, teacher="whisper-base"), Utterance("b", 5.0)])
    {'whisper-base': {'utterances': 1, 'hours': 0.01}}
    """
    counts: dict[str, dict[str, float]] = {}
    for utterance in utterances:
        if utterance.teacher is not None:
            count = counts.setdefault(utterance.teacher, {"utterances": 0, "hours": 0.0})
            count["utterances"] += 1
            count["hours"] += utterance.duration / 3600
    return counts


def _line_values(utterance: Utterance, folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key in ("audio_filepath", "feature_filepath"):
        if (target := getattr(utterance, key)) is not None:
            # Only the folder is resolved. The file may be a link into a store of files that are
            # named by their contents, and the link's name has the suffix.
            target = Path(target).parent.resolve() / Path(target).name
            values[key] = os.path.relpath(target, folder)
    values |= {"duration": round(utterance.duration, 3), "text": utterance.text}
    for key in ("speaker", "teacher"):
        if (name := getattr(utterance, key)) is not None:
            values[key] = name
    return values


def _parse_line(text: str, where: str) -> ManifestLine:
    """Parse a line; `where` names it in errors."""
    try:
        # Not `model_validate_json`, which refuses file names that are not UTF-8 ("\udce9").
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ManifestError(f"{where}: expected an object, found {type(values).__name__}")
    try:
        line = ManifestLine.model_validate(values)
    except ValidationError as error:
        raise ManifestError(f"{where}: {describe_problems(error)}") from None
    if not (line.audio_filepath or line.feature_filepath):
        raise ManifestError(f"{where}: missing key audio_filepath (or feature_filepath)")
    return line
