"""`LabelTask`: a recording that waits for a person, and where the recordings come from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asr.audio.find_audio import find_audio
from asr.data.manifest import ManifestEntry, Utterance, is_manifest, read_entries
from asr.errors import AsrError, ConfigError
from asr.results import Failure

ID_LENGTH = 16
"""Hexadecimal digits of a recording's id."""


@dataclass(frozen=True)
class LabelTask:
    """A recording, or a segment of one, to be labelled.

    Attributes:
        id: names the recording in requests; the same after a restart, whatever else is in the
            source.
        utterance: where the audio is. `duration` is 0 for a file of a folder until it is read.
        values: the keys of the source's manifest line; empty for a file of a folder.
        name: name on the page: the path within the folder or as the manifest has it, with the times
            of a segment.
    """

    id: str
    utterance: Utterance
    values: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    @property
    def given(self) -> str:
        """The source's own text, such as a script that was read; "" for none."""
        return self.utterance.text


def task_id(utterance: Utterance) -> str:
    """An id that depends on the file's path, the segment and the channel only."""
    u = utterance
    segment = (None, None) if u.offset is None else (round(u.offset, 3), round(u.duration, 3))
    key = repr((str(u.path.resolve()), *segment, u.channel))
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:ID_LENGTH]


def find_label_tasks(source: str) -> tuple[list[LabelTask], list[Failure]]:
    """The recordings of a folder or a manifest.

    A file of a folder takes its speaker from the first folder on its path, and the script from a
    .txt file beside it, as `asr data prepare folder` does.

    Args:
        source: a folder, a .jsonl manifest, whose lines need no text, or a recording.

    Returns:
        The recordings in the order of the source, each once, and a failure for each that cannot be
        labelled.

    Raises:
        ConfigError: the source does not exist.
        AudioError: the folder holds no recording.
        ManifestError: a line of the manifest is invalid.
    """
    path = Path(source)
    if not path.exists():
        raise ConfigError(f"{source}: no such folder or manifest")
    failures: list[Failure] = []
    if is_manifest(source) and path.is_file():
        entries = read_entries(path, needs_text=False)
        tasks = [_of_entry(entry, failures) for entry in entries]
    else:
        folder = path if path.is_dir() else path.parent
        tasks = [_of_file(file, folder) for file in find_audio([source])]
    unique: dict[str, LabelTask] = {}
    for task in tasks:
        if task is None:
            continue
        if task.id in unique:
            failures.append(Failure(task.name, f"{task.name}: is in the source more than once"))
        unique.setdefault(task.id, task)
    return list(unique.values()), failures


def _of_entry(entry: ManifestEntry, failures: list[Failure]) -> LabelTask | None:
    utterance, values = entry
    if utterance.audio_filepath is None:
        name = utterance.name
        failures.append(Failure(name, f"{name}: is a file of features, which nobody can hear"))
        return None
    name = utterance.name.replace(str(utterance.path), str(values["audio_filepath"]), 1)
    return LabelTask(task_id(utterance), utterance, values, name)


def _of_file(path: Path, folder: Path) -> LabelTask:
    inside = path.relative_to(folder)
    speaker = inside.parts[0] if len(inside.parts) > 1 else None
    utterance = Utterance(_script(path), 0.0, audio_filepath=path, speaker=speaker)
    return LabelTask(task_id(utterance), utterance, name=str(inside))


def _script(path: Path) -> str:
    """The text of the .txt file beside a recording; "" if there is none that can be read."""
    try:
        return " ".join(path.with_suffix(".txt").read_text(encoding="utf-8-sig").split())
    except (OSError, ValueError):
        return ""


def check_output(source: str, out: Path) -> None:
    """Refuse to write labels over their own source.

    Raises:
        ConfigError: `out` is the source, or no name of a manifest.
    """
    if not is_manifest(out.name):
        raise ConfigError(f"--out {out}: labels are a manifest; give a name that ends in .jsonl")
    try:
        same = Path(source).resolve() == out.resolve()
    except OSError as error:  # a link in a circle
        raise AsrError(f"{source}: cannot be read: {error.strerror}") from None
    if same:
        raise ConfigError(f"--out {out}: is the source, whose texts would be lost; give another")
