"""Ending cleanly on Ctrl-C or SIGTERM: the first one is an exception, the second one the end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal arrived, wherever the process was; `number` says which."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Stopper:
    """Raises `Stopped` for the first signal; a second one kills the process."""

    def __init__(self) -> None:
        self._held = False
        self._waiting = 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """What is inside is not cut in two: a signal is raised when it is done."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._waiting:
            raise Stopped(self._waiting)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        if not self._held:
            raise Stopped(number)
        self._waiting = number


@contextmanager
def stoppable() -> Iterator[Stopper]:
    """Have a `Stopper` handle Ctrl-C and SIGTERM.

    Outside the main thread, which alone gets signals, nothing changes.
    """
    stopper = Stopper()
    if threading.current_thread() is not threading.main_thread():
        yield stopper
        return
    before = {number: signal.signal(number, stopper.handle) for number in SIGNALS}
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
