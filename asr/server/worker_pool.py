"""`WorkerPool`: processes that do untrusted or heavy work, and are replaced when they die."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from asr.base.blas import one_thread
from asr.base.units import Seconds
from asr.errors import AsrError, AudioError, WorkerError

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

_preloaded = [__name__]
"""Modules that the fork server imports. It has one list for all pools."""
Work = Callable[[Any], Iterator[Any]]
"""The work of a process: a module's function from a task to messages."""
POLL: Seconds = 0.1
"""Longest time until a cancelled task is noticed."""
START: Seconds = 60.0
"""Time that a process has to start and to import what it needs."""
GRACE: Seconds = 1.0
"""Time that a process has to stop a cancelled task before it is killed."""


class WorkerDied(WorkerError):
    """The process died of its task, or met an unexpected error."""


class WorkerStalled(WorkerError):
    """The process was killed, because it sent nothing for too long."""


class Cancelled(WorkerError):
    """The task was cancelled."""


class _Worker(NamedTuple):
    connection: Connection
    process: BaseProcess


class WorkerPool:
    """Processes that run `work` for one task at a time each.

    A process that crashes, runs out of memory or hangs loses its task only; a new one replaces it.

    Args:
        work: the work; a generator whose messages can be pickled.
        count: number of processes.
        memory: bytes that a process may allocate; None for no limit.
        preload: modules that are imported once for all processes, before the first one starts.
        stall: seconds without a message after which a process is killed.

    Attributes:
        restarts: processes that had to be replaced.
    """

    def __init__(
        self,
        work: Work,
        count: int,
        memory: int | None = None,
        preload: tuple[str, ...] = (),
        stall: Seconds = 60.0,
    ) -> None:
        self.work, self.count, self.memory, self.stall = work, count, memory, stall
        self.restarts = 0
        # Forks of a process that has imported everything start in milliseconds and share memory.
        self._context = get_context("forkserver")
        _preloaded.extend(name for name in preload if name not in _preloaded)
        self._context.set_forkserver_preload(_preloaded)
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(None)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker")
        self._closed = False

    def start(self) -> None:
        """Start the processes. Otherwise the first tasks do.

        Raises:
            WorkerError: a process cannot be started.
        """
        idle = [self._idle.get() for _ in range(self.count)]
        for worker in idle:
            self._idle.put(worker or self._start())

    def close(self) -> None:
        """End the processes. Tasks in progress fail."""
        self._closed = True
        self._threads.shutdown(wait=True, cancel_futures=True)
        while not self._idle.empty():
            if (worker := self._idle.get()) is not None:
                _end(worker)

    def submit(
        self, task: Any, take: Callable[[Any], object], cancelled: threading.Event
    ) -> Future[None]:
        """Run a task when a process is free.

        Args:
            task: argument of `work`; it can be pickled.
            take: called with each message, in a thread of the pool. While it waits, the process
                waits, too.
            cancelled: ends the task soon after it is set.

        Returns:
            A future that is done after the last message. Its exception is an `AsrError` that `work`
            or `take` raised, or `WorkerDied`, `WorkerStalled` or `Cancelled`.
        """
        return self._threads.submit(self._run, task, take, cancelled)

    def _run(self, task: Any, take: Callable[[Any], object], cancelled: threading.Event) -> None:
        if cancelled.is_set() or self._closed:
            raise Cancelled("cancelled")
        worker = self._idle.get()
        try:
            if worker is not None and not worker.process.is_alive():
                self._discard(worker)  # it was killed from outside between two tasks
                worker = None
            worker = worker or self._start()
            try:
                worker.connection.send(task)
                for message in self._messages(worker, cancelled):
                    take(message)
            except (EOFError, OSError):
                worker.process.join(GRACE)  # for its exit status
                status = worker.process.exitcode
                self._discard(worker)
                worker = None
                raise WorkerDied(f"the worker process died (exit status {status})") from None
            except _Reported as reported:
                if isinstance(reported.error, _OutOfMemory):
                    self._discard(worker)
                    worker = None
                raise reported.error from None
            except BaseException as error:
                useless = isinstance(error, (WorkerStalled, WorkerDied))
                if useless or not _stop(worker):
                    self._discard(worker)
                    worker = None
                raise
        finally:
            self._idle.put(worker)

    def _discard(self, worker: _Worker) -> None:
        """End a process; the next task starts another one in its place."""
        _end(worker)
        self.restarts += 1

    def _messages(self, worker: _Worker, cancelled: threading.Event) -> Iterator[Any]:
        since = time.monotonic()
        while True:
            if worker.connection.poll(POLL):
                kind, value = worker.connection.recv()
                if kind == "end":
                    return
                if kind == "error":
                    raise _Reported(value)
                if kind == "fault":
                    raise WorkerDied(f"the worker process failed: {value}")
                if kind == "memory":
                    raise _Reported(_OutOfMemory(value))
                yield value
                since = time.monotonic()
            elif time.monotonic() - since > self.stall:
                raise WorkerStalled(f"no progress for {self.stall:g} s")
            if cancelled.is_set() or self._closed:
                raise Cancelled("cancelled")

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self.work, self.memory), daemon=True
        )
        try:
            process.start()
        except OSError as error:
            raise WorkerError(f"a worker process cannot be started ({error.strerror})") from None
        theirs.close()
        worker = _Worker(ours, process)
        try:
            if not ours.poll(START):
                raise EOFError
            ours.recv()
        except (EOFError, OSError):
            _end(worker)
            raise WorkerError("a worker process does not start") from None
        return worker


class _Reported(AsrError):
    """An error that the work raised; the process goes on."""

    def __init__(self, error: AsrError) -> None:
        super().__init__(str(error))
        self.error = error


class _OutOfMemory(AudioError):
    """The work needed more memory than the process may use."""


def _stop(worker: _Worker) -> bool:
    """Ask a process to stop its task; whether it did."""
    end = time.monotonic() + GRACE
    try:
        worker.connection.send(None)
        while worker.connection.poll(max(0.0, end - time.monotonic())):
            if worker.connection.recv()[0] != "message":
                return True
    except (EOFError, OSError):
        pass
    return False


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.connection.close()


def _serve(connection: Connection, work: Work, memory: int | None) -> None:
    """Run in a process: do tasks until the parent ends. None between two tasks means nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    # Libraries print about broken files; stderr has the server's log, one JSON object per line.
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if memory is not None:
            with suppress(OSError, ValueError):
                with open("/proc/self/statm") as file:
                    now = int(file.read().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (now + memory, now + memory))
    # One thread for matrix products: others would wait for work at the cost of the recogniser.
    with suppress(EOFError, OSError), one_thread():
        connection.send(("ready", None))
        while True:
            task = connection.recv()
            if task is not None:
                connection.send(_do(connection, work, task))


def _do(connection: Connection, work: Work, task: Any) -> tuple[str, Any]:
    """Do a task and return the message about its end."""
    try:
        for message in work(task):
            connection.send(("message", message))
            if connection.poll():  # a request to stop
                connection.recv()
                break
    except MemoryError:
        return "memory", "the recording needs too much memory"
    except AsrError as error:
        return "error", error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        return "fault", f"{type(error).__name__} in {frames[-1].filename}:{frames[-1].lineno}"
    return "end", None
