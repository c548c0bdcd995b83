from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from asr.base.downloads import Package, cache, checked, join, npm, wheel
from asr.errors import PackageError


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """A wheel on this machine."""
    with zipfile.ZipFile(tmp_path / "some-1.0-py3-none-any.whl", "w") as file:
        file.writestr("some/part.bin", "abc")
    archive = tmp_path / "some-1.0-py3-none-any.whl"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return Package(("cp", str(archive), "."), archive.name, digest)


def test_a_package_is_fetched_once_and_unpacked(package: Package, tmp_path: Path) -> None:
    files = checked([package], tmp_path / "cache")
    assert (files / "some" / "part.bin").read_text() == "abc"
    (tmp_path / package.archive).unlink()
    assert checked([package], tmp_path / "cache") == files


def test_another_digest_is_refused(package: Package, tmp_path: Path) -> None:
    wrong = Package(package.command, package.archive, "0" * 64)
    with pytest.raises(PackageError, match=f"{package.archive}: SHA-256 is .* expected 0000") as e:
        checked([wrong], tmp_path / "cache")
    assert "delete the file" in str(e.value)
    assert not (tmp_path / "cache" / "unpacked").exists()


def test_a_failed_download_names_the_command(tmp_path: Path) -> None:
    for command in (("false",), ("no-such-program", "x"), ("true",)):
        with pytest.raises(PackageError, match=f"run {' '.join(command)} in") as error:
            checked([Package(command, "some.whl", "")], tmp_path)
        assert "some.whl: cannot be downloaded" in str(error.value)


def test_parts_are_joined_and_checked(tmp_path: Path) -> None:
    parts = [tmp_path / "1", tmp_path / "2"]
    for part, text in zip(parts, ("ab", "c"), strict=True):
        part.write_text(text)
    digest = hashlib.sha256(b"abc").hexdigest()
    join(parts, tmp_path / "whole", digest)
    assert (tmp_path / "whole").read_text() == "abc"
    with pytest.raises(PackageError, match="other: SHA-256 of the joined parts is ba78"):
        join(parts, tmp_path / "other", "1" * 64)
    assert not (tmp_path / "other").exists()


def test_registries_name_their_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wheel("a-b-c", "1.2", "").archive == "a_b_c-1.2-py3-none-any.whl"
    assert wheel("a-b-c", "1.2", "").command[-2:] == ("--no-deps", "a-b-c==1.2")
    assert npm("a-b", "1.2", "").archive == "a-b-1.2.tgz"
    monkeypatch.setenv("ASR_CACHE", str(tmp_path))
    assert cache("kokoro") == tmp_path / "kokoro"
    monkeypatch.delenv("ASR_CACHE")
    assert cache("kokoro") == Path.home() / ".cache" / "asr" / "kokoro"
