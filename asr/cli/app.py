"""The program `asr`: its commands in the order of use.

The modules of the commands import what they need when a command runs, so that `asr --help` stays
quick.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from asr.cli.data import data_app
from asr.cli.evaluation import calibrate, evaluate, evaluate_tts, tune
from asr.cli.label import label
from asr.cli.language_models import lm_app
from asr.cli.models import export, models
from asr.cli.program import run_program
from asr.cli.recognition import align, listen, transcribe
from asr.cli.serve import serve
from asr.cli.speech import speak
from asr.cli.training import train


class CommandsInOrder(TyperGroup):
    """Lists the commands in the order of `COMMANDS`; typer would list groups of commands last."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=list(COMMANDS).index)


COMMANDS: dict[str, Callable[..., None] | typer.Typer] = {
    "transcribe": transcribe,
    "listen": listen,
    "align": align,
    "speak": speak,
    "label": label,
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


def main() -> NoReturn:
    """Run the command line and end the process, see `run_program`."""
    run_program(app, _label(sys.argv[1:]))


def _label(arguments: list[str]) -> str:
    """Text behind the spinner: the command. "" for no spinner, while a person speaks or types, or a
    server waits for requests."""
    if arguments[:1] in (["listen"], ["serve"], ["label"]) or (
        "-" in arguments and sys.stdin.isatty()
    ):
        return ""
    command = COMMANDS.get(arguments[0]) if arguments else None
    words = 2 if isinstance(command, typer.Typer) else 1
    return " ".join(["asr", *arguments[:words]])
