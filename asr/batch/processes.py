"""Worker processes that start before their work is known.

Importing takes a worker longer than everything that its parent does before the work is known. The
parent therefore starts the workers first and sends them their work later. This module imports
little for the same reason.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from asr.base.garbage import garbage_collection_paused
from asr.errors import WorkerError

PRELOADED = ("asr.networks.onnx_model", "asr.recognizer", "asr.batch.workers")
"""Modules that a worker imports while it waits for its work."""
Work = Callable[[Connection, int, Any], None]
"""The work of a worker: a function of the pipe to its parent, a number of threads, an argument."""


class WorkerProcess(NamedTuple):
    """A worker and the parent's end of the pipe to it."""

    connection: Connection
    process: BaseProcess


_started_ahead: list[WorkerProcess] = []


def start_ahead(count: int) -> None:
    """Start workers before their work is known; 1 starts none.

    Starts at most as many as there are processors, because there may be less work than workers.
    Unused workers end with `end_unused` or with this process. An error while starting is ignored:
    `give_work` meets it again and raises it.

    Args:
        count: number of workers that will share the processors.
    """
    if count < 2:
        return
    with suppress(WorkerError):
        for _ in range(min(count, os.cpu_count() or 1)):
            _started_ahead.append(_start(count))


def end_unused() -> None:
    """End the workers that were started ahead and have no work."""
    end(_started_ahead)
    _started_ahead.clear()


def give_work(count: int, work: Work, argument: Any) -> WorkerProcess:
    """Give work to a worker that was started ahead, or to a new one.

    Args:
        count: number of workers that share the processors.
        work: function that the worker calls.
        argument: its last argument.

    Raises:
        WorkerError: a process cannot be started.
    """
    worker = _started_ahead.pop(0) if _started_ahead else _start(count)
    with suppress(OSError):  # the worker is dead: whoever reads from its pipe finds out
        worker.connection.send((work, argument))
    return worker


def end(workers: list[WorkerProcess]) -> None:
    """End worker processes, whether they are busy or not."""
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join()
        worker.connection.close()


def _start(count: int) -> WorkerProcess:
    context = get_context("spawn")  # TensorFlow's threads and locks do not survive a fork
    ours, theirs = context.Pipe()
    threads = max(1, (os.cpu_count() or 1) // count)
    process = context.Process(target=_wait, args=(theirs, threads), daemon=True)
    # Ctrl-C on the terminal interrupts all processes, but only the parent must react to it.
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
    # NumPy reads its number of threads from these variables when it is imported.
    added = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"} - os.environ.keys()
    os.environ.update(dict.fromkeys(added, str(threads)))
    try:
        process.start()
    except OSError as error:
        raise WorkerError(f"a worker process cannot be started ({error.strerror})") from None
    finally:
        for name in added:
            del os.environ[name]
        if in_main:
            signal.signal(signal.SIGINT, handler)
    theirs.close()
    return WorkerProcess(ours, process)


def _wait(connection: Connection, threads: int) -> None:
    """Run in a worker: import the modules of a batch, then wait for the work and do it."""
    with garbage_collection_paused():
        for module in PRELOADED:
            import_module(module)

    try:
        work, argument = connection.recv()
    except (EOFError, OSError):
        return  # the parent has ended
    work(connection, threads, argument)
