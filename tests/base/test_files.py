from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.base.files import atomic_write, json_line


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with atomic_write(path) as file:
        file.write("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write("new")
        file.write(str(1 / 0))
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_what_cannot_be_written_is_named_as_it_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "a.txt", Path("/proc/a.txt")):
        with pytest.raises(OSError) as caught, atomic_write(place):
            raise AssertionError("known before any work is done")
        assert caught.value.filename == str(place)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_write(link) as file:
        file.write("new")
    assert link.is_symlink() and target.read_text() == "new"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(pipe) as file:
        file.write("text")
    assert os.read(reader, 100) == b"text" and pipe.is_fifo()
    os.close(reader)


@given(st.text())
def test_a_json_line_is_one_line_that_reads_back(text: str) -> None:
    line = json_line({"text": text})
    assert json.loads(line) == {"text": text}
    assert line.encode().decode().splitlines(keepends=True) == [line]


def test_file_names_that_are_not_utf8_can_be_written() -> None:
    line = json_line({"audio_filepath": "\udce9 é.wav"})
    assert line == r'{"audio_filepath": "\udce9 é.wav"}' + "\n"
