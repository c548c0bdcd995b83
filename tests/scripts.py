"""Runs a script of pipelines/ in the test's process."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest


def run_script(path: Path) -> int:
    """Run a script as the interpreter does, with `sys.argv` as it is; returns its exit status."""
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    return int(ended.value.code or 0)
