"""`run_program`: how the command line and the pipelines start, wait, fail and end."""

from __future__ import annotations

import codecs
import os
import signal
import struct
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NoReturn

from asr.base.files import LASTING_ERRORS
from asr.base.interrupts import Stopped, stoppable
from asr.base.progress import waiting
from asr.base.provenance import repeat_command
from asr.errors import AsrError, AsrWarning, explain

_python_show_warning = warnings.showwarning


def run_program(program: Callable[[], Any], label: str = "working") -> NoReturn:
    """Run a program and end the process.

    - An error for the user is one line on stderr, with exit status 1.
    - Ctrl-C ends with status 130, SIGTERM with 143.
    - Nothing is printed if the program that reads stdout, such as `head`, has ended.
    - Characters that stdout cannot encode are printed as in JSON.
    - On a terminal, a spinner shows that the program works while nothing else is shown.

    Args:
        program: returns the exit status, or None for 0.
        label: text behind the spinner; "" for no spinner. Default "working".
    """
    warnings.showwarning = _show_warning
    escape_unencodable()
    status: Any
    try:
        with waiting(label) if label else nullcontext():
            status = program()
    except SystemExit as ended:
        status = ended.code
    except KeyboardInterrupt as stop:
        status = 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)
    except BrokenPipeError:
        _discard_stdout()
        status = 1
    except (AsrError, OSError) as error:
        _print_error(error)
        status = 1
    sys.exit(_flush_stdout(status))


@contextmanager
def resumable() -> Iterator[None]:
    """If Ctrl-C or SIGTERM ends the block, say which command goes on, and end the process.

    Work in progress is saved by what runs in the block, which sees `Stopped` first.
    """
    try:
        with stoppable():
            yield
    except Stopped as stop:
        print(f"stopped; to go on: {repeat_command()}", file=sys.stderr)
        sys.exit(128 + stop.number)


def escape_unencodable() -> None:
    """Print characters that stdout cannot encode as \\uXXXX, so that JSON stays JSON.

    Characters beyond U+FFFF become two escapes, a surrogate pair. An error handler that the user
    has chosen, as in PYTHONIOENCODING=ascii:replace, stays.
    """
    codecs.register_error("asr-json", _escape)
    if getattr(sys.stdout, "errors", None) == "strict":
        sys.stdout.reconfigure(errors="asr-json")  # type: ignore[union-attr]


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{unit:04x}" for (unit,) in struct.iter_unpack(">H", units)), error.end


def _print_error(error: Exception) -> None:
    import typer

    text = explain(error)
    if isinstance(error, OSError) and error.filename is None and error.errno in LASTING_ERRORS:
        text = f"stdout: cannot be written ({error.strerror})"  # all files have a name
    text = text.replace("\n", "\\n") if isinstance(error, OSError) else text
    typer.secho(f"error: {text}", fg="red", err=True)


def _flush_stdout(status: Any) -> Any:
    """Write what is buffered for stdout: Python would print a traceback as it exits.

    Returns:
        The exit status; 1 if stdout cannot be written.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()
        return status or 1
    except OSError as error:
        if not status:  # otherwise an error has been printed already
            _print_error(error)
        _discard_stdout()
        return status or 1
    return status


def _show_warning(
    message: Warning | str, category: type[Warning], *place: Any, **options: Any
) -> None:
    """Print warnings of this project in one line on stderr, and others as Python does."""
    if issubclass(category, AsrWarning):
        print(f"warning: {message}".replace("\n", "\\n"), file=sys.stderr)
    else:
        _python_show_warning(message, category, *place, **options)


def _discard_stdout() -> None:
    """Send stdout to /dev/null: Python would fail again on its buffered output as it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
