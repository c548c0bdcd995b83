"""Other programs of package registries, run so that their failure says why."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

TIMEOUT = 180
"""Seconds that a download may take."""


def run(*command: str, cwd: Path | None = None) -> None:
    """Run a program, quietly.

    Raises:
        OSError: there is no such program here.
        subprocess.SubprocessError: it failed, or took longer than `TIMEOUT`.
    """
    if shutil.which(command[0]) is None:
        raise OSError(f"{command[0]} is not on this machine")
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT, cwd=cwd)
