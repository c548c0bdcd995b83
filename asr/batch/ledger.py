"""What a folder of results holds, and of what each was made: the memory behind `--resume`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from asr.base.files import atomic_write, json_line

LEDGER = ".asr-batch"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One finished recording.

    name: which recording, as its results are called. key: `settings_key` of what made them.
    audio_sha256: of the recording's file. results: names of files in the folder.
    """

    name: str
    key: str
    audio_sha256: str
    results: tuple[str, ...]


class Ledger:
    """The file `.asr-batch` in a folder of results.

    A line holds the entries of one job, and is added when all of the job's results are there. So
    whatever ends the process, a job is in it or is not: a line that is torn does not count. A later
    entry of a name replaces an earlier one.

    Attributes:
        entries: the last entry of each name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / LEDGER
        self.entries: dict[str, Entry] = {}
        lines = self.path.read_bytes().split(b"\n") if self.path.is_file() else []
        for line in lines:
            try:
                values = [Entry(**v) for v in json.loads(line)]
            except (ValueError, TypeError):
                continue
            self.entries |= {v.name: dataclasses.replace(v, results=(*v.results,)) for v in values}

    def holds(self, name: str, key: str, recording: Path) -> bool:
        """Whether the results of `name` are there, made by `key` from what `recording` is now."""
        entry = self.entries.get(name)
        return (
            entry is not None
            and entry.key == key
            and all((self.folder / result).is_file() for result in entry.results)
            and entry.audio_sha256 == digest(recording)
        )

    def forget(self, names: Collection[str]) -> None:
        """Drop the entries of results that are about to be made anew, before the first one is.

        Otherwise a kill between a result and its entry would leave an entry that tells of another
        result than the one that is there.

        Raises:
            OSError: the folder cannot be written to.
        """
        self.entries = {k: v for k, v in self.entries.items() if k not in names}
        with atomic_write(self.path) as file:
            if self.entries:
                file.write(_line([*self.entries.values()]))

    def add(self, entries: Sequence[Entry]) -> None:
        """Add entries whose results are written.

        Raises:
            OSError: no space, or the folder has become unwritable.
        """
        with self.path.open("ab") as file:
            file.write(_line(entries).encode())
            file.flush()
            os.fsync(file.fileno())
        self.entries |= {entry.name: entry for entry in entries}


def _line(entries: Sequence[Entry]) -> str:
    return json_line([dataclasses.asdict(entry) for entry in entries])


def digest(path: Path) -> str:
    """SHA-256 of a file; empty if there is no regular file that can be read."""
    try:
        if not path.is_file():  # opening a pipe would wait for a writer
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def settings_key(settings: Mapping[str, Any]) -> str:
    """SHA-256 of settings: plain values, dataclasses of them, and paths, of which the files'
    content counts, not the name."""
    plain = json.dumps(settings, default=_plain, sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return digest(value) or str(value)
    # Not asdict, which would copy paths inside as they are: json comes back here for each.
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
