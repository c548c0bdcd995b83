"""Commands in records."""

from __future__ import annotations

import subprocess
import sys

import pytest

from asr.base.provenance import this_command


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["/usr/bin/asr", "train", "my file.yaml"], "asr train 'my file.yaml'"),
        (["/x/asr/__main__.py", "train", "a.yaml"], "asr train a.yaml"),  # python -m asr
        (["pipelines/evaluate.py", "en-small"], "evaluate.py en-small"),
    ],
)
def test_commands_are_recorded_without_folders(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], command: str
) -> None:
    monkeypatch.setattr(sys, "argv", arguments)
    assert this_command() == command


def test_the_module_is_recorded_as_the_program() -> None:
    code = (
        "import runpy, sys; from asr.base import provenance; "
        "sys.argv = ['asr', '--version']\n"
        "try: runpy.run_module('asr', run_name='__main__', alter_sys=True)\n"
        "except SystemExit: print(provenance.this_command())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["asr", "--version"]
