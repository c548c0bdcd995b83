"""Stopping cleanly on Ctrl-C and SIGTERM.

The first signal raises an exception, so work in progress can be saved. A second signal kills the
process.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """Raised in the main thread by the first signal.

    Attributes:
        number: number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Stopper:
    """A signal handler that raises `Stopped`, at once or at the end of a critical section."""

    def __init__(self) -> None:
        self._held = False
        self._waiting = 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Run a critical section: a signal that arrives inside is raised at its end."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._waiting:
            raise Stopped(self._waiting)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; `signal.signal` calls this.

        Raises:
            Stopped: outside a critical section.
        """
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        if not self._held:
            raise Stopped(number)
        self._waiting = number


@contextmanager
def stoppable() -> Iterator[Stopper]:
    """Handle Ctrl-C and SIGTERM with a `Stopper` until the block ends.

    Only the main thread receives signals. In any other thread nothing is handled.
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
