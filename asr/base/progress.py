"""Progress bars and spinners on stderr.

Rich is imported only when there is a terminal to show them on. One display is shown at a time: one
inside another replaces it until it ends.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeVar

from asr.base.units import Seconds

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

T = TypeVar("T")
LOG_SECONDS = 600
"""Seconds between two lines of progress if stderr is no terminal."""
QUIET_SECONDS: Seconds = 0.5
"""Time without output after which `waiting` shows its spinner."""
CHECK_SECONDS: Seconds = 0.1
"""Time between two looks of `waiting`."""

_shown: list[Progress] = []
"""The displays that have begun and not ended. Only the last one is on the terminal."""
_lock = threading.RLock()
"""Held while a display begins or ends, and while text is written on a terminal."""


def _console() -> Console:
    """A console on stderr.

    Jupyter sets FORCE_COLOR for the processes that its cells start, and rich would then draw moving
    bars into a pipe. `force_terminal` and `force_jupyter` prevent it.
    """
    from rich.console import Console

    stream = sys.stderr.stream if isinstance(sys.stderr, _Watched) else sys.stderr
    stream = _own_stream(stream)
    return Console(file=stream, force_terminal=stream.isatty(), force_jupyter=False)


@lru_cache(maxsize=1)
def _own_stream(stream: TextIO) -> TextIO:
    """A second stream to the same terminal, which still works while file descriptor 2 is silenced,
    as during the import of TensorFlow. The stream itself if it has no file descriptor."""
    try:
        number = os.dup(stream.fileno())
    except (OSError, ValueError):
        return stream
    return open(number, "w", encoding=stream.encoding, errors=stream.errors)


@contextmanager
def _show(display: Progress) -> Iterator[None]:
    """Show a display until the block ends, in place of the one that is shown."""
    _begin(display)
    try:
        yield
    finally:
        _end(display)


def _begin(display: Progress) -> None:
    with _lock:
        if _shown:
            _shown[-1].stop()
        _shown.append(display)
        display.start()


def _end(display: Progress) -> None:
    with _lock:
        display.stop()
        was_last = _shown[-1] is display
        _shown.remove(display)
        if _shown and was_last:
            _shown[-1].start()


class TrainingProgress:
    """A bar for the running epoch and a line for each finished epoch, on stderr.

    Use as a context manager, and pass `update` to the trainer.

    Args:
        epochs: number of epochs.
    """

    def __init__(self, epochs: int) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.epochs = epochs
        self.console = _console()
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.2f}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self.task = self.bar.add_task("", total=None, epoch="1", loss=float("nan"))

    def __enter__(self) -> TrainingProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar in _shown:  # rich prints an empty line for a bar that never started
            _end(self.bar)

    def print_line(self, message: str) -> None:
        """Print a line above the bar."""
        self.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def update(self, **event: Any) -> None:
        """Show an event of `Trainer.run`: a finished epoch's "row", or a finished step."""
        if "row" in event:
            row = event["row"]
            speed = row.get("x_realtime")  # absent if the data is not speech
            scores = "  ".join(
                f"{key} {value:.2%}" if key.endswith("er") else f"{key} {value:.3f}"  # WER, CER
                for key, value in row.items()
                if key.startswith("dev_")
            )
            self.print_line(
                f"epoch {int(row['epoch'])}/{self.epochs}  loss {row['loss']:.3f}  {scores}  "
                f"{row['seconds']:.0f} s" + (f"  {speed:.0f} × realtime" if speed else "")
            )
        else:
            # Start here, not earlier: before the first batch, reading the data has its own bar.
            if self.bar not in _shown:
                _begin(self.bar)
            self.bar.update(
                self.task,
                total=event["steps"],
                completed=event["step"],
                loss=event["loss"],
                epoch=f"{event['epoch'] + 1}/{self.epochs}",
            )


def spinner(label: str) -> AbstractContextManager[None]:
    """Show a spinner and the time on stderr during the block, if stderr is a terminal."""
    return _show(_spinner(label)) if sys.stderr.isatty() else nullcontext()


def _spinner(label: str) -> Progress:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = _console()
    name = "dots" if console.encoding.startswith("utf") else "line"
    text = TextColumn("{task.description}", markup=False)
    spinner = Progress(
        *(SpinnerColumn(name), text, TimeElapsedColumn()),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    spinner.add_task(label, total=None)
    return spinner


@contextmanager
def waiting(label: str) -> Iterator[None]:
    """Show a spinner on stderr whenever nothing else is shown or printed for half a second.

    The spinner disappears before a text is printed on the terminal. Without a terminal on stderr,
    nothing happens. `sys.stdout` and `sys.stderr` are replaced during the block if they are
    terminals.

    Args:
        label: text behind the spinner, such as the name of the command.
    """
    if not sys.stderr.isatty():
        yield
        return
    stdout, stderr = sys.stdout, sys.stderr
    watch = _Watch(label)
    sys.stderr = _Watched(stderr, watch)
    if stdout.isatty():
        sys.stdout = _Watched(stdout, watch)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.ended.set()
        thread.join()
        watch.hide()
        sys.stdout, sys.stderr = stdout, stderr


class _Watch:
    """The thread of `waiting`: shows its spinner if nothing else happens.

    Attributes:
        ended: set when the thread must end.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.ended = threading.Event()
        self._last = time.monotonic()
        self._spinner: Progress | None = None

    def run(self) -> None:
        while not self.ended.wait(CHECK_SECONDS):
            with _lock:
                if _shown:
                    self._last = time.monotonic()
                elif time.monotonic() - self._last > QUIET_SECONDS:
                    self._spinner = _spinner(self.label)
                    _begin(self._spinner)

    def hide(self) -> None:
        """Remove the spinner, because something is about to be printed."""
        with _lock:
            self._last = time.monotonic()
            if self._spinner is not None:
                _end(self._spinner)
                self._spinner = None


class _Watched:
    """A terminal's stream, in front of which the spinner of `waiting` disappears.

    Args:
        stream: the stream.
        watch: shows the spinner.
    """

    def __init__(self, stream: TextIO, watch: _Watch) -> None:
        self.stream, self.watch = stream, watch

    def write(self, text: str) -> int:
        with _lock:
            self.watch.hide()
            return self.stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def track(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """Iterate over `items` with a bar on stderr, if stderr is a terminal.

    Args:
        items: anything iterable.
        total: number of items.
        label: text in front of the bar.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import MofNCompleteColumn

    bar = _bar(MofNCompleteColumn())
    with _show(bar):
        yield from bar.track(items, total, description=label)


class HasDuration(Protocol):
    """An item with a duration in seconds, such as an utterance."""

    @property
    def duration(self) -> Seconds: ...


U = TypeVar("U", bound=HasDuration)


def track_hours(items: Iterable[U], hours: float, label: str) -> Iterator[U]:
    """Iterate over utterances with a bar that counts their audio, on stderr.

    If stderr is no terminal, print a line every `LOG_SECONDS` instead.

    Args:
        items: utterances.
        hours: hours of audio in all.
        label: text in front of the bar or in the lines.
    """
    done, start = 0.0, time.monotonic()
    reported = start
    with seconds_bar(3600 * hours, label) as advance:
        for item in items:
            yield item
            done += item.duration
            advance(item.duration)
            now = time.monotonic()
            if not sys.stderr.isatty() and now - reported >= LOG_SECONDS:
                reported = now
                print(
                    f"{time.strftime('%F %T')} {label}: {done / 3600:.2f} of {hours:g} h "
                    f"in {(now - start) / 3600:.2f} h",
                    file=sys.stderr,
                    flush=True,
                )


@contextmanager
def seconds_bar(
    total: Seconds, label: str, show: bool = True
) -> Iterator[Callable[[Seconds], object]]:
    """A bar that counts seconds of audio, on stderr, if stderr is a terminal.

    Args:
        total: seconds of audio in all.
        label: text in front of the bar.
        show: False for no bar; default: True.

    Yields:
        A function that advances the bar by a number of seconds.
    """
    if not (show and sys.stderr.isatty()):
        yield lambda seconds: None
        return
    from rich.progress import TextColumn

    bar = _bar(TextColumn("{task.completed:.0f}/{task.total:.0f} s of audio"))
    with _show(bar):
        task = bar.add_task(label, total=total)
        yield lambda seconds: bar.advance(task, seconds)


@contextmanager
def portion_bar(total: int, label: str, show: bool = True) -> Iterator[Callable[[int], object]]:
    """A bar of a percentage on stderr, if stderr is a terminal.

    Args:
        total: amount of work in any unit.
        label: text in front of the bar.
        show: False for no bar; default: True.

    Yields:
        A function that is told how much is done in all.
    """
    if not (show and sys.stderr.isatty()):
        yield lambda done: None
        return
    from rich.progress import TimeElapsedColumn

    bar = _bar(TimeElapsedColumn())
    with _show(bar):
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)


def _bar(column: ProgressColumn) -> Progress:
    """Rich's default bar with one more column.

    By default rich redirects everything printed meanwhile to the bar's console, so results for
    stdout would appear on stderr.
    """
    from rich.progress import Progress

    return Progress(
        *Progress.get_default_columns(),
        column,
        console=_console(),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
