from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from asr.batch.outputs import common_folder, result_names


def names(*files: str, suffix: str = ".txt") -> list[str]:
    return result_names([Path("/in", f) for f in files], "/in", suffix)


def test_results_have_the_names_of_their_recordings() -> None:
    assert names("a.wav", "anna/01.wav", "v1.2.flac", "raw") == ["a", "anna/01", "v1.2", "raw"]


def test_recordings_that_differ_in_their_suffix_keep_it() -> None:
    assert names("a.wav", "a.flac", "b.wav") == ["a.wav", "a.flac", "b"]
    assert names("x/a.wav", "y/a.flac") == ["x/a", "y/a"]
    assert names("a.wav", "a.flac", "a.wav.ogg") == ["a.wav", "a.flac", "a.wav.ogg"]
    assert names("errors.wav", suffix=".jsonl") == ["errors.wav"]
    assert names("summary.ogg", "x/summary.ogg", suffix=".json") == ["summary.ogg", "x/summary"]
    assert names("errors.wav") == ["errors"]
    assert names("a.wav", "a.wav") == ["a", "a"]


@given(st.sets(st.from_regex(r"[ab]{1,2}(/[ab])?(\.(wav|ogg|ch0|txt)){0,2}", fullmatch=True)))
def test_no_two_recordings_share_a_name(files: set[str]) -> None:
    found = names(*files)
    assert len(set(found)) == len(files)
    for name, file in zip(found, files, strict=True):
        assert name in (file, os.path.splitext(file)[0])


def test_the_common_folder_holds_all_that_was_asked_for(tmp_path: Path) -> None:
    top = str(tmp_path)
    for folder in ("in/anna", "in/ben", "more"):
        (tmp_path / folder).mkdir(parents=True)
    anna, ben = tmp_path / "in/anna/1.wav", tmp_path / "in/ben/1.wav"
    assert common_folder([f"{top}/in"], [anna]) == f"{top}/in"
    assert common_folder([f"{top}/in/anna"], [anna]) == f"{top}/in/anna"
    assert common_folder([f"{top}/in", f"{top}/more/"], [anna]) == top
    assert common_folder([str(anna)], [anna]) == f"{top}/in/anna"
    assert common_folder(["*"], [anna, ben]) == f"{top}/in"
    assert common_folder(["*"], [anna, Path(f"{top}/in/ben/../anna/2.wav")]) == f"{top}/in/anna"
