"""A batch's work: jobs of a few recordings, done in this process or by several that may die."""

from __future__ import annotations

import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from asr.audio.reading import probe
from asr.batch.ledger import digest
from asr.batch.processes import end, end_ahead, take
from asr.data.inputs import RecordingRef, recording_path
from asr.data.manifest import Utterance
from asr.decoding.decoder import Decoding
from asr.errors import AsrError, AudioError, ConfigError, ServerError, WorkerError
from asr.networks.runtimes import Runtime
from asr.results import Failure, Transcript

if TYPE_CHECKING:
    from asr.recognizer import Recognizer

JOB_FILES = 16
JOB_SECONDS = 30.0
"""A job takes no further recording beyond these: enough to share a batch of the network's, and few
enough to lose little with a process and to leave no worker without one at the end."""


@dataclass(frozen=True)
class Job:
    """Recordings that are transcribed together, each with its index in the batch.

    `retried` after a worker died of the recordings: if it happens again, they have failed.
    """

    recordings: tuple[tuple[int, RecordingRef], ...]
    retried: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one recording: a result, or one a channel.

    `audio_sha256` is of the file before it was read; empty if that was not asked for.
    """

    index: int
    results: tuple[Transcript | Failure, ...]
    audio_sha256: str = ""


@dataclass(frozen=True)
class Transcriber:
    """What is done with each recording.

    model, decoding, runtime: see `Recognizer.load`. channel: the one to use, all are mixed by
    default. split_channels: each channel is transcribed by itself. digests: take the files'
    SHA-256. server: where the network is instead (see `serving.connect`). written: numbers and
    dates with digits (see `asr.inverse_normalisation.writer`).
    """

    model: str
    decoding: Decoding = Decoding()
    channel: int | None = None
    split_channels: bool = False
    digests: bool = False
    runtime: Runtime | None = None
    server: str | None = None
    written: bool = False

    def __post_init__(self) -> None:
        if self.server and self.runtime:
            raise ConfigError(
                f"--runtime {self.runtime} computes here, --server {self.server} there: give one"
            )

    def load(self, threads: int = 0) -> Recognizer:
        """The recogniser, warm: a cost of starting, not of transcribing.

        Args:
            threads: of the runtime in this process; 0 leaves that to it.

        Raises:
            ModelError, ConfigError: see `Recognizer.load`.
            ServerError: see `RemoteRecognizer.connect`.
        """
        from asr.recognizer import Recognizer

        if self.written:
            from asr.inverse_normalisation.writer import check_language, load_writer

            check_language(self.model)
            load_writer()
        if self.server:
            from asr.serving.client import RemoteRecognizer

            return RemoteRecognizer.connect(self.server, self.model, self.decoding)
        recognizer = Recognizer.load(self.model, self.decoding, self.runtime or "onnx", threads)
        recognizer.warm_up()
        return recognizer

    def transcribe(
        self,
        recognizer: Recognizer,
        job: Job,
        progress: Callable[[float], object] | None = None,
    ) -> list[Outcome]:
        """The job's outcomes, in its order; the same job always gives the same ones.

        `progress` is called with the seconds of audio that are done, of each channel. An error that
        nobody expected is a failure of its recording alone: the others are done one by one.
        """
        try:
            return self._together(recognizer, job, progress)
        except Exception as error:
            if len(job.recordings) == 1:
                ((index, recording),) = job.recordings
                return [Outcome(index, (unexpected(str(recording_path(recording)), error),))]
        alone = (Job((recording,)) for recording in job.recordings)
        return [self.transcribe(recognizer, one, progress)[0] for one in alone]

    def _together(
        self, recognizer: Recognizer, job: Job, progress: Callable[[float], object] | None
    ) -> list[Outcome]:
        digests = [digest(recording_path(r)) if self.digests else "" for _, r in job.recordings]
        channels = [self._channels(recording) for _, recording in job.recordings]
        results: list[dict[int | None, Transcript | Failure]] = [{} for _ in channels]
        for channel in dict.fromkeys(c for of_one in channels for c in of_one):
            places = [i for i, of_one in enumerate(channels) if channel in of_one]
            audio = [job.recordings[i][1] for i in places]
            found = dict(recognizer.transcribe_each(audio, channel=channel, progress=progress))
            for k, result in (_written(found) if self.written else found).items():
                results[places[k]][channel] = result
        return [
            Outcome(index, tuple(of_channel[c] for c in of_one), sha256)
            for (index, _), of_channel, of_one, sha256 in zip(
                job.recordings, results, channels, digests, strict=True
            )
        ]

    def _channels(self, recording: RecordingRef) -> list[int | None]:
        if not self.split_channels:
            return [self.channel]
        if isinstance(recording, Utterance) and recording.audio_filepath is None:
            return [None]  # features have no channels
        try:
            return [*range(probe(recording_path(recording)).channels)]
        except AudioError:
            return [0]  # and reading it says what is wrong


def _written(found: Mapping[int, Transcript | Failure]) -> dict[int, Transcript | Failure]:
    """The transcripts with numbers as they are written."""
    from asr.inverse_normalisation.writer import load_writer

    said = {k: result for k, result in found.items() if isinstance(result, Transcript)}
    written = load_writer().transcripts([*said.values()])
    return {**found, **dict(zip(said, written, strict=True))}


def unexpected(name: str, error: Exception) -> Failure:
    """What a recording is that an error of ours was met with."""
    kind = type(error).__name__
    return Failure(
        name,
        f"{name}: {kind}: {error}; a mistake of asr and not of the recording: please report it "
        "with the traceback in errors.jsonl (--errors)",
        "".join(traceback.format_exception(error)),
    )


def make_jobs(recordings: Iterable[tuple[RecordingRef, float]]) -> list[Job]:
    """Put (recording, seconds) pairs together in their order. A pure function of its argument:
    what is resumed is computed in the same company, and so to the same bits."""
    jobs: list[list[tuple[int, RecordingRef]]] = []
    total = 0.0
    for index, (recording, seconds) in enumerate(recordings):
        if not jobs or len(jobs[-1]) == JOB_FILES or total + seconds > JOB_SECONDS:
            jobs.append([])
            total = 0.0
        jobs[-1].append((index, recording))
        total += seconds
    return [Job(tuple(job)) for job in jobs]


@dataclass
class _Worker:
    process: BaseProcess
    ready: bool = False
    job: Job | None = None


def run_workers(
    count: int, transcriber: Transcriber, jobs: Sequence[Job], ready: Callable[[], None]
) -> Iterator[list[Outcome]]:
    """Have `count` processes do the jobs; yields outcomes as jobs finish, and calls `ready` when
    the first process has loaded the model.

    The recordings of a process that dies are tried once more, one by one; what ends another
    process has failed. Another process takes a dead one's place, unless it died while loading.

    Raises:
        AsrError: the model or decoding is wrong, or the server does not answer.
        WorkerError: no process is left, or one cannot be started.
    """
    queue = deque(jobs)
    workers: dict[Connection, _Worker] = {}
    started = False

    def start() -> None:
        connection, process = take(count, serve, transcriber)
        workers[connection] = _Worker(process)

    try:
        for _ in range(min(count, len(queue))):
            start()
        end_ahead()
        while queue or any(worker.job for worker in workers.values()):
            for connection in wait(list(workers)):
                assert isinstance(connection, Connection)
                worker = workers[connection]
                outcomes: list[Outcome] = []
                try:
                    message = connection.recv()
                except (EOFError, OSError):
                    # The pipe ends with the process, however that ended.
                    del workers[connection]
                    connection.close()
                    worker.process.join()
                    if worker.job is not None:
                        outcomes = _take_back(worker.job, worker.process, queue)
                    elif not workers and queue:
                        raise WorkerError(
                            f"every worker process died while loading {transcriber.model}, the "
                            f"last by {_death(worker.process)}; try fewer --workers"
                        ) from None
                else:
                    if isinstance(message, AsrError):
                        raise message
                    worker.job, outcomes = None, message
                    if not worker.ready and not started:
                        ready()
                    worker.ready = started = True
                # Before the outcomes are dealt with: no worker is to wait for that.
                for other, idle in workers.items():
                    if queue and idle.ready and idle.job is None:
                        idle.job = queue.popleft()
                        with suppress(OSError):  # it died just now: its pipe's end comes next
                            other.send(idle.job)
                if queue and len(workers) < count and worker.ready:
                    start()
                if outcomes:
                    yield outcomes
    finally:
        end([(connection, worker.process) for connection, worker in workers.items()])


def _take_back(job: Job, process: BaseProcess, queue: deque[Job]) -> list[Outcome]:
    """Queue the recordings of a dead worker's job one by one, or give up on them."""
    if not job.retried:
        queue.extendleft(Job((recording,), retried=True) for recording in reversed(job.recordings))
        return []
    ((index, recording),) = job.recordings
    name = str(recording_path(recording))
    return [
        Outcome(index, (Failure(name, f"{name}: two worker processes died of it, the second by "
                                      f"{_death(process)}; not enough memory?"),))
    ]  # fmt: skip


def _death(process: BaseProcess) -> str:
    code = process.exitcode or 0
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def serve(connection: Connection, threads: int, transcriber: Transcriber) -> None:
    """A worker process: sends an empty list when it is ready, then the outcomes of each job that
    it is sent. It ends with its parent, even a killed one, for then the pipe has no other end."""
    message: object = []
    try:
        recognizer = transcriber.load(threads)
    except AsrError as error:
        message = error
    while True:
        try:
            connection.send(message)
            job = connection.recv()
        except (EOFError, OSError):
            return
        try:
            message = transcriber.transcribe(recognizer, job)
        except ServerError as error:
            message = error
