"""`transcribe_files`: what `asr transcribe` and the batch pipeline do with many recordings."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

from asr.base.files import atomic_write, names_folder
from asr.base.interrupts import Stopped, Stopper, stoppable
from asr.base.progress import seconds_bar, spinner, track
from asr.base.provenance import git_commit, repeat_command, this_command
from asr.batch.outputs import (
    ERRORS,
    SUMMARY,
    FailureLog,
    ResultFolder,
    common_folder,
    output_errors,
    result_names,
)
from asr.batch.workers import Outcome, Transcriber, WorkUnit, make_units, run_workers
from asr.data.inputs import (
    RecordingRef,
    duration_and_channels,
    exists,
    find_recordings,
    missing_file,
    recording_name,
    recording_path,
    result_path,
)
from asr.errors import ConfigError, OutputError, ServerError, WorkerError
from asr.formats.subtitles import Captions
from asr.formats.writers import find_writer, several
from asr.results import Failure, Transcript, in_order


@dataclass(frozen=True)
class BatchJob:
    """Settings of one call of `transcribe_files`.

    Attributes:
        transcriber: model, decoding and channels.
        format: output format, a key of `asr.formats.writers.WRITERS`.
        captions: settings of subtitles; None for formats without captions means the defaults.
        out: a file, or a folder if it exists as one or ends in /; None writes to stdout.
        workers: number of processes; 1 transcribes in this process.
        resume: skip recordings whose results in the folder are complete and up to date.
        errors: file for failures, one JSON object per line; None means errors.jsonl in the folder
            `out`, or no file.

    Raises:
        ConfigError: a value is impossible, or two values contradict each other.
    """

    transcriber: Transcriber
    format: str = "txt"
    captions: Captions | None = None
    out: str | None = None
    workers: int = 1
    resume: bool = False
    errors: Path | None = None

    def __post_init__(self) -> None:
        find_writer(self.format, self.captions)
        if self.workers < 1:
            raise ConfigError(f"--workers must be 1 or more, found {self.workers}")
        if self.transcriber.split_channels and self.transcriber.channel is not None:
            raise ConfigError(
                "--channel uses one channel and --split-channels all of them: give one of the two"
            )
        if self.transcriber.decoding.nbest and self.format not in ("json", "jsonl"):
            raise ConfigError(
                f"--format {self.format} has no place for the alternatives of --nbest: choose json "
                "or jsonl"
            )
        if self.resume and self.folder is None:
            raise ConfigError("--resume needs a folder as --out; its name must end in /")

    @property
    def folder(self) -> Path | None:
        """The output folder; None if results go to stdout or into one file."""
        if self.out is not None and names_folder(self.out):
            return Path(self.out)
        return None


@dataclass
class Totals:
    """Counts of recordings, and times.

    Attributes:
        recordings: all recordings; a path without any counts as one that failed.
        transcribed: transcribed by this call, completely.
        skipped: their results were already complete.
        failed: at least one result is missing.
        audio_seconds: length of the audio that this call transcribed.
        seconds: time for transcribing and writing it, without loading.
        signal: number of the signal that stopped the call, or 0.
    """

    recordings: int = 0
    transcribed: int = 0
    skipped: int = 0
    failed: int = 0
    audio_seconds: float = 0.0
    seconds: float = 0.0
    signal: int = 0

    @property
    def rtf(self) -> float | None:
        """Real-time factor: processing time over audio length; None without audio."""
        return self.seconds / self.audio_seconds if self.audio_seconds else None

    @property
    def status(self) -> int:
        """Exit status for the process: 130 after Ctrl-C, 143 after SIGTERM, 1 after failures."""
        return 128 + self.signal if self.signal else int(self.failed > 0)

    def __str__(self) -> str:
        audio = length_text(self.audio_seconds)
        text = f"{self.recordings} recordings, {audio}, {self.failed} failed"
        if self.rtf is not None:
            text += f", RTF {self.rtf:.4f}"
        if self.skipped:
            text += f", {self.skipped} done before"
        if self.signal:
            left = self.recordings - self.transcribed - self.skipped - self.failed
            text += f"; stopped by {signal.Signals(self.signal).name}, {left} not done"
        return text


def length_text(seconds: float) -> str:
    """A length in seconds, minutes or hours, for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.2f} h"


def transcribe_files(paths: Sequence[str], job: BatchJob) -> Totals:
    """Transcribe all recordings that `paths` name.

    To stdout or into a file, results are written in the order of the recordings. In a folder, each
    recording has its own file. Failures are printed on stderr at the end, and the totals if there
    was more than one recording. Ctrl-C and SIGTERM end the call and keep the results so far; the
    recordings that are being transcribed are dropped.

    Args:
        paths: files, folders, glob patterns, manifests, or - for a list on stdin (see
            `find_recordings`).
        job: what to do with them.

    Raises:
        AsrError: the settings or the model are wrong; nothing was transcribed.
        OutputError: a result could not be written; results in a folder are kept.
        WorkerError: no worker process is left; results in a folder are kept.
        ServerError: the server does not answer; results in a folder are kept.
    """
    run = _Run(job)
    try:
        with stoppable() as stopper:
            run.transcribe(paths, stopper)
    except Stopped as stop:
        run.totals.signal = stop.number
    except (OutputError, ServerError, WorkerError) as error:
        with suppress(OutputError):  # report the first error, not one that follows from it
            run.conclude()
        done = run.totals.transcribed + run.totals.skipped
        text = f"{error}; {done} of {run.totals.recordings} recordings are finished"
        if job.folder is not None:
            text += ", --resume skips them"
        elif done and job.out is not None:
            text += ", but an incomplete file is not kept: use a folder (--out DIR/) to keep them"
        raise type(error)(text) from None
    run.conclude()
    return run.totals


class _Measured(NamedTuple):
    """A recording, with its length and channels from the header of its file."""

    recording: RecordingRef
    seconds: float
    channels: int


class _NothingTranscribed(Exception):
    """Leaves `atomic_write`, so that an older output file keeps its content."""


class _Run:
    """One call of `transcribe_files`."""

    def __init__(self, job: BatchJob) -> None:
        self.job = job
        self.writer = find_writer(job.format, job.captions)
        self.totals = Totals()
        self.log = FailureLog(None)
        self.started = 0.0

    def transcribe(self, paths: Sequence[str], stopper: Stopper) -> None:
        job = self.job
        found, failures = find_recordings(paths)
        # Missing files must not take part in naming the results: a mistyped path would change the
        # common folder, and so the names of all results.
        failures += [missing_file(r) for r in found if not exists(r)]
        recordings = [_Measured(r, *duration_and_channels(r)) for r in found if exists(r)]
        self.totals.recordings = len(recordings) + len(failures)
        units = make_units((r.recording, r.seconds) for r in recordings)
        split = job.transcriber.split_channels
        results = sum(r.channels if split else 1 for r in recordings)
        if job.folder is None and results > 1 and not self.writer.many:
            raise several(job.format)
        folder = None
        if job.folder is not None:
            folder = self._open_folder(job.folder, paths, recordings)
        self.log = FailureLog(job.errors or (job.folder and job.folder / ERRORS))
        self._fail(failures)
        if folder is not None:
            units = self._remaining(folder, units)
        seconds = [r.seconds * (r.channels if split else 1) for r in recordings]
        with closing(self._work(units, seconds)) as work:
            if folder is None:
                self._write_in_order(work)
                return
            for outcomes in work:
                with stopper.hold():
                    for outcome, lost in zip(outcomes, folder.write(outcomes), strict=True):
                        self._count(outcome, lost)

    def conclude(self) -> None:
        """Report failures and totals on stderr, and write the folder's summary.json."""
        self.log.show()
        totals, job = self.totals, self.job
        if totals.recordings > 1 or totals.signal:
            print(totals, file=sys.stderr)
        if totals.signal and job.folder is not None:
            print(f"to go on: {repeat_command('--resume')}", file=sys.stderr)
        if job.folder is not None:
            record = {
                **asdict(totals),
                "rtf": totals.rtf,
                "model": job.transcriber.model,
                "format": job.format,
                "workers": job.workers,
                "command": this_command(),
                "commit": git_commit(),
            }
            path = job.folder / SUMMARY
            with output_errors(path), atomic_write(path) as file:
                file.write(json.dumps(record, indent=2) + "\n")

    def _open_folder(
        self, folder: Path, paths: Sequence[str], recordings: Sequence[_Measured]
    ) -> ResultFolder:
        files = [recording_path(r.recording) for r in recordings]
        transcriber = self.job.transcriber
        key = transcriber.results_key(self.job.format, self.job.captions)
        named = [result_path(r.recording) for r in recordings]
        names = result_names(named, common_folder(paths, named), self.writer.suffix)
        channels = [r.channels for r in recordings] if transcriber.split_channels else None
        shown = [recording_name(r.recording) for r in recordings]
        return ResultFolder(folder, names, shown, files, channels, self.writer, key)

    def _remaining(self, folder: ResultFolder, units: Sequence[WorkUnit]) -> list[WorkUnit]:
        """Prepare the folder; the units without recordings that are complete or duplicates."""
        duplicates = folder.duplicates()
        for again, first in duplicates.items():
            name, before = folder.shown[again], folder.shown[first]
            other = "" if name == before else f", also as {before}"
            line = f"{name}: given twice{other}; transcribed once"
            print(line.replace("\n", "\\n"), file=sys.stderr)
        self.totals.recordings -= len(duplicates)
        indices = [i for i in range(len(folder.names)) if i not in duplicates]
        complete: set[int] = set()
        if self.job.resume:
            checking = track(indices, len(indices), "checking results")
            complete = {i for i in checking if folder.is_complete(i)}
        self.totals.skipped = len(complete)
        folder.begin([i for i in indices if i not in complete])
        done = complete | duplicates.keys()
        remaining = []
        for unit in units:
            if left := tuple(r for r in unit.recordings if r.position not in done):
                remaining.append(WorkUnit(left))
        return remaining

    def _work(
        self, units: Sequence[WorkUnit], seconds: Sequence[float]
    ) -> Generator[list[Outcome]]:
        """Yield outcomes as units finish, with a progress bar by seconds of audio.

        Args:
            units: the work.
            seconds: length of each recording of the batch, by index.
        """
        # On a terminal the texts themselves show the progress, and a bar would break their lines.
        show = len(units) == 1 or self.job.out is not None or not sys.stdout.isatty()
        total = sum(seconds[r.position] for unit in units for r in unit.recordings)
        with seconds_bar(total, "transcribing", show) as advance:
            outcomes = self._outcomes(units, seconds, advance)
            if len(units) > 1:
                with closing(outcomes):
                    yield from outcomes
                return
            only = list(outcomes)
        yield from only  # the bar is gone before the only unit's texts are printed

    def _outcomes(
        self,
        units: Sequence[WorkUnit],
        seconds: Sequence[float],
        advance: Callable[[float], object],
    ) -> Generator[list[Outcome]]:
        transcriber = replace(self.job.transcriber, digests=self.job.folder is not None)
        if self.job.workers > 1:
            for outcomes in run_workers(self.job.workers, transcriber, units, self._start_clock):
                advance(sum(seconds[outcome.index] for outcome in outcomes))
                yield outcomes
        elif units:
            with spinner(f"loading {transcriber.model}"):
                recognizer = transcriber.load()
            self._start_clock()
            for unit in units:
                yield transcriber.transcribe(recognizer, unit, advance)

    def _start_clock(self) -> None:
        self.started = time.monotonic()

    def _write_in_order(self, work: Iterable[list[Outcome]]) -> None:
        """Write results to stdout or into a file, in the order of the recordings."""

        def transcripts() -> Iterator[Transcript]:
            try:
                for outcome in in_order((o.index, o) for outcomes in work for o in outcomes):
                    self._count(outcome, [r for r in outcome.results if isinstance(r, Failure)])
                    yield from (r for r in outcome.results if isinstance(r, Transcript))
            except Stopped as stop:  # end the texts, so that the file keeps the results so far
                self.totals.signal = stop.number

        texts = self.writer.write(transcripts())
        if self.job.out is None:
            for text in texts:
                with output_errors("stdout"):
                    sys.stdout.write(text)
                    sys.stdout.flush()
            return
        out = Path(self.job.out)
        with suppress(_NothingTranscribed), output_errors(self.job.out), atomic_write(out) as file:
            file.writelines(texts)
            if not self.totals.audio_seconds:
                raise _NothingTranscribed

    def _count(self, outcome: Outcome, failures: Sequence[Failure]) -> None:
        self._warn(outcome)
        self._fail(failures[:1])
        for failure in failures[1:]:  # other channels of the same recording, which counts once
            self.log.add(failure)
        self.totals.transcribed += not failures
        lengths = [r.duration for r in outcome.results if isinstance(r, Transcript)]
        self.totals.audio_seconds += max(lengths, default=0.0)
        self.totals.seconds = time.monotonic() - self.started

    def _warn(self, outcome: Outcome) -> None:
        """Print a recording's warnings on stderr, once although each channel has them."""
        results = [r for r in outcome.results if isinstance(r, Transcript)]
        for warning in dict.fromkeys(w for result in results for w in result.warnings):
            print("warning: " + warning.replace("\n", "\\n"), file=sys.stderr)

    def _fail(self, failures: Iterable[Failure]) -> None:
        for failure in failures:
            self.totals.failed += 1
            self.log.add(failure)
