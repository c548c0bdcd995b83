"""`BatchingEngine`: one thread that owns a recogniser and transcribes recordings of many clients.

The windows of all recordings wait together and are batched by length, as in
`Recognizer.transcribe_each`. A result does not depend on the other recordings of its batch.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from asr.base.units import Seconds
from asr.data.inputs import FeatureBlock
from asr.decoding.window_joiner import WindowJoiner
from asr.decoding.windowed_recording import PendingWindow, WindowedRecording, batch_by_length
from asr.errors import WorkerError
from asr.recognizer import BATCH_SECONDS, Recognizer
from asr.results import Transcript

T = TypeVar("T")

PATIENCE: Seconds = 0.005
"""Time that a window waits for windows of other recordings, which are about to come."""
OVERDUE: Seconds = 0.25
"""A window that waits longer goes before everything else that the thread has to do."""
BLOCKS_AHEAD = 16
"""Blocks of one recording, of about four seconds each, that may wait for the network."""


class TranscriptionJob:
    """A recording on its way through the engine; made by `BatchingEngine.open`.

    `feed`, `finish` and `cancel` may be called from any thread, the other methods only from the
    engine's.

    Args:
        recognizer: the engine's recogniser.
        recording: the recording, without features.
        post: runs a function that returns windows on the engine's thread.
        on_text: called on the engine's thread with the text so far, after each window; None for
            nobody.

    Attributes:
        recording: the recording.
        result: the transcript, when it is done.
        cancelled: whether the job was cancelled.
        waiting: windows that wait for the network.
        arriving: whether the recording's end is not yet known.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        recording: WindowedRecording[WindowJoiner],
        post: Callable[[TranscriptionJob, Callable[[], list[PendingWindow]]], None],
        on_text: Callable[[str], object] | None,
    ) -> None:
        self.recording = recording
        self.result: Future[Transcript] = Future()
        self.result.set_running_or_notify_cancel()
        self.cancelled = threading.Event()
        self.waiting, self.arriving = 0, True
        self._recognizer, self._post, self._on_text = recognizer, post, on_text
        self._room = threading.Semaphore(BLOCKS_AHEAD)
        self._held = 0

    def feed(self, block: FeatureBlock | str) -> None:
        """Take the next features, or a warning about the recording. Waits while many blocks wait
        for the network, so that a long recording does not fill the memory."""
        if isinstance(block, str):
            self.recording.warnings.append(block)
            return
        while not self._room.acquire(timeout=1.0):
            if self.cancelled.is_set():
                return
        self._post(self, partial(self._take, block))

    def finish(self) -> None:
        """Say that all features have been fed."""
        self._post(self, self._take_end)

    def cancel(self) -> None:
        """Drop the recording; its result stays open."""
        self.cancelled.set()
        self._post(self, list)

    def add(self, pending: PendingWindow, logits: object) -> None:
        """Take the emissions of one window."""
        self.recording.joiner.add(pending.number, pending.window, logits)  # type: ignore[arg-type]
        self._took(-1)
        if self._on_text is not None and not self.recording.done:
            self._on_text(self._recognizer.tokenizer.decode(self.recording.joiner.labels))
        self._complete()

    def fail(self, error: Exception) -> None:
        """End with an error."""
        self.cancelled.set()
        if not self.result.done():
            self.result.set_exception(error)

    def _take(self, block: FeatureBlock) -> list[PendingWindow]:
        self._held += 1
        return self._took_windows(self.recording.feed(block.static, block.samples))

    def _take_end(self) -> list[PendingWindow]:
        self.arriving = False
        windows = self._took_windows(self.recording.finish())
        self._complete()
        return windows

    def _took_windows(self, windows: list[PendingWindow]) -> list[PendingWindow]:
        self._took(len(windows))
        return windows

    def _took(self, windows: int) -> None:
        """Count windows, and make room for blocks when none waits."""
        self.waiting += windows
        if not self.waiting and self._held:
            self._room.release(self._held)
            self._held = 0

    def _complete(self) -> None:
        if self.recording.done and not self.result.done():
            self.result.set_result(self._recognizer.transcript(self.recording))


class BatchingEngine:
    """Runs a recogniser on one thread for many clients.

    Args:
        recognizer: the recogniser; only the engine's thread uses it from now on.
        on_batch: called on the engine's thread after each batch with the number of windows; None
            for nobody.

    Attributes:
        recognizer: the recogniser.
    """

    def __init__(
        self, recognizer: Recognizer, on_batch: Callable[[int], object] | None = None
    ) -> None:
        self.recognizer, self.on_batch = recognizer, on_batch
        self._commands: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._waiting: list[PendingWindow] = []
        self._since = 0.0
        self._jobs: dict[int, TranscriptionJob] = {}
        self._numbers = itertools.count()
        self._closed = False
        self._max_frames = BATCH_SECONDS * recognizer.config.features.frames_per_second
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)

    @property
    def waiting(self) -> int:
        """Windows that wait for the network."""
        return len(self._waiting)

    @property
    def jobs(self) -> int:
        """Recordings that are not finished."""
        return len(self._jobs)

    def start(self) -> None:
        """Start the thread, and run the network once, because a runtime's first call is slow."""
        self._thread.start()
        self.call(self.recognizer.warm_up).result()

    def close(self) -> None:
        """End the thread. Recordings that are not finished fail."""
        self._closed = True
        if self._thread.is_alive():
            self._commands.put(None)
            self._thread.join()

    def open(
        self, joiner: WindowJoiner | None = None, on_text: Callable[[str], object] | None = None
    ) -> TranscriptionJob:
        """Begin a recording.

        Args:
            joiner: decodes its windows. Default: the recogniser's own, with its own decoder.
            on_text: called on the engine's thread with the text so far, after each window; None
                for nobody.

        Raises:
            WorkerError: the engine is closed.
        """
        self._check_open()
        index = next(self._numbers)
        joiner = joiner or self.recognizer.text_joiner()
        recording = self.recognizer.windowed_recording(index, joiner)
        job = TranscriptionJob(self.recognizer, recording, self._post, on_text)
        self._commands.put(partial(self._jobs.__setitem__, index, job))
        return job

    def call(self, function: Callable[[], T]) -> Future[T]:
        """Run a function on the engine's thread, for everything else that needs the recogniser.

        Raises:
            WorkerError: the engine is closed.
        """
        self._check_open()
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)

        self._commands.put(run)
        return future

    def _check_open(self) -> None:
        if self._closed:
            raise WorkerError("the server is shutting down")

    def _post(self, job: TranscriptionJob, function: Callable[[], list[PendingWindow]]) -> None:
        self._commands.put(partial(self._receive, job, function))

    def _serve(self) -> None:
        while True:
            if self._waiting and time.monotonic() - self._since > OVERDUE:
                self._run_batch()
            try:
                command = self._commands.get(timeout=self._patience())
            except queue.Empty:
                self._run_batch()
                continue
            if command is None:
                break
            command()
        for job in self._jobs.values():
            job.fail(WorkerError("the server is shutting down"))
        self._jobs.clear()

    def _patience(self) -> Seconds | None:
        """How long to wait for the next command; None for ever, 0 to run a batch at once."""
        if not self._waiting:
            return None
        # Only recordings without a waiting window can make the next batch larger soon.
        coming = any(job.arriving and not job.waiting for job in self._jobs.values())
        frames = sum(len(window.features) for window in self._waiting)
        if not coming or frames >= self._max_frames:
            return 0.0
        return max(0.0, self._since + PATIENCE - time.monotonic())

    def _receive(self, job: TranscriptionJob, function: Callable[[], list[PendingWindow]]) -> None:
        """Run a job's function, and keep its windows."""
        if job.cancelled.is_set():
            self._drop([job])
            return
        try:
            windows = function()
        except Exception as error:
            self._fail([job], error)
            return
        if windows and not self._waiting:
            self._since = time.monotonic()
        self._waiting += windows
        self._forget_finished([job])

    def _run_batch(self) -> None:
        """Run the network over the batch of the window that has waited longest."""
        oldest = self._waiting[0]
        batches = batch_by_length(self._waiting, self._max_frames)
        batch = next(batch for batch in batches if any(window is oldest for window in batch))
        chosen = {id(window) for window in batch}
        self._waiting = [window for window in self._waiting if id(window) not in chosen]
        self._since = time.monotonic()
        jobs = [self._jobs[window.recording.index] for window in batch]
        try:
            outputs = self.recognizer.outputs([window.features for window in batch])
        except Exception as error:
            self._fail(jobs, error)
            return
        for job, window, logits in zip(jobs, batch, outputs, strict=True):
            if job.cancelled.is_set():
                self._drop([job])
                continue
            try:
                job.add(window, logits)
            except Exception as error:
                self._fail([job], error)
        self._forget_finished(jobs)
        if self.on_batch is not None:
            self.on_batch(len(batch))

    def _fail(self, jobs: Collection[TranscriptionJob], error: Exception) -> None:
        for job in jobs:
            job.fail(error)
        self._drop(jobs)

    def _drop(self, jobs: Collection[TranscriptionJob]) -> None:
        dropped = {job.recording.index for job in jobs}
        self._waiting = [w for w in self._waiting if w.recording.index not in dropped]
        for index in dropped:
            self._jobs.pop(index, None)

    def _forget_finished(self, jobs: Collection[TranscriptionJob]) -> None:
        for job in jobs:
            if job.result.done():
                self._jobs.pop(job.recording.index, None)
