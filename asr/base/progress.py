"""Progress on the terminal for anything that takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:  # without a terminal there is nothing to show, and no need of rich
    from rich.console import Console

T = TypeVar("T")
LOG_SECONDS = 600
"""Seconds between two lines of progress in a log."""


def _console() -> Console:
    """On stderr. FORCE_COLOR, as Jupyter sets it for all that its cells start, may ask for colours;
    what moves needs a terminal."""
    from rich.console import Console

    return Console(stderr=True, force_terminal=sys.stderr.isatty(), force_jupyter=False)


class TrainingProgress:
    """A bar for the running epoch and a line for each finished one, all on stderr."""

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
            TextColumn("epoch {task.fields[epoch]}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.2f}"), TimeRemainingColumn(),
            console=self.console, transient=True,
        )  # fmt: skip
        self.task = self.bar.add_task("", total=None, epoch="1", loss=float("nan"))

    def __enter__(self) -> TrainingProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self.bar.live.is_started:  # stopping it otherwise prints an empty line
            self.bar.stop()

    def say(self, message: str) -> None:
        """A line above the bar."""
        self.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def update(self, **event: Any) -> None:
        """Take an event of `Trainer.run`."""
        if "row" in event:
            row = event["row"]
            speed = row.get("x_realtime")  # of what is speech
            scores = "  ".join(
                f"{key} {value:.2%}" if key.endswith("er") else f"{key} {value:.3f}"  # WER, CER
                for key, value in row.items()
                if key.startswith("dev_")
            )
            self.say(
                f"epoch {int(row['epoch'])}/{self.epochs}  loss {row['loss']:.3f}  {scores}  "
                f"{row['seconds']:.0f} s" + (f"  {speed:.0f} × realtime" if speed else "")
            )
        else:
            # Not before the first batch: until then reading the data has a bar of its own.
            self.bar.start()
            self.bar.update(
                self.task, total=event["steps"], completed=event["step"], loss=event["loss"],
                epoch=f"{event['epoch'] + 1}/{self.epochs}",
            )  # fmt: skip


@contextmanager
def spinner(what: str) -> Iterator[None]:
    """Show that something is going on, on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with _console().status(what):
        yield


def track(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Pass `items` through, with a bar on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import MofNCompleteColumn, Progress

    # rich would otherwise send what is printed meanwhile to its own console: results meant for
    # stdout would end up on stderr.
    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(),
        console=_console(), transient=True, redirect_stdout=False, redirect_stderr=False,
    ) as bar:  # fmt: skip
        yield from bar.track(items, total, description=what)


class _Lasting(Protocol):
    @property
    def duration(self) -> float: ...


U = TypeVar("U", bound=_Lasting)


def track_hours(items: Iterable[U], hours: float, what: str) -> Iterator[U]:
    """Pass utterances through, with a bar of their hours, or a line every ten minutes in a log."""
    spoken, began = 0.0, time.monotonic()
    reported = began
    with seconds_bar(3600 * hours, what) as advance:
        for item in items:
            yield item
            spoken += item.duration
            advance(item.duration)
            if not sys.stderr.isatty() and (now := time.monotonic()) - reported >= LOG_SECONDS:
                reported = now
                done = f"{what}: {spoken / 3600:.2f} of {hours:g} h in {(now - began) / 3600:.2f} h"
                print(f"{time.strftime('%F %T')} {done}", file=sys.stderr, flush=True)


@contextmanager
def seconds_bar(total: float, what: str, show: bool = True) -> Iterator[Callable[[float], object]]:
    """A bar by seconds of audio, on stderr if that is a terminal; what it yields moves it on."""
    if not (show and sys.stderr.isatty()):
        yield lambda seconds: None
        return
    from rich.progress import Progress, TextColumn

    # As above: nothing that is printed meanwhile is to go through rich.
    with Progress(
        *Progress.get_default_columns(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} s of audio"),
        console=_console(), transient=True, redirect_stdout=False, redirect_stderr=False,
    ) as bar:  # fmt: skip
        task = bar.add_task(what, total=total)
        yield lambda seconds: bar.advance(task, seconds)
