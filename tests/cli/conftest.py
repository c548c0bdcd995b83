"""Fixtures for tests of commands."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from asr.cli import app
from asr.recognizer import Recognizer

RunAsr = Callable[..., tuple[int, str, str]]
"""Takes a command's arguments; returns exit status, stdout and stderr."""


@pytest.fixture(scope="session")
def model(tiny: Recognizer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Directory of the recogniser `tiny`. Tests must not change it."""
    folder = tmp_path_factory.mktemp("cli") / "tiny"
    tiny.save(folder, "# tiny\n")
    return str(folder)


@pytest.fixture
def asr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunAsr:
    """Runs the command `asr` in this process."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["asr", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            app.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run
