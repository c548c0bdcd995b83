"""Output folders: one result file per recording, the failures and the summary."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from asr.base.files import LASTING_ERRORS, append, atomic_write, json_line, remove_leftovers
from asr.batch.ledger import Ledger, LedgerEntry
from asr.batch.workers import Outcome
from asr.errors import ConfigError, OutputError
from asr.formats.writers import Writer
from asr.results import Failure, Transcript

ERRORS, SUMMARY = "errors.jsonl", "summary.json"


@contextmanager
def output_errors(target: str | Path) -> Iterator[None]:
    """Turn an `OSError` into an `OutputError` that names the target.

    A `BrokenPipeError` passes through: the program that reads stdout, such as `head`, has ended.

    Raises:
        OutputError: the code inside raised an OSError.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror})") from None


class FailureLog:
    """Failures of a batch, appended to a file as they happen.

    Args:
        path: file with one JSON object per failure; an older file is removed. None writes no file.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.failures: list[Failure] = []
        if path is not None:
            with output_errors(path):
                path.unlink(missing_ok=True)

    def add(self, failure: Failure) -> None:
        self.failures.append(failure)
        if self.path is not None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            with output_errors(self.path):
                append(self.path, json_line({**failure.to_dict(), "time": now}))

    def show(self) -> None:
        """Print all failures on stderr, one line each; newlines in file names are escaped."""
        for failure in self.failures:
            print("failed: " + failure.error.replace("\n", "\\n"), file=sys.stderr)


class ResultFolder:
    """An output folder that mirrors the folders of its recordings.

    Args:
        folder: created if it does not exist.
        names: name of each recording's results, from `result_names`.
        shown: name of each recording in messages.
        files: file of each recording.
        channels: number of channels of each recording if each channel has its own result, else
            None.
        writer: the output format.
        key: `settings_key` of the settings that make the results.

    Raises:
        ConfigError: a result would be written into a folder of recordings.
        OutputError: the folder cannot be created or read.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        shown: Sequence[str],
        files: Sequence[Path],
        channels: Sequence[int] | None,
        writer: Writer,
        key: str,
    ) -> None:
        self.folder, self.names, self.shown, self.files = folder, names, shown, files
        self.channels, self.writer, self.key = channels, writer, key
        sources = {os.path.realpath(file.parent) for file in files}
        for name in names:
            if (target := os.path.realpath((folder / name).parent)) in sources:
                raise ConfigError(
                    f"--out {folder}: results would be written among the recordings in {target} "
                    "and could replace texts that are there; choose another folder"
                )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.ledger = Ledger(folder)
        except OSError as error:
            raise OutputError(f"--out {folder}: cannot be used ({error.strerror})") from None

    def duplicates(self) -> dict[int, int]:
        """Recordings that were given before, perhaps under another path → the first of each."""
        first: dict[str, int] = {}
        for i, name in enumerate(self.names):
            first.setdefault(name, i)
        return {i: first[name] for i, name in enumerate(self.names) if first[name] != i}

    def is_complete(self, index: int) -> bool:
        """Whether the results of a recording exist and are up to date."""
        return self.ledger.is_complete(self.names[index], self.key, self.files[index])

    def begin(self, indices: Sequence[int]) -> None:
        """Remove leftovers and ledger entries of recordings that will be transcribed.

        Raises:
            OutputError: the folder cannot be written to.
        """
        paths = [self.folder / name for i in indices for name in self._result_files(i)]
        with output_errors(f"--out {self.folder}"):
            remove_leftovers([*paths, self.ledger.path, self.folder / SUMMARY])
            self.ledger.forget({self.names[i] for i in indices})

    def write(self, outcomes: Sequence[Outcome]) -> list[list[Failure]]:
        """Write the results of one work unit, then enter them into the ledger.

        Returns:
            The failures of each outcome: of transcribing and of writing.

        Raises:
            OutputError: a write failed for a reason that the next write would meet as well.
        """
        failures: list[list[Failure]] = []
        entries = []
        for outcome in outcomes:
            names = self._result_files(outcome.index)
            written = [
                self._write(result, self.folder / name)
                if isinstance(result, Transcript)
                else result
                for result, name in zip(outcome.results, names, strict=False)
            ]
            failures.append([result for result in written if isinstance(result, Failure)])
            if not failures[-1] and outcome.audio_sha256:
                name = self.names[outcome.index]
                entries.append(LedgerEntry(name, self.key, outcome.audio_sha256, tuple(names)))
        if entries:
            with output_errors(self.ledger.path):
                self.ledger.add(entries)
        return failures

    def _write(self, result: Transcript, path: Path) -> Failure | None:
        try:
            with atomic_write(path) as file:
                file.writelines(self.writer.write([result]))
        except OSError as error:
            if error.errno in LASTING_ERRORS:
                raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
            name = str(result.audio_filepath)
            return Failure(name, f"{name}: {path} cannot be written ({error.strerror})")
        return None

    def _result_files(self, index: int) -> list[str]:
        name, suffix = self.names[index], self.writer.suffix
        if self.channels is None:
            return [name + suffix]
        return [f"{name}.ch{channel}{suffix}" for channel in range(self.channels[index])]


def result_names(files: Sequence[Path], top: str, suffix: str) -> list[str]:
    """Names of the results of recordings in an output folder, without the format's suffix.

    A name is the recording's path below `top` without its own suffix: anna/01.wav → anna/01. A
    recording keeps its suffix if another one or a report (errors.jsonl, summary.json) would have
    the same name: 01.wav and 01.flac stay apart. Only the same file twice has the same name twice.

    Args:
        files: the recordings.
        top: folder that contains them all, from `common_folder`.
        suffix: suffix of the format, such as .txt.
    """
    full = [os.path.relpath(os.path.abspath(file), top) for file in files]
    names = {name: os.path.splitext(name)[0] for name in full}
    reports = Counter(report.removesuffix(suffix) for report in (ERRORS, SUMMARY))
    while True:
        count = Counter(names.values()) + reports
        ambiguous = {file for file, name in names.items() if count[name] > 1 and name != file}
        if not ambiguous:
            return [names[name] for name in full]
        names |= {name: name for name in ambiguous}


def common_folder(paths: Iterable[str], files: Iterable[Path]) -> str:
    """The deepest folder that contains the folders among `paths` and all `files`.

    It is the current folder if there are neither.
    """
    folders = [os.path.abspath(path) for path in paths if os.path.isdir(path)]
    folders += [os.path.dirname(os.path.abspath(file)) for file in files]
    return os.path.commonpath(folders or [os.getcwd()])
