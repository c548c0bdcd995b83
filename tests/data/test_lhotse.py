"""Manifests of Lhotse are read without Lhotse."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asr.data.corpora import prepare
from asr.data.manifest import Utterance, read_manifest
from asr.errors import ManifestError

RATE = 8000
NEEDS_TORCH = "lhotse is not installed: it needs PyTorch, which is too large for every test run"


def noise(path: Path, seconds: float = 2.0, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * RATE), channels))
    soundfile.write(path, samples, RATE)
    return path


def recording(id: str, *sources: tuple[str, list[int]], seconds: float = 2.0) -> dict[str, Any]:
    return {
        "id": id,
        "sources": [{"type": "file", "channels": c, "source": s} for s, c in sources],
        "sampling_rate": RATE,
        "num_samples": round(RATE * seconds),
        "duration": seconds,
    }


def supervision(
    id: str, recording: str, start: float, duration: float, **keys: Any
) -> dict[str, Any]:
    values = {"id": id, "recording_id": recording, "start": start, "duration": duration}
    return {**values, "channel": 0, "text": f"text of {id}", **keys}


def cut(id: str, start: float, of: dict[str, Any], *supervisions: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": id,
        "type": "MonoCut",
        "start": start,
        "duration": 1.0,
        "channel": 0,
        "supervisions": list(supervisions),
        "recording": of,
    }


def lines(path: Path, *values: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(value) + "\n" for value in values).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def read(out: Path, split: str = "train") -> list[Utterance]:
    return read_manifest(out / f"{split}.jsonl")


def test_recordings_with_supervisions(tmp_path: Path) -> None:
    noise(tmp_path / "audio/mono.wav")
    noise(tmp_path / "audio/call é.wav", channels=2)
    for name in ("left", "right"):
        noise(tmp_path / f"audio/{name}.wav")
    lines(
        tmp_path / "lists/x_recordings_train.jsonl.gz",
        recording("mono", ("audio/mono.wav", [0])),
        recording("call", (str(tmp_path / "audio/call é.wav"), [0, 1])),
        recording("pair", ("audio/left.wav", [0]), ("audio/right.wav", [1])),
    )
    lines(
        tmp_path / "lists/x_supervisions_train.jsonl.gz",
        supervision("a", "mono", 0.0, 2.0, speaker="anna", language="en", custom={"snr": 3}),
        supervision("b", "mono", 0.5, 1.000125),
        supervision("c", "call", 0.0, 2.0, channel=1),
        supervision("d", "call", 1.0, 0.5, channel=[0, 1]),
        supervision("e", "pair", 0.0, 2.0, channel=1),
    )
    prepared = prepare("lhotse", tmp_path / "lists", tmp_path / "out")
    assert prepared.skipped == ()
    base = tmp_path / "out/.."
    assert read(tmp_path / "out") == [
        Utterance("text of a", 2.0, base / "audio/mono.wav", "anna", language="en", id="a"),
        Utterance("text of b", 1.000125, base / "audio/mono.wav", offset=0.5, id="b"),
        Utterance("text of c", 2.0, base / "audio/call é.wav", channel=1, id="c"),
        Utterance("text of d", 0.5, base / "audio/call é.wav", offset=1.0, id="d"),
        Utterance("text of e", 2.0, base / "audio/right.wav", id="e"),
    ]


def test_cuts_count_from_the_start_of_the_cut(tmp_path: Path) -> None:
    talk = recording("talk", (str(noise(tmp_path / "talk.wav")), [0]))
    path = lines(
        tmp_path / "test/cuts_dev.jsonl",  # the name of the file comes before that of the folder
        cut("c1", 0.5, talk, supervision("a", "talk", 0.25, 0.5)),
        cut(
            "c2", 1.0, talk, supervision("b", "talk", -0.5, 1.0), supervision("c", "talk", 0.5, 0.5)
        ),
        cut("c3", 0.0, talk),
        {"id": "mixed", "type": "MixedCut", "tracks": []},
        cut("c4", 0.0, talk, supervision("a", "talk", 0.75, 0.5)),
        cut("c5", 0.0, talk, supervision("d", "talk", 1.5, 1.0)),
        cut("c6", 0.0, {**talk, "transforms": [{"name": "Speed"}]}, supervision("e", "talk", 0, 1)),
        cut("c7", 0.0, talk, supervision("f", "talk", 0, 1, text=None)),
    )
    prepared = prepare("lhotse", path, tmp_path / "out")
    found = [(u.id, u.offset, u.duration) for u in read(tmp_path / "out", "dev")]
    assert found == [("a", 0.75, 0.5), ("b", 0.5, 1.0), ("c", 1.5, 0.5)]
    for number, reason in (
        (3, "c3: no supervision"),
        (4, "type"),
        (5, "a: another utterance has this id"),
        (6, "no such segment"),
        (7, "transforms, which are not computed"),
        (8, "f: no transcript"),
    ):
        (message,) = [m for m in prepared.skipped if m.startswith(f"{path}, line {number}: ")]
        assert reason in message
    assert len(prepared.skipped) == 6


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    noise(tmp_path / "four.wav", channels=4)
    folder = tmp_path / "talks"
    url = recording("url", ("x", [0]))
    url["sources"][0] |= {"type": "url", "source": "https://example.com/a.wav"}
    command = recording("command", ("x", [0, 1]))
    command["sources"][0] |= {"type": "command", "source": f"touch {tmp_path / 'ran'}"}
    lines(
        folder / "recordings.jsonl",
        recording("four", (str(tmp_path / "four.wav"), [0, 1, 2, 3])),
        url,
        command,
        recording("unused", ("x", [0])),
        recording("unused", ("x", [0])),
        {"id": 3},
        recording("ok", (str(noise(tmp_path / "ok.wav")), [0])),
    )
    path = lines(
        folder / "supervisions.jsonl",
        supervision("a", "four", 0, 1, channel=[0, 2]),
        supervision("b", "four", 0, 1, channel=4),
        supervision("c", "url", 0, 1),
        supervision("d", "command", 0, 1),
        supervision("e", "nowhere", 0, 1),
        {"id": "f"},
        supervision("g", "ok", 0, 1),
    )
    lines(folder / "recordings_lonely.jsonl", recording("x", ("x", [0])))
    lines(folder / "cuts.jsonl", {})
    prepared = prepare("lhotse", folder, tmp_path / "out")
    assert [u.id for u in read(tmp_path / "out")] == ["g"]
    for number, reason in (
        (1, "channels 0, 2 of 4"),
        (2, "an utterance has channels of one file"),
        (3, "of type 'url'"),
        (4, "pipes are not run"),
        (5, "e: no recording nowhere in"),
        (6, "recording_id"),
    ):
        (message,) = [m for m in prepared.skipped if m.startswith(f"{path}, line {number}: ")]
        assert reason in message
    others = [m for m in prepared.skipped if not m.startswith(f"{path}, ")]
    assert sorted(Path(m.split(":")[0]).name for m in others) == [
        "cuts.jsonl",
        "recordings.jsonl",
        "recordings.jsonl, line 5",
        "recordings.jsonl, line 6",
        "recordings_lonely.jsonl",
    ]
    assert not (tmp_path / "ran").exists()


def test_files_that_are_no_manifests_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "cuts.jsonl.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(ManifestError, match=r"cuts\.jsonl\.gz: cannot be read: Not a gzipped file"):
        prepare("lhotse", path, tmp_path / "out")
    path.write_bytes(gzip.compress(b"{}\n" * 99)[:-9])
    with pytest.raises(ManifestError, match=r"cuts\.jsonl\.gz: cannot be read: .*end-of-stream"):
        prepare("lhotse", path, tmp_path / "out")
    path.write_bytes(gzip.compress(b'{"id": 1}\n{'))
    with pytest.raises(ManifestError, match=r"cuts\.jsonl\.gz, line 2: not JSON"):
        prepare("lhotse", path, tmp_path / "out")
    other = lines(tmp_path / "recordings.jsonl", recording("x", ("x", [0])))
    with pytest.raises(ManifestError, match=r"recordings\.jsonl: not a file of cuts"):
        prepare("lhotse", other, tmp_path / "out")
    with pytest.raises(ManifestError, match="no such file or folder"):
        prepare("lhotse", tmp_path / "gone.jsonl", tmp_path / "out")


def test_what_lhotse_writes_is_read(tmp_path: Path) -> None:
    lhotse = pytest.importorskip("lhotse", reason=NEEDS_TORCH)
    noise(tmp_path / "audio/a.wav")
    noise(tmp_path / "audio/call.flac", 3.0, 2)
    recordings = lhotse.RecordingSet.from_dir(tmp_path / "audio", "*.*")
    supervisions = lhotse.SupervisionSet.from_segments(
        [
            lhotse.SupervisionSegment("s1", "a", 0, 2.0, text="go", speaker="anna", language="en"),
            lhotse.SupervisionSegment("s2", "call", 0.5, 1.25, channel=1, text="stop"),
            lhotse.SupervisionSegment("s3", "call", 1.0, 1.5, channel=[0, 1], text="both"),
        ]
    )
    (tmp_path / "pair").mkdir()
    recordings.to_file(tmp_path / "pair/recordings_train.jsonl.gz")
    supervisions.to_file(tmp_path / "pair/supervisions_train.jsonl.gz")
    cuts = lhotse.CutSet.from_manifests(recordings, supervisions)
    cuts.trim_to_supervisions(keep_overlapping=False).to_file(tmp_path / "cuts_train.jsonl.gz")
    wanted = {
        ("s1", "go", "anna", "a.wav", 0.0, 2.0, None),
        ("s2", "stop", None, "call.flac", 0.5, 1.25, 1),
        ("s3", "both", None, "call.flac", 1.0, 1.5, None),
    }
    for source in (tmp_path / "pair", tmp_path / "cuts_train.jsonl.gz"):
        out = tmp_path / f"out-{source.name}"
        assert prepare("lhotse", source, out).skipped == ()
        assert {
            (u.id, u.text, u.speaker, u.path.name, u.offset or 0.0, u.duration, u.channel)
            for u in read(out)
        } == wanted
    lhotse.kaldi.export_to_kaldi(
        recordings, lhotse.SupervisionSet.from_segments(s for s in supervisions if s.id != "s3"),
        tmp_path / "train",
    )  # fmt: skip
    prepared = prepare("kaldi", tmp_path / "train", tmp_path / "out-kaldi")
    found = {
        (u.text, u.path.name, u.offset, u.duration, u.channel) for u in read(tmp_path / "out-kaldi")
    }
    assert found == {("go", "a.wav", 0.0, 2.0, None), ("stop", "call.flac", 0.5, 1.25, 1)}, prepared
