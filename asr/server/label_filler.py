"""`LabelFiller`: transcribes the recordings of a `LabelSession` in the background."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asr.data.inputs import FeatureBlock, check_language
from asr.errors import AsrError, AudioError, WorkerError, explain
from asr.labelling.heard_texts import Heard, HeardTexts, file_stamp
from asr.labelling.label_session import LabelSession
from asr.labelling.label_task import LabelTask
from asr.server.batching_engine import BatchingEngine
from asr.server.label_reader import FeaturesToRead, WavToWrite, read_labelled
from asr.server.monitoring import log
from asr.server.upload_reader import PRELOADED
from asr.server.worker_pool import WorkerDied, WorkerPool, WorkerStalled

AT_ONCE = 4
"""Recordings that are read at once, so that the network gets batches."""
KEPT_FILES = 32
"""WAV files of recordings that were listened to and are kept."""


class LabelFiller:
    """Reads the recordings: for the recogniser, and for the page.

    Args:
        session: the recordings; takes the texts and the errors.
        engine: the engine with the recogniser.
        cache: texts of earlier calls.
        workers: processes that decode.
        worker_memory: bytes of memory that one of these processes may use.
    """

    def __init__(
        self,
        session: LabelSession,
        engine: BatchingEngine,
        cache: HeardTexts,
        workers: int,
        worker_memory: int,
    ) -> None:
        self.session, self.engine, self.cache = session, engine, cache
        self._pool = WorkerPool(read_labelled, workers, worker_memory, preload=PRELOADED)
        # One process more, so that a person who listens does not wait for the transcription.
        self._players = WorkerPool(read_labelled, 1, worker_memory, preload=PRELOADED)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: OrderedDict[str, Path] = OrderedDict()
        self._writing = asyncio.Lock()
        self._numbers = 0
        self._stopped = threading.Event()
        self._missing: list[LabelTask] = []

    def start(self) -> None:
        """Take the cached texts, and start the engine and the processes."""
        self._folder = tempfile.TemporaryDirectory(prefix="asr-label-", ignore_cleanup_errors=True)
        for task in self.session.tasks:
            heard = self.cache.get(task.id, file_stamp(task.utterance.path))
            if heard is None:
                self._missing.append(task)
            else:
                self.session.fill_in(task.id, heard)
        self._pool.start()
        self._players.start()
        self.engine.start()

    def close(self) -> None:
        """End the engine and the processes, and remove temporary files."""
        self._stopped.set()
        self._pool.close()
        self._players.close()
        self.engine.close()
        if self._folder is not None:
            self._folder.cleanup()

    async def run(self) -> None:
        """Transcribe all recordings without a text, in the order of the source."""
        waiting = iter(self._missing)

        async def work() -> None:
            for task in waiting:
                await self._fill_in(task)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def _fill_in(self, task: LabelTask) -> None:
        stamp = await asyncio.to_thread(file_stamp, task.utterance.path)
        try:
            heard = await self._hear(task)
        except AsrError as error:
            if not self._stopped.is_set():
                self.session.fail(task.id, str(error))
            return
        except Exception as error:
            log.error("a recording cannot be transcribed", exc_info=error)
            self.session.fail(task.id, f"{task.name}: unexpected error; the log has its place")
            return
        try:
            await asyncio.to_thread(self.cache.add, task.id, stamp, heard)
        except OSError as error:  # a full disk: the text is there, but a restart computes it again
            log.error(
                "the cache of texts cannot be written", extra={"values": {"cause": explain(error)}}
            )
        self.session.fill_in(task.id, heard)

    async def _hear(self, task: LabelTask) -> Heard:
        recognizer = self.engine.recognizer
        check_language(task.utterance, recognizer.tokenizer.language)
        job = self.engine.open()
        reading = FeaturesToRead(task.utterance, recognizer.config.features)
        try:
            await self._work(self._pool, task, reading, job.feed, job.cancelled)
            job.finish()
            return Heard.of(await asyncio.wrap_future(job.result))
        finally:
            job.cancel()

    async def wav(self, id: str) -> Path:
        """A recording as a WAV file.

        Raises:
            UnknownRecording: there is none.
            AudioError: it cannot be read.
        """
        task = self.session.task(id)
        async with self._writing:
            if id not in self._files:
                self._files[id] = await self._write_wav(task)
            self._files.move_to_end(id)
            if len(self._files) > KEPT_FILES:
                _, oldest = self._files.popitem(last=False)
                oldest.unlink(missing_ok=True)  # a response that reads it keeps its open file
            return self._files[id]

    async def _write_wav(self, task: LabelTask) -> Path:
        assert self._folder is not None
        self._numbers += 1
        path = Path(self._folder.name, f"{self._numbers}.wav")
        never = threading.Event()
        writing = WavToWrite(task.utterance, path)
        await self._work(self._players, task, writing, lambda message: None, never)
        return path

    async def _work(
        self,
        pool: WorkerPool,
        task: LabelTask,
        work: FeaturesToRead | WavToWrite,
        take: Callable[[FeatureBlock | str], Any],
        cancelled: threading.Event,
    ) -> None:
        try:
            await asyncio.wrap_future(pool.submit(work, take, cancelled))
        except (WorkerDied, WorkerStalled) as error:
            how = "crashed" if isinstance(error, WorkerDied) else "hangs"
            raise AudioError(
                f"{task.name}: not readable as audio: the decoder {how}; convert it to WAV or FLAC"
            ) from None
        except RuntimeError as error:  # the pool is closed
            raise WorkerError("the server is shutting down") from error
