"""The record of finished recordings in an output folder, which `--resume` reads."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from asr.base.files import append, atomic_write, json_line

LEDGER = ".asr-batch"


@dataclasses.dataclass(frozen=True)
class LedgerEntry:
    """One finished recording.

    Attributes:
        name: the recording's name in the folder, which its results share.
        key: `settings_key` of the settings that made the results.
        audio_sha256: SHA-256 of the recording's file.
        results: names of the result files in the folder.
    """

    name: str
    key: str
    audio_sha256: str
    results: tuple[str, ...]


class Ledger:
    """The file `.asr-batch` in an output folder.

    Each line is a JSON list with the entries of one work unit. A line is appended once all results
    of the unit are written. An interruption can therefore tear at most the last line, and torn
    lines are skipped when the file is read. A later entry for a name replaces an earlier one.

    Args:
        folder: the output folder; the file need not exist yet.

    Attributes:
        entries: the latest entry for each name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / LEDGER
        self.entries: dict[str, LedgerEntry] = {}
        lines = self.path.read_bytes().split(b"\n") if self.path.is_file() else []
        for line in lines:
            try:
                entries = [LedgerEntry(**values) for values in json.loads(line)]
            except (ValueError, TypeError):
                continue
            for entry in entries:  # JSON has lists where an entry has a tuple
                self.entries[entry.name] = dataclasses.replace(entry, results=(*entry.results,))

    def is_complete(self, name: str, key: str, recording: Path) -> bool:
        """Whether all results of a recording exist and are up to date.

        Args:
            name: the recording's name in the folder.
            key: `settings_key` of the current settings.
            recording: the recording's file, whose SHA-256 is compared.
        """
        entry = self.entries.get(name)
        return (
            entry is not None
            and entry.key == key
            and all((self.folder / result).is_file() for result in entry.results)
            and entry.audio_sha256 == digest(recording)
        )

    def forget(self, names: Collection[str]) -> None:
        """Drop the entries of recordings that are about to be transcribed again.

        Call it before the first new result is written. Otherwise a kill between a new result and
        its entry would leave the old entry beside the new result.

        Raises:
            OSError: the folder cannot be written to.
        """
        self.entries = {k: v for k, v in self.entries.items() if k not in names}
        with atomic_write(self.path) as file:
            if self.entries:
                file.write(_line([*self.entries.values()]))

    def add(self, entries: Sequence[LedgerEntry]) -> None:
        """Append one line with entries whose results are already written.

        Raises:
            OSError: the disk is full, or the folder has become read-only.
        """
        append(self.path, _line(entries))
        self.entries |= {entry.name: entry for entry in entries}


def _line(entries: Sequence[LedgerEntry]) -> str:
    return json_line([dataclasses.asdict(entry) for entry in entries])


def digest(path: Path) -> str:
    """SHA-256 of a regular file as hexadecimal digits; "" if the file cannot be read."""
    try:
        if not path.is_file():  # opening a named pipe would wait for a writer
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def settings_key(settings: Mapping[str, Any]) -> str:
    """SHA-256 of settings as hexadecimal digits.

    Args:
        settings: plain values, dataclasses and paths. A path to a file counts with the file's
            content, not with its name.
    """
    plain = json.dumps(settings, default=_plain, sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return digest(value) or str(value)
    # Not dataclasses.asdict: it would keep nested paths, which json passes to this function.
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
