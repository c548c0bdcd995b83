"""Recordings of folders and manifests, their ids and names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asr.errors import AudioError, ConfigError, ManifestError
from asr.labelling.label_task import check_output, find_label_tasks


def manifest(path: Path, *lines: dict) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def test_files_of_a_folder_have_speaker_and_script(tmp_path: Path) -> None:
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "1.wav").touch()
    (tmp_path / "anna" / "1.txt").write_text(" go \n forward ")
    (tmp_path / "2.mp3").touch()
    (tmp_path / "2.txt").write_bytes(b"\xff\xfe")
    tasks, failures = find_label_tasks(str(tmp_path))
    assert failures == []
    found = [(t.name, t.given, t.utterance.speaker, t.utterance.duration) for t in tasks]
    assert found == [("2.mp3", "", None, 0.0), ("anna/1.wav", "go forward", "anna", 0.0)]
    assert len({t.id for t in tasks}) == 2


def test_lines_of_a_manifest_need_no_text_and_keep_their_keys(tmp_path: Path) -> None:
    source = manifest(
        tmp_path / "in.jsonl",
        {"audio_filepath": "a.wav", "duration": 2.0, "note": "x"},
        {"audio_filepath": "a.wav", "duration": 1.0, "offset": 0.5, "text": "go"},
        {"audio_filepath": "a.wav", "duration": 1.0, "offset": 0.5, "text": "again"},
        {"audio_filepath": "b.wav", "duration": 1.0, "text": "no", "_skipme": True},
        {"feature_filepath": "c.mfc", "duration": 1.0, "text": "features"},
    )
    tasks, failures = find_label_tasks(source)
    assert [(t.name, t.given) for t in tasks] == [("a.wav", ""), ("a.wav, 0.50 s to 1.50 s", "go")]
    assert tasks[0].values["note"] == "x"
    assert "c.mfc: is a file of features" in failures[0].error
    assert "more than once" in failures[1].error


def test_an_id_depends_on_the_recording_alone(tmp_path: Path) -> None:
    line = {"audio_filepath": "a.wav", "duration": 1.0, "offset": 0.5}
    (one,), _ = find_label_tasks(manifest(tmp_path / "a.jsonl", line))
    longer = [{"audio_filepath": "0.wav", "duration": 1.0}, {**line, "text": "go", "lang": "en"}]
    (_, same), _ = find_label_tasks(manifest(tmp_path / "b.jsonl", *longer))
    (other,), _ = find_label_tasks(manifest(tmp_path / "c.jsonl", {**line, "channel": 1}))
    assert one.id == same.id != other.id


def test_errors_name_the_source(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing: no such folder or manifest"):
        find_label_tasks("nothing")
    with pytest.raises(AudioError, match="holds no recordings"):
        find_label_tasks(str(tmp_path))
    with pytest.raises(ManifestError, match=r"in\.jsonl, line 1: .*duration"):
        find_label_tasks(manifest(tmp_path / "in.jsonl", {"audio_filepath": "a.wav"}))


def test_labels_are_not_written_over_their_source(tmp_path: Path) -> None:
    source = manifest(tmp_path / "in.jsonl", {"audio_filepath": "a.wav", "duration": 1.0})
    check_output(source, tmp_path / "labels.jsonl")
    with pytest.raises(ConfigError, match="is the source"):
        check_output(source, tmp_path / "x" / ".." / "in.jsonl")
    with pytest.raises(ConfigError, match=r"ends in \.jsonl"):
        check_output(source, tmp_path / "labels.txt")
