"""Worker processes that start before their work is known.

A worker's imports take longer than everything that its parent does first, so the parent starts
workers early and sends them their work later. This module imports little itself for that reason.
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
from typing import Any

from asr.base.garbage import garbage_collection_paused
from asr.errors import WorkerError

PRELOADED = ("asr.networks.onnx_model", "asr.recognizer", "asr.batch.workers")
"""Modules that a worker imports while it waits for its work."""
Work = Callable[[Connection, int, Any], None]
"""What a worker does: called with the pipe to its parent, a number of threads, and an argument."""

_ahead: list[tuple[Connection, BaseProcess]] = []


def start_ahead(count: int) -> None:
    """Start the first of `count` workers; with 1, this process does the work itself.

    There may be less work than for all: no more than there are processors, and those that are not
    needed end with `end_ahead` or this process. If one cannot be started, `take` will tell.
    """
    if count < 2:
        return
    with suppress(WorkerError):
        for _ in range(min(count, os.cpu_count() or 1)):
            _ahead.append(_start(count))


def end_ahead() -> None:
    """End the started workers that nobody took."""
    end(_ahead)
    _ahead.clear()


def take(count: int, work: Work, argument: Any) -> tuple[Connection, BaseProcess]:
    """Give one of `count` workers its work; returns its pipe and process.

    The worker was started ahead, or is started now.

    Raises:
        WorkerError: it cannot be started.
    """
    connection, process = _ahead.pop(0) if _ahead else _start(count)
    with suppress(OSError):  # it died: its pipe's end comes next
        connection.send((work, argument))
    return connection, process


def end(workers: list[tuple[Connection, BaseProcess]]) -> None:
    """End processes, whatever they do."""
    for _, process in workers:
        process.terminate()
    for connection, process in workers:
        process.join()
        connection.close()


def _start(count: int) -> tuple[Connection, BaseProcess]:
    context = get_context("spawn")  # TensorFlow's threads and locks do not survive a fork
    ours, theirs = context.Pipe()
    threads = max(1, (os.cpu_count() or 1) // count)
    process = context.Process(target=_wait, args=(theirs, threads), daemon=True)
    # A Ctrl-C on the terminal goes to every process, but only the parent is to deal with it.
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
    # NumPy's threads, which it takes from here when it is imported.
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
    return ours, process


def _wait(connection: Connection, threads: int) -> None:
    """A worker process: imports what a batch takes, and then does the work that it is told."""
    with garbage_collection_paused():
        for module in PRELOADED:
            import_module(module)

    try:
        work, argument = connection.recv()
    except (EOFError, OSError):
        return  # the parent has ended
    work(connection, threads, argument)
