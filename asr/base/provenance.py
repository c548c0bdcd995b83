"""Provenance of a result: command, commit, versions and machine.

A record of them is stored with every model and every published number.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from asr.version import __version__


def this_command() -> str:
    """The command line of this process, without the program's folder."""
    name = Path(sys.argv[0]).name
    program = "asr" if name == "__main__.py" else name  # python -m asr
    return shlex.join([program, *sys.argv[1:]])


def repeat_command(*more: str) -> str:
    """The command line that starts this process again, for people.

    Args:
        more: arguments to add, unless the command has them.
    """
    program = ["asr"] if Path(sys.argv[0]).name == "asr" else _python_command()
    arguments = sys.argv[1:]
    return shlex.join([*program, *arguments, *(m for m in more if m not in arguments)])


def _python_command() -> list[str]:
    """Interpreter and script or module of this process, without the script's arguments."""
    given = sys.orig_argv
    return given[: len(given) - len(sys.argv) + 1]


def git_commit() -> str:
    """The commit of the working tree that this code runs from.

    Returns:
        Twelve digits, with "-dirty" appended if there are uncommitted changes, or "unknown" outside
        a git repository.
    """
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that make a model."""
    # The installed distributions may include another project's `asr`, or none of ours.
    packages = {name: version(name) for name in ("keras", "tensorflow")}
    return {"asr": __version__, **packages, "python": platform.python_version()}


def environment() -> dict[str, Any]:
    """Machine and versions that a benchmark ran on."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        **{name: version(name) for name in ("tensorflow", "keras", "numpy", "soxr")},
    }
