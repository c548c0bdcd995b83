"""Progress bars and spinners on stderr.

Rich is imported only when there is a terminal to show them on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from asr.base.units import Seconds

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

T = TypeVar("T")
LOG_SECONDS = 600
"""Seconds between two lines of progress if stderr is no terminal."""


def _console() -> Console:
    """A console on stderr.

    Jupyter sets FORCE_COLOR for the processes that its cells start, and rich would then draw moving
    bars into a pipe. `force_terminal` and `force_jupyter` prevent it.
    """
    from rich.console import Console

    return Console(stderr=True, force_terminal=sys.stderr.isatty(), force_jupyter=False)


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
        if self.bar.live.is_started:  # rich prints an empty line for a bar that never started
            self.bar.stop()

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
            self.bar.start()
            self.bar.update(
                self.task,
                total=event["steps"],
                completed=event["step"],
                loss=event["loss"],
                epoch=f"{event['epoch'] + 1}/{self.epochs}",
            )


@contextmanager
def spinner(label: str) -> Iterator[None]:
    """Show a spinner on stderr during the block, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with _console().status(label):
        yield


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

    with _bar(MofNCompleteColumn()) as bar:
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

    with _bar(TextColumn("{task.completed:.0f}/{task.total:.0f} s of audio")) as bar:
        task = bar.add_task(label, total=total)
        yield lambda seconds: bar.advance(task, seconds)


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
