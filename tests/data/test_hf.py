"""Datasets of Hugging Face on disk are read with pyarrow alone."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asr.audio.reading import read_audio
from asr.data.corpora import prepare
from asr.data.manifest import Utterance, read_manifest
from asr.errors import ConfigError, ManifestError

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra datasets")
parquet = pytest.importorskip("pyarrow.parquet")

RATE = 8000


def samples(seed: int, count: int = RATE) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9999, 9999, count, np.int16)


def flac(seed: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples(seed), RATE, format="FLAC")
    return file.getvalue()


def table(path: Path, columns: dict[str, Any], features: dict[str, Any] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = pyarrow.table(columns)
    if features is not None:
        text = json.dumps({"info": {"features": features}})
        made = made.replace_schema_metadata({"huggingface": text})
    parquet.write_table(made, path, row_group_size=2)
    return path


def read(out: Path, split: str = "train") -> list[Utterance]:
    return read_manifest(out / f"{split}.jsonl")


def test_audio_inside_is_written_beside_the_manifest(tmp_path: Path) -> None:
    count = 70  # more than a batch
    table(
        tmp_path / "set/data/train-00000-of-00002.parquet",
        {
            "audio": [
                {"bytes": flac(i), "path": f"{i}.flac" if i % 2 else None} for i in range(count)
            ],
            "sentence": [f"text {i}" for i in range(count)],
            "client_id": ["c" * 128] * count,
            "id": [f"u/{i}" for i in range(count)],
            "locale": ["de"] * count,
        },
    )
    table(
        tmp_path / "set/data/test-00000-of-00001.parquet",
        {"audio": [flac(99)], "text": ["last"], "id": ["z"]},
    )
    prepared = prepare("hf", tmp_path / "set", tmp_path / "out")
    assert prepared.counts == {"train": count, "test": 1} and prepared.skipped == ()
    found = read(tmp_path / "out")
    assert [u.id for u in found] == [f"u/{i}" for i in range(count)]
    assert {(u.speaker, u.language, u.duration) for u in found} == {("c" * 16, "de", 1.0)}
    for i in (0, 69):
        np.testing.assert_array_equal(
            read_audio(found[i].path, RATE), samples(i).astype(np.float32) / 2**15
        )
        assert found[i].path.suffix == ".flac"
    assert len(list((tmp_path / "out/audio").rglob("*.flac"))) == count + 1


def test_audio_on_disk_is_read_where_it_lies(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "ü 1.wav", samples(1), RATE)
    path = table(
        tmp_path / "talks.parquet",
        {
            "path": [
                "ü 1.wav",
                "gone.wav",
                "https://example.com/a.wav",
                None,
                str(tmp_path / "ü 1.wav"),
            ],
            "text": ["one", "two", "three", "four", None],
        },
    )
    prepared = prepare("hf", path, tmp_path / "out")
    (utterance,) = read(tmp_path / "out")
    assert utterance == Utterance("one", 1.0, tmp_path / "out/../ü 1.wav")
    assert [m.removeprefix(f"{path}, ").split(":")[0] for m in prepared.skipped] == [
        "row 2", "row 3", "row 4", "row 5"
    ]  # fmt: skip
    for message, reason in zip(
        prepared.skipped, ("gone.wav: no such file", "not on disk", "no audio", "no transcript"),
        strict=True,
    ):  # fmt: skip
        assert reason in message
    assert not (tmp_path / "out/audio").exists()


def test_columns_are_found_by_feature_and_name_and_labels_by_class(tmp_path: Path) -> None:
    path = table(
        tmp_path / "train.parquet",
        {
            "speech": [{"array": (samples(1) / 2**15).tolist(), "sampling_rate": RATE}] * 2,
            "transcription": ["eins", "zwei"],
            "language": [1, 0],
            "id": [7, 7],
            "speaker_id": [5, 6],
        },
        {"speech": {"_type": "Audio"}, "language": {"_type": "ClassLabel", "names": ["en", "de"]}},
    )
    prepared = prepare("hf", path, tmp_path / "out")
    found = read(tmp_path / "out")
    assert [(u.text, u.language, u.speaker, u.id) for u in found] == [
        ("eins", "de", "5", None),
        ("zwei", "en", "6", None),
    ]
    np.testing.assert_array_equal(
        read_audio(found[0].path, RATE), samples(1).astype(np.float32) / 2**15
    )
    (message,) = prepared.skipped
    assert "the ids" in message and "7 repeats" in message


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"text": ["a"]}, "no column with audio; it has text: rename one .* to audio"),
        ({"audio": [b"a"], "words": ["a"]}, "no column with texts; it has audio, words"),
    ],
)
def test_missing_columns_are_named(tmp_path: Path, columns: dict[str, Any], match: str) -> None:
    with pytest.raises(ManifestError, match=match):
        prepare("hf", table(tmp_path / "x.parquet", columns), tmp_path / "out")


def test_segments_of_recordings_are_refused(tmp_path: Path) -> None:
    columns = {"audio": [flac(1)] * 2, "text": ["a", "b"], "offset": [0.0, 0.5]}
    prepared = prepare("hf", table(tmp_path / "x.parquet", columns), tmp_path / "out")
    assert [u.text for u in read(tmp_path / "out")] == ["a"]
    assert "row 2: offset: segments" in prepared.skipped[0]


def test_damaged_files_are_errors_with_their_names(tmp_path: Path) -> None:
    path = table(tmp_path / "x.parquet", {"audio": [flac(1)], "text": ["a"]})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ManifestError, match=r"x\.parquet: cannot be read after row 0"):
        prepare("hf", tmp_path, tmp_path / "out")
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(ManifestError, match=r"state\.json: not the state of a dataset"):
        prepare("hf", tmp_path, tmp_path / "out")
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "x.arrow"}]}')
    (tmp_path / "x.arrow").write_bytes(b"12345678")
    with pytest.raises(ManifestError, match=r"x\.arrow: cannot be read after row 0"):
        prepare("hf", tmp_path, tmp_path / "out")


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.parquet").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install 'keras-asr-toolkit\[datasets\]'"):
        prepare("hf", tmp_path, tmp_path / "out")


def test_what_datasets_writes_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: the extra dev")
    features = datasets.Features(
        {
            "audio": datasets.Audio(RATE, decode=False),
            "text": datasets.Value("string"),
            "speaker": datasets.ClassLabel(names=["anna", "ben"]),
        }
    )

    def dataset(*seeds: int) -> Any:
        rows = {
            "audio": [{"bytes": flac(i), "path": None} for i in seeds],
            "text": [f"text {i}" for i in seeds],
            "speaker": [i % 2 for i in seeds],
        }
        return datasets.Dataset.from_dict(rows).cast(features)  # encoding needs torchcodec

    both = datasets.DatasetDict({"train": dataset(1, 2, 3), "validation": dataset(4)})
    both.save_to_disk(str(tmp_path / "disk"), num_shards={"train": 2, "validation": 1})
    for split, part in both.items():
        part.to_parquet(str(tmp_path / "parquet" / f"{split}-00000-of-00001.parquet"))
    for source in (tmp_path / "disk", tmp_path / "parquet"):
        out = tmp_path / f"out-{source.name}"
        prepared = prepare("hf", source, out)
        assert prepared.counts == {"train": 3, "dev": 1} and prepared.skipped == ()
        assert [(u.text, u.speaker) for u in read(out)] == [
            ("text 1", "ben"), ("text 2", "anna"), ("text 3", "ben")
        ]  # fmt: skip
        (only,) = read(out, "dev")
        np.testing.assert_array_equal(
            read_audio(only.path, RATE), samples(4).astype(np.float32) / 2**15
        )
