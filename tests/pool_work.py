"""Work for the processes of a `WorkerPool` in its tests: it goes wrong as its task says."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

from asr.errors import AudioError
from asr.server.upload_reader import Upload


def work(task: Any) -> Iterator[Any]:
    """Does what the task names, in a process of the pool."""
    yield os.getpid()
    if task == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif task == "hang":
        time.sleep(60)
    elif task == "fail":
        raise AudioError("file: no audio")
    elif task == "eat":
        yield len(bytearray(400_000_000))
    elif task == "count":
        yield from range(100_000)


class Crash(Upload):
    """An upload that kills the process which reads it."""

    def __getattribute__(self, name: str) -> Any:
        if name == "features":
            os.kill(os.getpid(), signal.SIGSEGV)
        return object.__getattribute__(self, name)
