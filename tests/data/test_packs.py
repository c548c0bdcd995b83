from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from asr.audio.feature_cache import FeatureCache
from asr.audio.features import FeatureConfig, load_features
from asr.data.inputs import feature_blocks, read_utterance
from asr.data.manifest import Utterance, read_manifest, write_manifest
from asr.data.packs import encode_on_ray, encoding
from asr.data.packs.encode_on_ray import EncodeOnRay
from asr.data.packs.encoding import PackSettings
from asr.data.packs.pack_index import damaged_shards, read_pack, read_utterances
from asr.data.packs.pack_writer import write_pack
from asr.errors import AudioError, ConfigError, ManifestError, OutputError

SMALL = PackSettings(shard_megabytes=0.05)
"""Shards of about two of the recordings of `manifest`."""


def noise(seconds: float, channels: int = 1, seed: int = 0) -> np.ndarray:
    count = round(seconds * 16_000)
    return np.random.default_rng(seed).uniform(-0.4, 0.4, (count, channels))


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Eight recordings of noise, which FLAC cannot make smaller."""
    rows = []
    for i in range(8):
        path = tmp_path / "wav" / f"{i}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, noise(0.6 + i / 20, seed=i), 16_000)
        rows.append(Utterance(f"text {i}", 0.6 + i / 20, path, speaker=f"s{i % 2}", id=f"u{i}"))
    write_manifest(tmp_path / "train.jsonl", rows)
    return tmp_path / "train.jsonl"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_packed_audio_is_that_of_the_recordings_to_the_bit(tmp_path: Path, goforward: Path) -> None:
    """Of 8, 16 and 24 bits, a segment, a channel, a mix, other rates, FLAC, Ogg and MP3 files."""
    files: dict[str, tuple[int, int, str | None]] = {
        "a.wav": (16_000, 1, "PCM_16"),
        "b.wav": (8_000, 1, "ULAW"),
        "c.wav": (22_050, 2, "PCM_24"),
        "d.flac": (16_000, 2, "PCM_16"),
        "e.ogg": (16_000, 1, None),
        "f.wav": (44_100, 2, "PCM_16"),
    }
    for i, (name, (rate, channels, subtype)) in enumerate(files.items()):
        soundfile.write(tmp_path / name, noise(1.0, channels, i), rate, subtype)
    rows = [
        # Half the sum of two samples of 24 bits has 25.
        Utterance(f"text of {name}", 0.0, tmp_path / name, channel=0 if name == "c.wav" else None)
        for name in files
    ]
    rows.append(Utterance("part", 1.2, goforward, offset=0.35))
    rows.append(Utterance("left", 0.0, tmp_path / "f.wav", channel=1, speaker="b", language="en"))
    write_manifest(tmp_path / "m.jsonl", rows)
    summary = write_pack([tmp_path / "m.jsonl"], tmp_path / "pack", PackSettings(), workers=2)
    assert (summary.utterances, summary.shards, summary.failed) == (8, 1, ())
    packed = {(u.text, u.channel): u for u in read_pack(tmp_path / "pack")}
    for row in rows:
        found = packed[row.text, None]
        expected = read_utterance(row, 16_000)
        np.testing.assert_array_equal(read_utterance(found, 16_000), expected, err_msg=row.text)
        assert found.duration == pytest.approx(len(expected) / 16_000, abs=1e-4)
        assert (found.speaker, found.language) == (row.speaker, row.language)
        assert row.path.name in found.source
        (block,) = feature_blocks(found, FeatureConfig(), None, None)
        cache = FeatureCache(None, FeatureConfig())
        static = cache.static(row.path, row.offset, row.duration, row.channel)
        np.testing.assert_array_equal(block.static, static)
        assert 0 <= len(static) - found.frames(FeatureConfig()) <= 1
    # Compressed recordings are copied if all of them is used, others are FLAC.
    assert packed["text of e.ogg", None].read() == (tmp_path / "e.ogg").read_bytes()
    assert packed["text of d.flac", None].read() == (tmp_path / "d.flac").read_bytes()
    assert packed["part", None].member.endswith(".flac")


def test_recordings_can_be_resampled_and_features_packed(tmp_path: Path, goforward: Path) -> None:
    path = tmp_path / "high.wav"
    soundfile.write(path, noise(1.0), 48_000)
    rows = [Utterance("high", 0.0, path), Utterance("go", 0.0, goforward)]
    write_manifest(tmp_path / "m.jsonl", rows)
    write_pack([tmp_path / "m.jsonl"], tmp_path / "low", PackSettings(sample_rate=16_000))
    low = {u.text: u for u in read_pack(tmp_path / "low")}
    assert {text: u.sample_rate for text, u in low.items()} == {"high": 16_000, "go": 16_000}
    expected = read_utterance(rows[0], 16_000)
    np.testing.assert_allclose(low["high"].samples(16_000), expected, atol=1 / 32768)
    # Features of a pack of audio are those of its recordings.
    features = PackSettings("features")
    for source in (tmp_path / "m.jsonl", tmp_path / "low"):
        write_pack([source], tmp_path / f"features-{source.name}", features)
    packed = {u.text: u for u in read_pack(tmp_path / "features-m.jsonl")}
    static = FeatureCache(None, FeatureConfig()).static(goforward)
    for found in (packed["go"], read_pack(tmp_path / "features-low")):
        found = found if not isinstance(found, list) else next(u for u in found if u.text == "go")
        np.testing.assert_array_equal(found.static(FeatureConfig()), static)
        assert found.frames(FeatureConfig()) == len(static) and not found.has_audio
    with pytest.raises(AudioError, match=r"shard-00000\.tar: has only features; .*--content audio"):
        packed["go"].samples(16_000)
    with pytest.raises(ConfigError, match=r"log_floor 0\.0001 instead of 0\.01"):
        packed["go"].static(FeatureConfig(log_floor=0.01))
    # Derivatives are not packed.
    packed["go"].check_features(FeatureConfig(deltas=1))


def test_feature_files_are_packed_as_features(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(40, 13)).astype(np.float32)
    path = tmp_path / "a.mfc"
    path.write_bytes(np.int32(values.size).tobytes() + values.tobytes())
    row = Utterance("go", 0.4, feature_filepath=path)
    write_manifest(tmp_path / "m.jsonl", [row])
    write_pack([tmp_path / "m.jsonl"], tmp_path / "pack", PackSettings())
    (found,) = read_pack(tmp_path / "pack")
    np.testing.assert_array_equal(found.static(FeatureConfig(log_floor=0.01)), values)
    np.testing.assert_array_equal(load_features(path, FeatureConfig()), values)


def test_shards_have_the_layout_of_webdataset(manifest: Path, tmp_path: Path) -> None:
    """Files of an utterance share the name before the first dot; any tar program reads them."""
    summary = write_pack([manifest], tmp_path / "pack", SMALL)
    assert summary.utterances == 8 and 3 <= summary.shards <= 5
    seen: list[str] = []
    for path in sorted((tmp_path / "pack").glob("*.tar")):
        with tarfile.open(path) as tar:
            names = tar.getnames()
            assert [Path(n).stem for n in names[::2]] == [Path(n).stem for n in names[1::2]]
            for name in names[::2]:
                file = tar.extractfile(name)
                assert file is not None
                values = json.load(file)
                seen.append(values["text"])
                assert values["speaker"] == f"s{int(values['text'][-1]) % 2}" and values["id"]
    assert seen == [u.text for u in read_utterances(tmp_path / "pack")]
    assert sorted(seen) == [u.text for u in read_manifest(manifest)] and seen != sorted(seen)
    checked = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "pack"
    )
    assert checked.returncode == 0
    assert damaged_shards(tmp_path / "pack") == []


@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupted_pack_goes_on_to_the_same_bytes(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    write_pack([manifest], tmp_path / "whole", SMALL)
    encode, calls = encoding.encode_utterance, []

    def killed(utterance: Utterance, settings: PackSettings) -> encoding.EncodedUtterance:
        calls.append(utterance)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return encode(utterance, settings)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(encoding, "encode_utterance", killed)
        write_pack([manifest], tmp_path / "parts", SMALL, workers)
    with pytest.raises(ManifestError, match=r"parts: the pack is not finished; run its `asr data"):
        read_pack(tmp_path / "parts")
    summary = write_pack([manifest], tmp_path / "parts", SMALL, workers)
    assert summary.kept >= 1
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    again = write_pack([manifest], tmp_path / "parts", SMALL, workers)
    assert again.kept == again.shards == summary.shards


class RayInOneProcess:
    """Ray as `EncodeOnRay` uses it."""

    def __init__(self) -> None:
        self.waiting = self.most = 0

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 1.0}

    def remote(self, **options: Any) -> Any:
        assert options == {"num_cpus": 1, "max_retries": -1}
        return lambda work: SimpleNamespace(remote=partial(self.start, work))

    def start(self, work: Any, *arguments: Any) -> Any:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        return partial(work, *arguments)

    def get(self, task: Any) -> Any:
        self.waiting -= 1
        return task()


def test_a_pack_of_ray_is_the_same(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one that cannot be read, and few tasks ahead of the writer."""
    monkeypatch.setattr(encode_on_ray, "TASK_SIZE", 1)
    read_manifest(manifest)[1].path.write_bytes(b"no audio")
    ray: Any = RayInOneProcess()
    local = write_pack([manifest], tmp_path / "local", SMALL)
    of_ray = write_pack([manifest], tmp_path / "ray", SMALL, encode_all=EncodeOnRay(ray))
    assert of_ray == local and len(local.failed) == 1
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert ray.most == encode_on_ray.AHEAD + 1


@pytest.mark.slow
def test_the_command_packs_on_a_real_cluster(manifest: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    command = [sys.executable, "-m", "asr", "data", "pack", str(manifest), "--out"]
    for options in (["local"], ["ray", "--ray", "local"]):
        subprocess.run([*command, *options], cwd=tmp_path, check=True)
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


@pytest.mark.parametrize("how", ["changed", "cut", "missing", "index", "pack"])
def test_damage_is_named_and_repaired(manifest: Path, tmp_path: Path, how: str) -> None:
    out = tmp_path / "pack"
    write_pack([manifest], out, SMALL)
    before = contents(out)
    shard = out / "shard-00001.tar"
    damaged = {"index": out / "shard-00001.jsonl", "pack": out / "pack.json"}.get(how, shard)
    data = bytearray(damaged.read_bytes())
    inside = read_pack(out)[-1].start if how == "changed" else len(data) // 2
    if how == "changed":
        damaged = shard = read_pack(out)[-1].shard
        data = bytearray(shard.read_bytes())
    if how == "missing":
        shard.unlink()
    else:
        data[inside] ^= 0x80  # in JSON no longer UTF-8
        damaged.write_bytes(data[: -1 if how == "cut" else None])
    remedy = r".*; copy the pack anew, or run its `asr data pack` command again"
    with pytest.raises(ManifestError, match=rf"{damaged.name}: {remedy}"):
        for utterance in read_pack(out):
            assert isinstance(utterance.read(), bytes)
    if how in ("changed", "cut", "missing"):
        (message,) = damaged_shards(out)
        assert message.startswith(f"{shard}: ")
    summary = write_pack([manifest], out, SMALL)
    assert summary.kept == summary.shards - (how != "pack")
    assert contents(out) == before


def test_bad_files_are_named_and_tried_again(manifest: Path, tmp_path: Path) -> None:
    bad = tmp_path / "wav" / "3.wav"
    good = bad.read_bytes()
    bad.write_bytes(b"no sound")
    summary = write_pack([manifest], tmp_path / "pack", SMALL)
    assert summary.utterances == 7
    (message,) = summary.failed
    assert message.startswith(f"{bad}: not readable as audio")
    again = write_pack([manifest], tmp_path / "pack", SMALL)
    assert again.failed == summary.failed and again.kept == again.shards
    bad.write_bytes(good)
    repaired = write_pack([manifest], tmp_path / "pack", SMALL)
    assert repaired.failed == () and repaired.utterances == 8
    write_pack([manifest], tmp_path / "other", SMALL)
    assert contents(tmp_path / "pack") == contents(tmp_path / "other")
    for path in (tmp_path / "wav").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ManifestError, match=r"(?s)no utterance can be packed:\n  .*0\.wav: empty"):
        write_pack([manifest], tmp_path / "none", SMALL)


def test_a_folder_with_something_else_is_refused(manifest: Path, tmp_path: Path) -> None:
    write_pack([manifest], tmp_path / "pack", SMALL)
    with pytest.raises(OutputError, match="pack with other content, features; give a new folder"):
        write_pack([manifest], tmp_path / "pack", replace(SMALL, content="features"))
    write_manifest(manifest, read_manifest(manifest)[1:])
    with pytest.raises(OutputError, match="pack with other manifests;"):
        write_pack([manifest], tmp_path / "pack", SMALL)
    with pytest.raises(OutputError, match="exists already"):
        write_pack([manifest], tmp_path / "wav", SMALL)
    with pytest.raises(ManifestError, match=r"wav: is a folder without pack\.json"):
        read_utterances(tmp_path / "wav")


def test_segments_of_a_recording_follow_each_other(tmp_path: Path) -> None:
    """A compressed recording would be decoded from its start for each of them."""
    rows = []
    for name in "abcd":
        soundfile.write(tmp_path / f"{name}.wav", noise(1.0), 16_000)
        rows += [
            Utterance(f"{name}{i}", 0.2, tmp_path / f"{name}.wav", offset=i / 5) for i in range(4)
        ]
    write_manifest(tmp_path / "m.jsonl", rows)
    write_pack([tmp_path / "m.jsonl"], tmp_path / "pack", PackSettings())
    texts = [u.text for u in read_pack(tmp_path / "pack")]
    assert [t[1] for t in texts] == list("0123") * 4 and len({t[0] for t in texts[:4]}) == 1
    digests = {hashlib.sha256(u.read()).digest() for u in read_pack(tmp_path / "pack")}
    assert len(digests) == 4


def test_the_command_packs_checks_and_fails_for_bad_files(  # type: ignore[no-untyped-def]
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    from asr.cli import app

    def asr(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["asr", "data", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            app.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    yaml = tmp_path / "my.yaml"
    yaml.write_text("name: mine\nfeatures: {log_floor: 0.01}\n")
    options = ("--content", "features", "--config", yaml, "--workers", 2)
    code, out, _ = asr("pack", manifest, "--out", tmp_path / "pack", *options)
    assert code == 0 and out.startswith("8 utterances, 0.00 h, 0 MB in 1 shards (0 were there)")
    read_pack(tmp_path / "pack")[0].check_features(FeatureConfig(log_floor=0.01))
    code, out, _ = asr("check", tmp_path / "pack")
    assert code == 0 and "utterances" in out
    shard = tmp_path / "pack" / "shard-00000.tar"
    shard.write_bytes(shard.read_bytes()[:-1024] + bytes(1023) + b"1")
    code, out, _ = asr("check", tmp_path / "pack")
    assert code == 1 and "damaged: it has another" in " ".join(out.split())
    (tmp_path / "wav" / "3.wav").write_bytes(b"no sound")
    code, out, err = asr("pack", manifest, "--out", tmp_path / "audio")
    assert code == 1 and out.startswith("7 utterances") and "3.wav: not readable" in err
