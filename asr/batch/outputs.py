"""Where a batch leaves its results: a folder with a file for each recording, and its reports."""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from asr.base.files import atomic_write, json_line, remove_leftovers
from asr.batch.ledger import Entry, Ledger
from asr.batch.workers import Outcome
from asr.errors import ConfigError, OutputError
from asr.formats.writers import Writer
from asr.results import Failure, Transcript

ERRORS, SUMMARY = "errors.jsonl", "summary.json"
HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
"""Errors of a write after which the next one need not be tried."""


@contextmanager
def writing(where: str | Path) -> Iterator[None]:
    """Name what cannot be written; but a reader that has left, such as `head`, is no error.

    Raises:
        OutputError: anything inside raised another OSError.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{where}: cannot be written ({error.strerror})") from None


class FailureLog:
    """Failures, each also a line of JSON in `path` as soon as it happens."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.failures: list[Failure] = []
        if path is not None:
            with writing(path):
                path.unlink(missing_ok=True)

    def add(self, failure: Failure) -> None:
        self.failures.append(failure)
        if self.path is not None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            with writing(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json_line({**failure.to_dict(), "time": now}))

    def show(self) -> None:
        """All of them on stderr, a line each whatever their names hold."""
        for failure in self.failures:
            print("failed: " + failure.error.replace("\n", "\\n"), file=sys.stderr)


class Folder:
    """A folder of results that mirrors the folders of its recordings.

    Args:
        folder: made if it is not there.
        names: of each recording's results, as `result_names` gives them.
        files: the recordings' own.
        channels: of each recording, if each channel has a result of its own.
        writer, key: the format, and the `settings_key` of what makes the results.

    Raises:
        ConfigError: results would stand among the recordings.
        OutputError: the folder cannot be made or read.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        files: Sequence[Path],
        channels: Sequence[int] | None,
        writer: Writer,
        key: str,
    ) -> None:
        self.folder, self.names, self.files = folder, names, files
        self.channels, self.writer, self.key = channels, writer, key
        sources = {os.path.realpath(file.parent) for file in files}
        for name in names:
            if (target := os.path.realpath((folder / name).parent)) in sources:
                raise ConfigError(
                    f"--out {folder}: results would stand among the recordings in {target} and "
                    f"could replace texts that are there; take another folder"
                )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.ledger = Ledger(folder)
        except OSError as error:
            raise OutputError(f"--out {folder}: cannot be used ({error.strerror})") from None

    def doubles(self) -> dict[int, Failure]:
        """Recordings, by index, that cannot have results of their own: the name is taken."""
        taken: dict[str, str] = {}
        failures = {}
        for i, (name, file) in enumerate(zip(self.names, self.files, strict=True)):
            if name in taken:
                failures[i] = Failure(
                    str(file), f"{file}: given twice, also as {taken[name]}: one result is enough"
                )
            taken.setdefault(name, str(file))
        return failures

    def holds(self, index: int) -> bool:
        """Whether the results of a recording need not be made again."""
        return self.ledger.holds(self.names[index], self.key, self.files[index])

    def begin(self, indices: Sequence[int]) -> None:
        """Prepare for making the results of these recordings.

        Raises:
            OutputError: nothing can be written there.
        """
        paths = [self.folder / name for i in indices for name in self._results(i)]
        with writing(f"--out {self.folder}"):
            remove_leftovers([*paths, self.ledger.path, self.folder / SUMMARY])
            self.ledger.forget({self.names[i] for i in indices})

    def write(self, outcomes: Sequence[Outcome]) -> list[list[Failure]]:
        """Write the results of one job, then enter it into the ledger; returns what each lacks.

        Raises:
            OutputError: for a reason that the next result would meet as well.
        """
        failures: list[list[Failure]] = []
        entries = []
        for outcome in outcomes:
            names = self._results(outcome.index)
            written = [
                self._write(result, self.folder / name)
                if isinstance(result, Transcript)
                else result
                for result, name in zip(outcome.results, names, strict=False)
            ]
            failures.append([result for result in written if isinstance(result, Failure)])
            if not failures[-1] and outcome.audio_sha256:
                name = self.names[outcome.index]
                entries.append(Entry(name, self.key, outcome.audio_sha256, tuple(names)))
        if entries:
            with writing(self.ledger.path):
                self.ledger.add(entries)
        return failures

    def _write(self, result: Transcript, path: Path) -> Failure | None:
        try:
            with atomic_write(path) as file:
                file.writelines(self.writer.write([result]))
        except OSError as error:
            if error.errno in HOPELESS:
                raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
            name = str(result.audio_filepath)
            return Failure(name, f"{name}: {path} cannot be written ({error.strerror})")
        return None

    def _results(self, index: int) -> list[str]:
        name, suffix = self.names[index], self.writer.suffix
        if self.channels is None:
            return [name + suffix]
        return [f"{name}.ch{c}{suffix}" for c in range(self.channels[index])]


def result_names(files: Sequence[Path], top: str, suffix: str) -> list[str]:
    """What the results of recordings are called in a folder, without the `suffix` of the format.

    That is the recording's path below `top` without its own suffix: anna/01.wav → anna/01. Those
    that would come to the same name, such as 01.wav and 01.flac, or to that of a report, keep their
    suffix: 01.wav, 01.flac. Only the same file twice has the same name twice.
    """
    full = [os.path.relpath(os.path.abspath(file), top) for file in files]
    names = {name: os.path.splitext(name)[0] for name in full}
    reports = Counter(report.removesuffix(suffix) for report in (ERRORS, SUMMARY))
    while True:
        count = Counter(names.values()) + reports
        if not (again := {f for f, name in names.items() if count[name] > 1 and name != f}):
            return [names[name] for name in full]
        names |= {name: name for name in again}


def common_folder(paths: Iterable[str], files: Iterable[Path]) -> str:
    """The deepest folder that holds the folders among `paths` and all `files`."""
    folders = [path for path in paths if os.path.isdir(path)]
    return os.path.commonpath(
        [os.path.abspath(f) for f in folders] + [os.path.dirname(os.path.abspath(f)) for f in files]
    )
