"""Transcribing work units, in this process or in worker processes that may die."""

from __future__ import annotations

import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from asr.audio.reading import probe
from asr.batch.ledger import digest, settings_key
from asr.batch.processes import WorkerProcess, end, end_unused, give_work
from asr.data.inputs import RecordingRef, recording_name, recording_path
from asr.data.manifest import Utterance
from asr.decoding.decoding_options import Decoding
from asr.errors import AsrError, AudioError, ConfigError, ServerError, WorkerError
from asr.formats.subtitles import Captions
from asr.models import NUMBER_WRITER, find_model
from asr.networks.model_directory import CALIBRATION_FILE
from asr.networks.runtimes import Runtime
from asr.results import Failure, Transcript

if TYPE_CHECKING:
    from asr.recognizer import Recognizer

UNIT_FILES = 16
UNIT_SECONDS = 30.0
"""Upper limits of a work unit; a single longer recording is a unit of its own.

Units of this size fill a batch of the network. They are small enough that a dead process loses
little work, and that all workers have work until shortly before the end.
"""


class NumberedRecording(NamedTuple):
    """A recording and its position among all recordings of the batch."""

    position: int
    recording: RecordingRef


@dataclass(frozen=True)
class WorkUnit:
    """Recordings that are transcribed together.

    Attributes:
        recordings: the recordings, in the order of the batch.
        retried: whether a worker died of this unit before; if that happens again, it has failed.
    """

    recordings: tuple[NumberedRecording, ...]
    retried: bool = False


@dataclass(frozen=True)
class Outcome:
    """The results of one recording.

    Attributes:
        index: position of the recording in the batch.
        results: one result, or one per channel.
        audio_sha256: SHA-256 of the file, taken before it was read; "" if it was not asked for.
    """

    index: int
    results: tuple[Transcript | Failure, ...]
    audio_sha256: str = ""


@dataclass(frozen=True)
class Transcriber:
    """Settings for transcribing recordings, which can be sent to worker processes.

    Attributes:
        model: shipped name or directory of a recogniser.
        decoding: how to decode.
        channel: the only channel to use, from 0; None mixes all channels.
        split_channels: transcribe each channel separately.
        digests: take the SHA-256 of each file.
        runtime: library that computes the network; None means "onnx".
        server: URL of a model server that computes the network instead (see `serving.connect`).
        written: write numbers and dates with digits (see `asr.inverse_normalisation.writer`).

    Raises:
        ConfigError: both a runtime and a server are given.
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
                f"--runtime {self.runtime} computes the network in this process and --server "
                f"{self.server} on a server: give one of them"
            )

    def results_key(self, format: str, captions: Captions | None = None) -> str:
        """`settings_key` of everything that results in a format depend on.

        Args:
            format: the output format.
            captions: settings of captions, or None.

        Raises:
            ModelError, ConfigError: the model is not there, or the decoding is impossible.
        """
        model, rnn_lm = find_model(self.model), self.decoding.rnn_lm
        return settings_key(
            {
                "model": model / "model.json",  # contains the SHA-256 of the weights
                "calibration": model / CALIBRATION_FILE,
                "decoding": self.decoding.resolve(model),
                "lm": self.decoding.lm_file(model),
                "rnn_lm": rnn_lm and find_model(rnn_lm) / "model.json",
                "runtime": "server" if self.server else self.runtime,
                "channel": self.channel,
                "split_channels": self.split_channels,
                "written": self.written and find_model(NUMBER_WRITER) / "model.json",
                "format": format,
                "captions": captions,
            }
        )

    def anywhere(self) -> Transcriber:
        """The same settings with absolute paths, for processes in other folders."""

        def absolute(name: str | Path | None) -> str | None:
            if name is None:
                return None
            return os.path.abspath(name) if os.path.exists(name) else str(name)

        decoding = self.decoding
        return replace(
            self,
            model=absolute(self.model) or self.model,
            decoding=replace(
                decoding,
                lm=absolute(decoding.lm),
                rnn_lm=absolute(decoding.rnn_lm),
                lexicon=decoding.lexicon and decoding.lexicon.absolute(),
            ),
        )

    def load(self, threads: int = 0) -> Recognizer:
        """Load the recogniser and warm it up, so that its start does not count as transcribing.

        Args:
            threads: number of threads of the runtime; 0 leaves the choice to the runtime.

        Raises:
            ModelError, ConfigError: see `Recognizer.load`.
            ServerError: see `RemoteRecognizer.connect`.
        """
        from asr.recognizer import Recognizer

        if self.written:
            from asr.inverse_normalisation.writer import check_language, load_number_writer

            check_language(self.model)
            load_number_writer()
        if self.server:
            from asr.serving.client import RemoteRecognizer

            return RemoteRecognizer.connect(self.server, self.model, self.decoding)
        recognizer = Recognizer.load(self.model, self.decoding, self.runtime or "onnx", threads)
        recognizer.warm_up()
        return recognizer

    def transcribe(
        self,
        recognizer: Recognizer,
        unit: WorkUnit,
        progress: Callable[[float], object] | None = None,
    ) -> list[Outcome]:
        """Transcribe a unit. The same unit always gives the same outcomes.

        After an unexpected error, the recordings are transcribed one by one, so that only the
        recording that causes the error fails.

        Args:
            recognizer: the recogniser from `load`.
            unit: the recordings.
            progress: called with the seconds of audio that are done; each channel counts.

        Returns:
            One outcome per recording, in the unit's order.
        """
        try:
            return self._transcribe_together(recognizer, unit, progress)
        except Exception as error:
            if len(unit.recordings) == 1:
                ((index, recording),) = unit.recordings
                failure = unexpected_failure(recording_name(recording), error)
                return [Outcome(index, (failure,))]
        single_units = (WorkUnit((recording,)) for recording in unit.recordings)
        return [self.transcribe(recognizer, single, progress)[0] for single in single_units]

    def _transcribe_together(
        self, recognizer: Recognizer, unit: WorkUnit, progress: Callable[[float], object] | None
    ) -> list[Outcome]:
        recordings = [recording for _, recording in unit.recordings]
        digests = [digest(recording_path(r)) if self.digests else "" for r in recordings]
        channels = [self._channels(recording) for recording in recordings]
        results: list[dict[int | None, Transcript | Failure]] = [{} for _ in recordings]
        all_channels = dict.fromkeys(channel for each in channels for channel in each)
        for channel in all_channels:
            places = [i for i, each in enumerate(channels) if channel in each]
            audio = [recordings[i] for i in places]
            found = dict(recognizer.transcribe_each(audio, channel=channel, progress=progress))
            if self.written:
                found = _with_written_numbers(found)
            for k, result in found.items():
                results[places[k]][channel] = result
        return [
            Outcome(index, tuple(by_channel[channel] for channel in each), sha256)
            for (index, _), by_channel, each, sha256 in zip(
                unit.recordings, results, channels, digests, strict=True
            )
        ]

    def _channels(self, recording: RecordingRef) -> list[int | None]:
        if not self.split_channels:
            return [self.channel]
        if isinstance(recording, Utterance) and recording.audio_filepath is None:
            return [None]  # features have no channels
        if isinstance(recording, Utterance) and recording.channel is not None:
            return [recording.channel]
        try:
            return [*range(probe(recording_path(recording)).channels)]
        except AudioError:
            return [0]  # reading the recording will raise the error again


def _with_written_numbers(
    results: Mapping[int, Transcript | Failure],
) -> dict[int, Transcript | Failure]:
    from asr.inverse_normalisation.writer import load_number_writer

    spoken = {k: result for k, result in results.items() if isinstance(result, Transcript)}
    written = load_number_writer().transcripts([*spoken.values()])
    return {**results, **dict(zip(spoken, written, strict=True))}


def unexpected_failure(name: str, error: Exception) -> Failure:
    """The failure recorded for an unexpected internal error, with its traceback."""
    kind = type(error).__name__
    return Failure(
        name,
        f"{name}: {kind}: {error}; this is a bug in asr, not in the recording: please report it "
        "with the traceback in errors.jsonl (--errors)",
        "".join(traceback.format_exception(error)),
    )


def make_units(recordings: Iterable[tuple[RecordingRef, float]]) -> list[WorkUnit]:
    """Group recordings into work units, in their order.

    The groups depend on the argument only. A resumed batch therefore computes each recording beside
    the same others, and so to the same bits.

    Args:
        recordings: pairs of a recording and its length in seconds.
    """
    units: list[list[NumberedRecording]] = []
    total = 0.0
    for index, (recording, seconds) in enumerate(recordings):
        if not units or len(units[-1]) == UNIT_FILES or total + seconds > UNIT_SECONDS:
            units.append([])
            total = 0.0
        units[-1].append(NumberedRecording(index, recording))
        total += seconds
    return [WorkUnit(tuple(unit)) for unit in units]


@dataclass
class _Worker:
    process: BaseProcess
    ready: bool = False
    unit: WorkUnit | None = None


def run_workers(
    count: int, transcriber: Transcriber, units: Sequence[WorkUnit], ready: Callable[[], None]
) -> Iterator[list[Outcome]]:
    """Transcribe work units with several processes.

    If a process dies, its recordings are tried once more, one by one. A recording that ends a
    second process has failed. A dead process is replaced, unless it died while loading.

    Args:
        count: number of processes.
        transcriber: the settings.
        units: the work.
        ready: called when the first process has loaded the model.

    Yields:
        The outcomes of each unit, as units finish.

    Raises:
        AsrError: the model or the decoding is wrong, or the server does not answer.
        WorkerError: no process is left, or a process cannot be started.
    """
    queue = deque(units)
    workers: dict[Connection, _Worker] = {}
    started = False

    def start() -> None:
        connection, process = give_work(count, run_worker, transcriber)
        workers[connection] = _Worker(process)

    try:
        for _ in range(min(count, len(queue))):
            start()
        end_unused()
        while queue or any(worker.unit for worker in workers.values()):
            for connection in wait(list(workers)):
                assert isinstance(connection, Connection)
                worker = workers[connection]
                outcomes: list[Outcome] = []
                try:
                    message = connection.recv()
                except (EOFError, OSError):
                    # The pipe closes with the process, however the process ended.
                    del workers[connection]
                    connection.close()
                    worker.process.join()
                    if worker.unit is not None:
                        outcomes = _take_back(worker.unit, worker.process, queue)
                    elif not workers and queue:
                        raise WorkerError(
                            f"every worker process died while loading {transcriber.model}, the "
                            f"last by {_death(worker.process)}; try fewer --workers"
                        ) from None
                else:
                    if isinstance(message, AsrError):
                        raise message
                    worker.unit, outcomes = None, message
                    if not worker.ready and not started:
                        ready()
                    worker.ready = started = True
                # Hand out work before yielding: no worker waits while the caller writes results.
                for other, idle in workers.items():
                    if queue and idle.ready and idle.unit is None:
                        idle.unit = queue.popleft()
                        with suppress(OSError):  # it just died: the next round reads that
                            other.send(idle.unit)
                if queue and len(workers) < count and worker.ready:
                    start()
                if outcomes:
                    yield outcomes
    finally:
        end([WorkerProcess(connection, worker.process) for connection, worker in workers.items()])


def _take_back(unit: WorkUnit, process: BaseProcess, queue: deque[WorkUnit]) -> list[Outcome]:
    """Queue the recordings of a dead worker's unit one by one; if that was done before, fail."""
    if not unit.retried:
        single_units = [WorkUnit((recording,), retried=True) for recording in unit.recordings]
        queue.extendleft(reversed(single_units))
        return []
    ((index, recording),) = unit.recordings
    name = recording_name(recording)
    failure = Failure(
        name,
        f"{name}: two worker processes died of it, the second by {_death(process)}; "
        "not enough memory?",
    )
    return [Outcome(index, (failure,))]


def _death(process: BaseProcess) -> str:
    code = process.exitcode or 0
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def run_worker(connection: Connection, threads: int, transcriber: Transcriber) -> None:
    """Run in a worker process: load the model, then transcribe the units from the pipe.

    The worker sends an empty list when it is ready, then the outcomes of each unit. An `AsrError`
    while loading and a `ServerError` are sent instead. The worker ends when the pipe closes, so it
    does not outlive its parent, even a killed one.

    Args:
        connection: the worker's end of the pipe.
        threads: number of threads of the runtime.
        transcriber: the settings.
    """
    message: object = []
    try:
        recognizer = transcriber.load(threads)
    except AsrError as error:
        message = error
    while True:
        try:
            connection.send(message)
            unit = connection.recv()
        except (EOFError, OSError):
            return
        try:
            message = transcriber.transcribe(recognizer, unit)
        except ServerError as error:
            message = error
