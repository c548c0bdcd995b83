"""What made a result: command, commit, environment. Stands beside every number that is kept."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any


def this_command() -> str:
    """The command line of this process, its program by name."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def git_commit() -> str:
    """Commit of the working tree this code runs from, "-dirty" with changes, or "unknown"."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions() -> dict[str, str]:
    """What a saved model was made with."""
    packages = {name: version(name) for name in ("asr", "keras", "tensorflow")}
    return {**packages, "python": platform.python_version()}


def environment() -> dict[str, Any]:
    """Versions and machine."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        **{name: version(name) for name in ("tensorflow", "keras", "numpy", "soxr")},
    }
