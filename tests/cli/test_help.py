"""`--help` of every command: complete, in order, and quick."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import asr
from asr.cli.app import COMMANDS, app

Names = tuple[str, ...]
Command = Any
"""A command of click, which typer brings along in some versions and imports in others."""


def walk(
    command: Command, names: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Command]]:
    """All commands and groups below `command`, by the words that call them."""
    yield names, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, (*names, name))


EVERY_COMMAND = dict(walk(get_command(app)))


def rendered_help(names: Names) -> str:
    """`--help` on a terminal so wide that no sentence is wrapped; runs of spaces become one."""
    done = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "1000"})
    assert done.exit_code == 0
    return " ".join(done.stdout.split())


def test_every_command_is_walked() -> None:
    assert {("transcribe",), ("lm", "train"), ("data", "check"), ("models",)} <= set(EVERY_COMMAND)
    assert len(EVERY_COMMAND) > 17


@pytest.mark.parametrize("names", EVERY_COMMAND, ids=" ".join)
def test_no_word_of_a_help_text_is_lost(names: Names) -> None:
    """rich takes words in square brackets for markup and drops them."""
    shown = rendered_help(names)
    command = EVERY_COMMAND[names]
    for paragraph in command.help.split("\n\n"):
        assert " ".join(paragraph.split()) in shown
    for parameter in command.params:
        assert " ".join(parameter.help.split()) in shown
        for option in (*parameter.opts, *parameter.secondary_opts):
            assert option in shown


@pytest.mark.parametrize("names", EVERY_COMMAND, ids=" ".join)
def test_every_option_says_its_effect_and_its_default(names: Names) -> None:
    for parameter in EVERY_COMMAND[names].params:
        assert parameter.help, parameter.name
        is_flag = getattr(parameter, "is_flag", False)
        if parameter.param_type_name == "option" and not (is_flag or parameter.required):
            says_default = parameter.default is not None or parameter.show_default
            assert says_default or "required with" in parameter.help, parameter.name


def test_commands_are_listed_in_the_order_of_use() -> None:
    shown = rendered_help(()).partition("Commands")[2]
    places = [shown.index(f"│ {name} ") for name in COMMANDS]
    assert places == sorted(places)
    assert list(COMMANDS)[:6] == ["transcribe", "listen", "align", "speak", "label", "train"]


def test_options_of_transcribe_are_grouped() -> None:
    shown = rendered_help(("transcribe",))
    places = [shown.index(f"─ {title} ─") for title in ("Input", "Output", "Decoding", "Speed")]
    assert places == sorted(places)


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"asr {asr.__version__}\n"


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        (
            "import sys; sys.argv = ['asr', '--help']\n"
            "from asr.cli.app import main\n"
            "try: main()\n"
            "except SystemExit: pass\n",
            {"tensorflow", "keras", "numpy", "librosa", "matplotlib", "pydantic"},
        ),
        (
            "import sys, asr.cli.app\n",
            {"tensorflow", "keras", "numpy", "librosa", "matplotlib", "pydantic", "rich", "yaml"},
        ),
    ],
    ids=["help", "import"],
)
def test_no_slow_module_is_imported(code: str, forbidden: set[str]) -> None:
    code += f"print(sorted({forbidden!r} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().endswith("[]")
