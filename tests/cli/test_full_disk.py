"""A full disk: one line that names the file, nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asr.base.files import append
from asr.batch.ledger import LEDGER
from asr.recognizer import Recognizer

RunAsr = Callable[..., tuple[int, str, str]]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file that `atomic_write` opens is /dev/full, whose writes fail as on a full disk."""
    opened = os.fdopen

    def fill(handle: int, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if "w" not in mode:
            return opened(handle, mode, *arguments, **options)
        os.close(handle)
        return open("/dev/full", mode, *arguments, **options)

    monkeypatch.setattr(os, "fdopen", fill)
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # /dev/full has none


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("speak go. --out OUT/a.wav", "a.wav"),
        ("speak go. --out OUT/a.flac", "a.flac"),
        ("speak go. --out OUT/a.ogg", "a.ogg"),
        ("speak go. --out OUT/", "00001.wav"),
        ("align WAV go -m MODEL --out OUT/x.srt --format srt", "x.srt"),
        ("align MANIFEST -m MODEL --out OUT/", "goforward.TextGrid"),
        ("align WAV go -m MODEL --plot OUT/x.png", "x.png"),
        ("transcribe WAV -m MODEL --out OUT/x.txt", "x.txt"),
        ("transcribe WAV -m MODEL --out OUT/", "goforward.txt"),
        ("evaluate MODEL MANIFEST --plot OUT/x.png", "x.png"),
        ("lm train TEXT --out OUT/m.arpa", "m.arpa"),
        ("lm train TEXT --out OUT/m.arpa.gz", "m.arpa.gz"),
        ("export MODEL OUT --format onnx", "tiny.onnx"),
        ("data prepare folder --source IN --out OUT", "train.jsonl"),
    ],
)
def test_every_command_names_the_file_and_leaves_none(
    asr: RunAsr,
    model: str,
    goforward: Path,
    tmp_path: Path,
    full_disk: None,
    command: str,
    file: str,
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    (source / "x.wav").write_bytes(goforward.read_bytes())
    (source / "x.txt").write_text("go")
    text, manifest = tmp_path / "text.txt", tmp_path / "m.jsonl"
    text.write_text("go forward\nten meters\n")
    line = {"audio_filepath": str(goforward), "text": "go", "duration": 2.786}
    manifest.write_text(json.dumps(line))
    names = {"OUT": out, "IN": source, "WAV": goforward, "MODEL": model}
    names |= {"TEXT": text, "MANIFEST": manifest}
    pattern = "|".join(names)
    arguments = [re.sub(pattern, lambda m: str(names[m[0]]), word) for word in command.split()]
    code, _, err = asr(*arguments)
    assert code == 1
    (error,) = (line for line in err.splitlines() if not line.startswith("warning: "))
    assert re.match(rf"error: \S*{file}: .*No space left on device", error)
    assert [p for p in out.rglob("*") if p.is_file() and p.name != LEDGER] == []


def test_a_device_is_named(asr: RunAsr, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("go forward\n")
    code, _, err = asr("lm", "train", tmp_path / "text.txt", "--out", "/dev/full")
    assert (code, err) == (1, "error: /dev/full: No space left on device\n")


def test_a_model_keeps_its_files_if_the_new_ones_do_not_fit(
    tiny: Recognizer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "model"
    tiny.save(folder, "# old\n")
    (folder / "calibration.json").write_text("{}")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    request.getfixturevalue("full_disk")
    with pytest.raises(OSError, match="No space left") as ended:
        tiny.save(folder, "# new\n")
    assert Path(ended.value.filename).parent == folder
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_an_appended_line_that_does_not_fit_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, new = tmp_path / "results.jsonl", tmp_path / "new" / "results.jsonl"
    append(path, "one\n")

    def fail(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    for file in (path, new):
        with pytest.raises(OSError) as ended:
            append(file, "two\n")
        assert ended.value.filename == str(file)
    assert path.read_text() == "one\n" and not new.exists()


def test_a_failed_copy_names_the_new_file() -> None:
    from asr.errors import explain

    error = OSError(errno.ENOSPC, "No space left on device", "old.txt", None, "new.txt")
    assert explain(error) == "new.txt: No space left on device"
