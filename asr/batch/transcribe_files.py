"""Many recordings: what `asr transcribe`, `asr evaluate` and the batch pipelines share."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from asr.base.files import atomic_write
from asr.base.interrupts import Stopped, Stopper, stoppable
from asr.base.progress import seconds_bar, spinner, track
from asr.base.provenance import git_commit, this_command
from asr.batch.ledger import settings_key
from asr.batch.outputs import (
    ERRORS,
    SUMMARY,
    FailureLog,
    Folder,
    common_folder,
    result_names,
    writing,
)
from asr.batch.workers import Job, Outcome, Transcriber, make_jobs, run_workers
from asr.data.inputs import (
    RecordingRef,
    duration_and_channels,
    find_recordings,
    missing_file,
    recording_path,
)
from asr.errors import ConfigError, OutputError, ServerError, WorkerError
from asr.formats.subtitles import Captions
from asr.formats.writers import find_writer, several
from asr.models import NUMBER_WRITER, find_model
from asr.networks.model_directory import CALIBRATION_FILE
from asr.results import Failure, Transcript, in_order


@dataclass(frozen=True)
class Batch:
    """What to do with the recordings of a batch.

    transcriber: model, decoding, channels. format, captions: see `find_writer`. out: a file, or a
    folder if it is one or ends in /; stdout by default. workers: processes; 1 is this one alone.
    resume: keep the folder's results that are still right. errors: a JSON line for each failure;
    errors.jsonl in a folder by default.

    Raises:
        ConfigError: an impossible value, or ones that do not go together.
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
            raise ConfigError(f"--workers {self.workers}: at least 1")
        if self.transcriber.split_channels and self.transcriber.channel is not None:
            raise ConfigError("--channel takes one channel, --split-channels all: give one of them")
        if self.transcriber.decoding.nbest and self.format not in ("json", "jsonl"):
            raise ConfigError(f"--format {self.format} holds no alternatives: take json or jsonl")
        if self.resume and self.folder is None:
            raise ConfigError(
                "--resume goes on in a folder: give one that ends in /, as --out DIR/"
            )

    @property
    def folder(self) -> Path | None:
        """The folder of results, if there is to be one."""
        if self.out is not None and (self.out.endswith("/") or os.path.isdir(self.out)):
            return Path(self.out)
        return None


@dataclass
class Totals:
    """How a batch went, counted in recordings.

    recordings: asked for; an argument that names none counts as one that failed. skipped: had their
    results already. failed: those of which something is missing. audio_seconds, seconds: of audio
    transcribed now, and of the work, without loading. signal: what stopped it, or 0.
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
        return self.seconds / self.audio_seconds if self.audio_seconds else None

    @property
    def status(self) -> int:
        """What the process is to exit with: 130 after Ctrl-C, 143 after SIGTERM."""
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
    """Seconds, minutes or hours, whichever says most."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.2f} h"


def transcribe_files(paths: Sequence[str], batch: Batch) -> Totals:
    """Transcribe all that `paths` name.

    To stdout or a file, results come in the order of the recordings; in a folder, each has a file
    of its own. Failures go to stderr at the end, and totals where there was more than one
    recording. Ctrl-C and SIGTERM drop the recordings in work and keep the results so far.

    Raises:
        AsrError: the options or the model are wrong; nothing was transcribed.
        OutputError: a result could not be written; those in a folder are kept.
        WorkerError: no worker process stays alive; those in a folder are kept.
        ServerError: the server does not answer; those in a folder are kept.
    """
    run = _Run(batch)
    try:
        with stoppable() as stopper:
            run.all(paths, stopper)
    except Stopped as stop:
        run.totals.signal = stop.number
    except (OutputError, ServerError, WorkerError) as error:
        with suppress(OutputError):  # the first error is the one to tell
            run.conclude()
        done = run.totals.transcribed + run.totals.skipped
        text = f"{error}; {done} of {run.totals.recordings} recordings are finished"
        if batch.folder is not None:
            text += ", --resume goes on from there"
        elif done and batch.out is not None:
            text += ", but a file is kept only whole: a folder (--out DIR/) would hold them"
        raise type(error)(text) from None
    run.conclude()
    return run.totals


class _Nothing(Exception):
    """Nothing was transcribed."""


class _Run:
    """One call of `transcribe_files`."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.writer = find_writer(batch.format, batch.captions)
        self.totals = Totals()
        self.log = FailureLog(None)
        self.started = 0.0

    def all(self, paths: Sequence[str], stopper: Stopper) -> None:
        batch = self.batch
        recordings, failures = find_recordings(paths)
        # Not in the list from which results have their names: a typo would change all of them.
        failures += [missing_file(r) for r in recordings if not recording_path(r).exists()]
        recordings = [r for r in recordings if recording_path(r).exists()]
        self.totals.recordings = len(recordings) + len(failures)
        measured = [duration_and_channels(recording) for recording in recordings]
        jobs = make_jobs((r, seconds) for r, (seconds, _) in zip(recordings, measured, strict=True))
        results = sum(
            channels if batch.transcriber.split_channels else 1 for _, channels in measured
        )
        if batch.folder is None and results > 1 and not self.writer.many:
            raise several(batch.format)
        folder = self._folder(batch.folder, paths, recordings, measured) if batch.folder else None
        self.log = FailureLog(batch.errors or (batch.folder and batch.folder / ERRORS))
        self._fail(failures)
        if folder is not None:
            jobs = self._remaining(folder, jobs)
        split = batch.transcriber.split_channels
        times = [seconds * (channels if split else 1) for seconds, channels in measured]
        with closing(self._work(jobs, times)) as work:
            if folder is not None:
                for outcomes in work:
                    with stopper.hold():
                        for outcome, lost in zip(outcomes, folder.write(outcomes), strict=True):
                            self._count(outcome, lost)
            else:
                self._to_stream(work)

    def conclude(self) -> None:
        """Failures and totals on stderr, and in the folder for programs."""
        self.log.show()
        totals, batch = self.totals, self.batch
        if totals.recordings > 1 or totals.signal:
            print(totals, file=sys.stderr)
        if batch.folder is not None:
            record = {
                **asdict(totals),
                "rtf": totals.rtf,
                "model": batch.transcriber.model,
                "format": batch.format,
                "workers": batch.workers,
                "command": this_command(),
                "commit": git_commit(),
            }
            path = batch.folder / SUMMARY
            with writing(path), atomic_write(path) as file:
                file.write(json.dumps(record, indent=2) + "\n")

    def _folder(
        self,
        folder: Path,
        paths: Sequence[str],
        recordings: Sequence[RecordingRef],
        measured: Sequence[tuple[float, int]],
    ) -> Folder | None:
        if not recordings:
            return None
        files = [recording_path(recording) for recording in recordings]
        how = self.batch.transcriber
        model, rnn_lm = find_model(how.model), how.decoding.rnn_lm
        key = settings_key(
            {
                "model": model / "model.json",  # which has the weights' SHA-256
                "calibration": model / CALIBRATION_FILE,
                "decoding": how.decoding.settle(model),
                "lm": how.decoding.lm_file(model),
                "rnn_lm": rnn_lm and find_model(rnn_lm) / "model.json",
                "runtime": "server" if how.server else how.runtime,
                "channel": how.channel,
                "split_channels": how.split_channels,
                "written": how.written and find_model(NUMBER_WRITER) / "model.json",
                "format": self.batch.format,
                "captions": self.batch.captions,
            }
        )
        names = result_names(files, common_folder(paths, files), self.writer.suffix)
        channels = [channels for _, channels in measured] if how.split_channels else None
        return Folder(folder, names, files, channels, self.writer, key)

    def _remaining(self, folder: Folder, jobs: Sequence[Job]) -> list[Job]:
        """The jobs without what has results already or cannot have one; the folder is prepared."""
        doubles = folder.doubles()
        self._fail(doubles.values())
        indices = [i for i in range(len(folder.names)) if i not in doubles]
        finished = set()
        if self.batch.resume:
            checking = track(indices, len(indices), "checking what is there")
            finished = {i for i in checking if folder.holds(i)}
        self.totals.skipped = len(finished)
        folder.begin([i for i in indices if i not in finished])
        out = finished | doubles.keys()
        left = [Job(tuple(r for r in job.recordings if r[0] not in out)) for job in jobs]
        return [job for job in left if job.recordings]

    def _work(self, jobs: Sequence[Job], seconds: Sequence[float]) -> Generator[list[Outcome]]:
        """Outcomes as jobs finish, with a bar that goes by the seconds of audio."""
        # On a terminal the lines of text show the progress, and a bar would run into them.
        show = len(jobs) == 1 or self.batch.out is not None or not sys.stdout.isatty()
        total = sum(seconds[i] for job in jobs for i, _ in job.recordings)
        with seconds_bar(total, "transcribing", show) as advance:
            each = self._outcomes(jobs, seconds, advance)
            if len(jobs) > 1:
                with closing(each):
                    yield from each
                return
            alone = list(each)
        yield from alone

    def _outcomes(
        self, jobs: Sequence[Job], seconds: Sequence[float], advance: Callable[[float], object]
    ) -> Generator[list[Outcome]]:
        how = replace(self.batch.transcriber, digests=self.batch.folder is not None)
        if self.batch.workers > 1:
            for outcomes in run_workers(self.batch.workers, how, jobs, self._start_clock):
                advance(sum(seconds[outcome.index] for outcome in outcomes))
                yield outcomes
        elif jobs:
            with spinner(f"loading {how.model}"):
                recognizer = how.load()
            self._start_clock()
            for job in jobs:
                yield how.transcribe(recognizer, job, advance)

    def _start_clock(self) -> None:
        self.started = time.monotonic()

    def _to_stream(self, work: Iterable[list[Outcome]]) -> None:
        def transcripts() -> Iterator[Transcript]:
            try:
                for outcome in in_order((o.index, o) for outcomes in work for o in outcomes):
                    self._count(outcome, [r for r in outcome.results if isinstance(r, Failure)])
                    yield from (r for r in outcome.results if isinstance(r, Transcript))
            except Stopped as stop:
                self.totals.signal = stop.number  # and the file has what there is so far

        texts = self.writer.write(transcripts())
        if self.batch.out is None:
            for text in texts:
                with writing("stdout"):
                    sys.stdout.write(text)
                    sys.stdout.flush()
        else:
            out = Path(self.batch.out)
            with suppress(_Nothing), writing(self.batch.out), atomic_write(out) as file:
                file.writelines(texts)
                if not self.totals.audio_seconds:
                    raise _Nothing  # and an older file keeps its content

    def _count(self, outcome: Outcome, failures: Sequence[Failure]) -> None:
        self._fail(failures[:1])
        for failure in failures[1:]:  # another channel of the same recording
            self.log.add(failure)
        self.totals.transcribed += not failures
        lengths = [r.duration for r in outcome.results if isinstance(r, Transcript)]
        self.totals.audio_seconds += max(lengths, default=0.0)
        self.totals.seconds = time.monotonic() - self.started

    def _fail(self, failures: Iterable[Failure]) -> None:
        for failure in failures:
            self.totals.failed += 1
            self.log.add(failure)
