"""The program `asr`: its commands in the order of use, and how errors end it.

The modules of the commands import what they need when a command runs, so that `asr --help` stays
quick.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from asr.cli.data import data_app
from asr.cli.evaluation import calibrate, evaluate, evaluate_tts, tune
from asr.cli.language_models import lm_app
from asr.cli.models import export, models
from asr.cli.recognition import align, listen, transcribe
from asr.cli.serve import serve
from asr.cli.speech import speak
from asr.cli.training import train
from asr.errors import AsrError, AsrWarning, explain

_python_show_warning = warnings.showwarning


class CommandsInOrder(TyperGroup):
    """Lists the commands in the order of `COMMANDS`; typer would list groups of commands last."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=list(COMMANDS).index)


COMMANDS: dict[str, Callable[..., None] | typer.Typer] = {
    "transcribe": transcribe,
    "listen": listen,
    "align": align,
    "speak": speak,
    "train": train,
    "evaluate": evaluate,
    "tune": tune,
    "calibrate": calibrate,
    "evaluate-tts": evaluate_tts,
    "export": export,
    "serve": serve,
    "data": data_app,
    "lm": lm_app,
    "models": models,
}
"""Commands and groups of commands, in the order of `asr --help`."""

app = typer.Typer(
    cls=CommandsInOrder,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for name, command in COMMANDS.items():
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from asr import __version__

        typer.echo(f"asr {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="print the version and exit", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Speech to text that you can train, understand and ship."""


def main() -> Any:
    """Run the command line. Errors for the user go to stderr in one line, with exit status 1."""
    warnings.showwarning = _show_warning
    try:
        return app()
    except BrokenPipeError:  # the program that reads stdout, such as `head`, has ended
        _discard_stdout()
        sys.exit(1)
    except (AsrError, OSError) as error:
        typer.secho(f"error: {explain(error)}", fg="red", err=True)
        try:
            sys.stdout.flush()
        except OSError:  # stdout's disk is full
            _discard_stdout()
        sys.exit(1)


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
