"""Shards, as a worker of a cluster transcribes them: without a cluster."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fakes import FakeTranscriber, fill_archive

from asr.batch.find_shards import find_shard_recordings
from asr.batch.shards import (
    LEDGER_FOLDER,
    Shard,
    ShardRecording,
    ShardResult,
    ShardSettings,
    ShardWorker,
    make_shards,
)
from asr.batch.transcribe_files import BatchJob, transcribe_files
from asr.data.manifest import Utterance, write_manifest
from asr.errors import ModelError

NO_FSSPEC = "fsspec is not installed: the extra scale"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return fill_archive(
        tmp_path / "an archive", "1.wav", "2 broken.wav", "ü/3.flac", "4.wav", "5.wav"
    )


def settings(tmp_path: Path, **changes: Any) -> ShardSettings:
    transcriber = FakeTranscriber("en-small", log=tmp_path / "log")
    plain = ShardSettings(transcriber, str(tmp_path / "out"), "jsonl", "key", resume=True)
    return replace(plain, **changes)


def run(paths: list[str], using: ShardSettings, size: int = 2) -> list[ShardResult]:
    recordings, failures = find_shard_recordings(paths)
    assert failures == []
    worker = ShardWorker(using)
    return [worker.work(shard) for shard in make_shards(recordings, size)]


def worked_on(tmp_path: Path) -> list[str]:
    log = tmp_path / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted(Path(json.loads(line)).name for line in lines)


def rows(folder: Path, pattern: str = "part-?????.jsonl") -> list[dict[str, Any]]:
    files = sorted(folder.glob(pattern))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_results_and_errors_are_those_of_a_local_run(tmp_path: Path, archive: Path) -> None:
    before = time.time()
    results = run([str(archive)], settings(tmp_path))
    assert [(r.number, r.transcribed, r.failed) for r in results] == [
        (0, 1, 1),
        (1, 2, 0),
        (2, 1, 0),
    ]
    local = BatchJob(FakeTranscriber("en-small"), "jsonl", out=str(tmp_path / "all.jsonl"),
                     errors=tmp_path / "errors.jsonl")  # fmt: skip
    transcribe_files([str(archive)], local)
    for found, wanted in (
        (rows(tmp_path / "out"), rows(tmp_path, "all.jsonl")),
        (rows(tmp_path / "out", "*.errors.jsonl"), rows(tmp_path, "errors.jsonl")),
    ):
        for row in (*found, *wanted):  # the fake scores depend on the other files of a unit
            row.pop("score", None)
            row.pop("time", None)
        assert found == wanted and found
    assert sum(r.audio_seconds for r in results) == pytest.approx(0.4)
    assert before <= results[0].began <= results[1].began <= results[2].began <= time.time()


def test_a_rerun_does_nothing_and_a_change_redoes_its_shard(tmp_path: Path, archive: Path) -> None:
    first = run([str(archive)], settings(tmp_path))
    assert len(worked_on(tmp_path)) == 5
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir() if p.is_file()}
    again = run([str(archive)], settings(tmp_path))
    assert worked_on(tmp_path) == [] and all(r.skipped for r in again)
    assert [(r.transcribed, r.failed) for r in again] == [(r.transcribed, r.failed) for r in first]
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir() if p.is_file()} == before
    soundfile.write(archive / "4.wav", np.zeros(1600), 16_000)
    assert [r.skipped for r in run([str(archive)], settings(tmp_path))] == [True, False, True]
    assert "4.wav" in worked_on(tmp_path)
    (tmp_path / "out/part-00002.jsonl").unlink()
    assert [r.skipped for r in run([str(archive)], settings(tmp_path))] == [True, True, False]
    assert not any(r.skipped for r in run([str(archive)], settings(tmp_path, key="other")))
    assert not any(r.skipped for r in run([str(archive)], settings(tmp_path, resume=False)))


def test_a_repaired_recording_loses_its_error(tmp_path: Path, archive: Path) -> None:
    run([str(archive)], settings(tmp_path))
    assert len(rows(tmp_path / "out", "*.errors.jsonl")) == 1
    soundfile.write(archive / "2 broken.wav", np.zeros(1600), 16_000)
    run([str(archive)], settings(tmp_path))
    assert rows(tmp_path / "out", "*.errors.jsonl") == []
    assert len(rows(tmp_path / "out")) == 5


def test_after_a_death_the_recording_that_kills_is_found_and_named(tmp_path: Path) -> None:
    folder = fill_archive(tmp_path / "a", "1.wav", "2 kill.wav", "3.wav")
    ledger = tmp_path / "out" / LEDGER_FOLDER
    ledger.mkdir(parents=True)
    (ledger / "part-00000.json").write_text('{"key": ""}')  # of the worker that died of it
    (result,) = run([str(folder)], settings(tmp_path), size=3)
    assert (result.transcribed, result.failed) == (2, 1)
    assert [Path(row["audio_filepath"]).name for row in rows(tmp_path / "out")] == [
        "1.wav",
        "3.wav",
    ]
    (failure,) = rows(tmp_path / "out", "*.errors.jsonl")
    assert failure["audio_filepath"] == str(folder / "2 kill.wav")
    assert "two worker processes died of it" in failure["error"]
    (again,) = run([str(folder)], settings(tmp_path), size=3)
    assert not again.skipped  # with more memory it may work


def test_an_error_for_all_shards_is_returned(tmp_path: Path, archive: Path) -> None:
    damaged = settings(tmp_path, transcriber=FakeTranscriber("damaged"))
    assert all(isinstance(r.error, ModelError) for r in run([str(archive)], damaged))


def test_bugs_are_tried_again(tmp_path: Path) -> None:
    folder = fill_archive(tmp_path / "a", "1.wav", "2 crash.wav")
    for _ in range(2):
        (result,) = run([str(folder)], settings(tmp_path))
        assert (result.transcribed, result.failed, result.skipped) == (1, 1, False)
    assert "ZeroDivisionError" in result.failures[0].traceback


def test_parquet_has_the_fields_of_jsonl(tmp_path: Path, archive: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    run([str(archive)], settings(tmp_path))
    run([str(archive)], settings(tmp_path, out=str(tmp_path / "p"), format="parquet", key="p"))
    found = [row for f in sorted((tmp_path / "p").glob("*.parquet"))
             for row in parquet.read_table(f).to_pylist()]  # fmt: skip
    assert [{k: v for k, v in row.items() if v is not None} for row in found] == [
        {k: v for k, v in row.items() if v is not None} for row in rows(tmp_path / "out")
    ]


def test_a_recording_that_is_named_twice_is_transcribed_once(archive: Path) -> None:
    recordings, _ = find_shard_recordings([str(archive), str(archive / "1.wav")])
    shards = make_shards(recordings, 3)
    assert [len(shard.recordings) for shard in shards] == [3, 2]
    assert [shard.name for shard in shards] == ["part-00000", "part-00001"]


@pytest.fixture
def bucket() -> Iterator[Any]:
    """An empty store in memory: memory://bucket."""
    fsspec = pytest.importorskip("fsspec", reason=NO_FSSPEC)
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    yield store
    store.store.clear()


def test_recordings_and_results_in_a_store(tmp_path: Path, archive: Path, bucket: Any) -> None:
    bucket.put(str(archive), "/bucket/calls", recursive=True)
    using = settings(tmp_path, out="memory://bucket/texts")
    results = run(["memory://bucket/calls"], using)
    assert sum(r.transcribed for r in results) == 4
    found = [json.loads(line) for name in sorted(bucket.glob("/bucket/texts/part-?????.jsonl"))
             for line in bucket.cat(name).splitlines()]  # fmt: skip
    run([str(archive)], settings(tmp_path))
    texts = {Path(row["audio_filepath"]).name: row["text"] for row in rows(tmp_path / "out")}
    assert {Path(row["audio_filepath"]).name: row["text"] for row in found} == texts
    assert {row["audio_filepath"] for row in found} == {
        f"memory://bucket/calls/{name}" for name in ("1.wav", "4.wav", "5.wav", "ü/3.flac")
    }
    (errors,) = bucket.glob("/bucket/texts/*.errors.jsonl")
    failure = json.loads(bucket.cat(errors))
    assert failure["error"].startswith("memory://bucket/calls/2 broken.wav: not readable as audio")
    worked_on(tmp_path)
    assert all(r.skipped for r in run(["memory://bucket/calls"], using))
    assert worked_on(tmp_path) == []
    bucket.put(str(archive / "1.wav"), "/bucket/calls/4.wav")
    assert [r.skipped for r in run(["memory://bucket/calls"], using)] == [True, False, True]


def test_a_recording_that_the_store_does_not_give_is_tried_again(
    tmp_path: Path, bucket: Any
) -> None:
    shard = Shard(0, (ShardRecording("memory://bucket/gone.wav", "memory://bucket/gone.wav"),))
    for _ in range(2):
        result = ShardWorker(settings(tmp_path)).work(shard)
        assert (result.failed, result.skipped) == (1, False)
        assert (
            result.failures[0].error == "cannot be fetched: memory://bucket/gone.wav: no such file"
        )


def test_lists_name_recordings_beside_them_and_in_stores(
    tmp_path: Path, archive: Path, bucket: Any
) -> None:
    bucket.put(str(archive), "/bucket/calls", recursive=True)
    local = archive / "list.jsonl"
    lines = [
        {"audio_filepath": "1.wav", "duration": 0, "text": ""},
        {
            "audio_filepath": "memory://bucket/calls/4.wav",
            "duration": 0.06,
            "offset": 0.02,
            "text": "",
        },
        {"audio_filepath": str(archive / "5.wav"), "duration": 0, "text": "", "channel": 0},
    ]
    local.write_text("".join(json.dumps(line) + "\n" for line in lines))
    bucket.put(str(local), "/bucket/calls/list.jsonl")
    for item, first in (
        (str(local), str(archive / "1.wav")),
        ("memory://bucket/calls/list.jsonl", "memory://bucket/calls/1.wav"),
    ):
        found, failures = find_shard_recordings([item])
        assert failures == []
        assert [r.location for r in found] == [
            first,
            "memory://bucket/calls/4.wav",
            str(archive / "5.wav"),
        ]
        assert found[0].line is None
        line, other = found[1].line, found[2].line
        assert line and (line.offset, line.duration) == (0.02, 0.06)
        assert other and other.channel == 0


def test_parquet_files_list_recordings(tmp_path: Path, archive: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = archive / "list.parquet"
    table = pyarrow.table({"path": ["1.wav", str(archive / "4.wav")], "offset": [None, 0.01],
                           "duration": [None, 0.05], "noise": [1, 2]})  # fmt: skip
    parquet.write_table(table, path)
    found, _ = find_shard_recordings([str(path)])
    assert [r.location for r in found] == [str(archive / "1.wav"), str(archive / "4.wav")]
    assert found[0].line is None
    assert found[1].line == Utterance("", 0.05, archive / "4.wav", offset=0.01)
    parquet.write_table(pyarrow.table({"name": ["1.wav"]}), path)
    _, failures = find_shard_recordings([str(path)])
    assert "no column with paths; it has name" in failures[0].error
    path.write_bytes(b"PAR1")
    _, failures = find_shard_recordings([str(path)])
    assert "list.parquet: cannot be read" in failures[0].error


def test_arguments_that_name_nothing_are_failures(tmp_path: Path, bucket: Any) -> None:
    wrong = [
        "memory://bucket/none/",
        "memory://bucket/x.jsonl",
        "nosuch://x/y",
        str(tmp_path / "no*.wav"),
    ]
    found, failures = find_shard_recordings(wrong)
    assert found == [] and [f.audio_filepath for f in failures] == wrong
    for failure, reason in zip(
        failures, ("no recording", "no such file", "nosuch", "matches no file"), strict=True
    ):
        assert reason in failure.error


def test_segments_are_named_as_in_a_local_run(tmp_path: Path, archive: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    write_manifest(manifest, [Utterance("x", 0.05, archive / "1.wav", offset=0.02)])
    found, _ = find_shard_recordings([str(manifest)])
    (recording,) = found
    assert recording.line is not None and recording.name == str(recording.line.path)
