from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from asr.base.config import parse, to_dict
from asr.base.interrupts import Stopped
from asr.data.manifest import Utterance, read_manifest, write_manifest
from asr.data.packs.encoding import PackSettings
from asr.data.packs.pack_writer import write_pack
from asr.errors import ConfigError, ManifestError, TrainingError
from asr.recognizer import Recognizer
from asr.training.from_yaml import train_from_yaml
from asr.training.train_recognizer import RecognizerExperimentConfig, train_recognizer
from asr.training.trainer import out_of_patience

WORDS = ("go", "forward", "ten", "meters", "stop", "left")


@pytest.fixture
def corpus(tmp_path: Path, tone) -> Path:  # type: ignore[no-untyped-def]
    """Manifests of six one-word utterances, each a tone of another frequency."""
    folder = tmp_path / "data"
    utterances = [
        Utterance(word, 0.6, audio_filepath=tone(f"data/{word}.wav", 0.6, 200 + 150 * i, seed=i))
        for i, word in enumerate(WORDS)
    ]
    write_manifest(folder / "train.jsonl", utterances)
    write_manifest(folder / "dev.jsonl", utterances[:2])
    return folder


def experiment(**training: object) -> RecognizerExperimentConfig:
    values = {
        "name": "tiny",
        "data": {"train": ["train.jsonl"], "dev": ["dev.jsonl"]},
        "acoustic": {"units": 6, "layers": 2, "dropout": 0.3},
        "augment": {"copies": 1},
        "training": {"epochs": 2, "batch_size": 2, "threads": 0, **training},
    }
    return parse(RecognizerExperimentConfig, values, "test")


def checkpoint(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "checkpoint.npz") as arrays:
        state = {name: arrays[name] for name in arrays.files}
    position = json.loads(str(state.pop("position")))
    assert {"epoch", "step", "history", "fingerprint"} <= set(position)
    return state


def test_resume_is_exact(corpus: Path, tmp_path: Path) -> None:
    """Four steps equal two steps, a restart and two more steps, bit for bit, across an epoch."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train_recognizer(experiment(), corpus, whole, max_steps=4, say=lambda _: None)
    said: list[str] = []
    train_recognizer(experiment(), corpus, parts, max_steps=2, say=said.append)
    train_recognizer(experiment(), corpus, parts, max_steps=2, say=said.append)
    assert said == ["resumed at epoch 1, batch 3"]
    expected, found = checkpoint(whole), checkpoint(parts)
    assert len(expected) > 30
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def pack(corpus: Path) -> RecognizerExperimentConfig:
    """Packs a corpus into three shards, with a buffer of two of the six utterances."""
    settings = PackSettings(shard_megabytes=0.02)
    assert write_pack([corpus / "train.jsonl"], corpus / "pack", settings).shards == 3
    config = experiment()
    data = replace(config.data, train=("pack",), dev=("pack",), shuffle_hours=1.2 / 3600)
    return replace(config, data=data, augment=replace(config.augment, join=0.5))


def test_a_training_on_shards_resumes_exactly(corpus: Path, tmp_path: Path) -> None:
    config, whole, parts = pack(corpus), tmp_path / "whole", tmp_path / "parts"
    train_recognizer(config, corpus, whole, max_steps=5, say=lambda _: None)
    said: list[str] = []
    for steps in (1, 1, 3):
        train_recognizer(config, corpus, parts, max_steps=steps, say=said.append)
    assert said == ["resumed at epoch 1, batch 2", "resumed at epoch 1, batch 3"]
    expected, found = checkpoint(whole), checkpoint(parts)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    record = json.loads((parts / "run.json").read_text())
    digest = hashlib.sha256((corpus / "pack" / "pack.json").read_bytes()).hexdigest()
    assert record["data_sha256"]["pack"] == digest and record["train_utterances"] == 6


def test_a_training_on_a_damaged_shard_names_it(corpus: Path, tmp_path: Path) -> None:
    config = pack(corpus)
    config = replace(config, data=replace(config.data, dev=("dev.jsonl",)))
    shard = corpus / "pack" / "shard-00001.tar"
    data = bytearray(shard.read_bytes())
    data[2000] ^= 1
    shard.write_bytes(data)
    with pytest.raises(ManifestError, match=r"shard-00001\.tar: damaged: .*; copy the pack anew"):
        train_recognizer(config, corpus, tmp_path / "run", say=lambda _: None)


def test_ctrl_c_keeps_the_batches_so_far(corpus: Path, tmp_path: Path) -> None:
    """A signal inside a batch waits for its end; the checkpoint is that of a pause there."""

    def stop(**event: object) -> None:
        if event.get("step") == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped):
        train_recognizer(experiment(), corpus, tmp_path / "stopped", None, stop, lambda _: None)
    paused = tmp_path / "paused"
    train_recognizer(experiment(), corpus, paused, max_steps=2, say=lambda _: None)
    expected, found = checkpoint(paused), checkpoint(tmp_path / "stopped")
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(corpus: Path, tmp_path: Path) -> None:
    """kill -9 of the real command at some point after its first epoch."""
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(to_dict(experiment(epochs=6))))

    def train(out: Path) -> list[str | Path]:
        command = [sys.executable, "-m", "asr", "train"]
        return [*command, config, "--data", corpus, "--out", out]

    subprocess.run(train(tmp_path / "whole"), check=True, capture_output=True)
    killed = subprocess.Popen(
        train(tmp_path / "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (tmp_path / "killed" / "history.jsonl").exists():
        time.sleep(0.05)
        assert killed.poll() is None
    killed.kill()
    assert killed.wait() == -9
    assert len((tmp_path / "killed" / "history.jsonl").read_text().splitlines()) < 6
    again = subprocess.run(train(tmp_path / "killed"), check=True, capture_output=True, text=True)
    assert "resumed at epoch" in again.stderr
    expected, found = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "killed")
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    weights = [(tmp_path / n / "model" / "weights.npz").read_bytes() for n in ("whole", "killed")]
    assert weights[0] == weights[1]


def test_a_run_leaves_a_model_a_record_and_curves(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    (out).mkdir()
    (out / ".checkpoint.npz.abc.tmp").write_bytes(b"half a checkpoint of a killed run")
    rows = []
    model = train_recognizer(
        experiment(), corpus, out, progress=lambda **e: rows.append(e["row"]) if "row" in e else 0
    )
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(row["x_realtime"] > 0 and np.isfinite(row["loss"]) for row in rows)
    record = json.loads((out / "run.json").read_text())
    assert record["seed"] == 1 and record["train_utterances"] == 6
    assert set(record["data_sha256"]) == {"train.jsonl", "dev.jsonl", "features and labels"}
    assert record["environment"]["tensorflow"] and record["commit"]
    history = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert [row["loss"] for row in history] == [row["loss"] for row in rows]
    assert (out / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert list((out / "tensorboard").iterdir())
    recognizer = Recognizer.load(model)
    assert recognizer.config.training["best"]["epoch"] in (1, 2)
    assert "6 utterances" in (model / "README.md").read_text()
    # A second call of a finished training trains nothing and leaves the same model.
    weights = (model / "weights.npz").read_bytes()
    train_recognizer(experiment(), corpus, out, say=lambda _: None)
    assert (model / "weights.npz").read_bytes() == weights


def test_the_record_and_the_card_count_texts_by_a_teacher(corpus: Path, tmp_path: Path) -> None:
    rows = read_manifest(corpus / "train.jsonl")
    labelled = [replace(u, teacher="whisper-base") if i < 2 else u for i, u in enumerate(rows)]
    for name, utterances in (("plain", rows), ("labelled", labelled)):
        write_manifest(corpus / "train.jsonl", utterances)
        out = tmp_path / name
        model = train_recognizer(experiment(epochs=1), corpus, out, say=lambda _: None)
        record = json.loads((out / "run.json").read_text())
        card = (model / "README.md").read_text()
        if name == "plain":
            assert "teachers" not in record and "have texts by" not in card
        else:
            assert record["teachers"]["whisper-base"]["utterances"] == 2
            assert record["teachers"]["whisper-base"]["hours"] == pytest.approx(1.2 / 3600)
            assert "2 of the utterances, 0.00 hours, have texts by whisper-base." in card


def test_another_configuration_cannot_resume(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train_recognizer(experiment(), corpus, out, max_steps=1)
    with pytest.raises(ConfigError, match=r"run/checkpoint\.npz: "):
        train_recognizer(experiment(learning_rate=1e-4), corpus, out, max_steps=1)
    manifest = read_manifest(corpus / "train.jsonl")
    write_manifest(corpus / "train.jsonl", manifest[:-1])
    with pytest.raises(ConfigError, match=r"run/checkpoint\.npz: "):
        train_recognizer(experiment(), corpus, out, max_steps=1)


def test_a_loss_that_is_not_finite_names_the_files_of_the_batch(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asr.training.speech_dataset import SpeechDataset

    original = SpeechDataset.example_features

    def spoil(self: SpeechDataset, index: int, epoch: int) -> np.ndarray:
        features = original(self, index, epoch)
        stop = self.examples[index].utterance.path.name == "stop.wav"
        return features * np.nan if stop else features

    monkeypatch.setattr(SpeechDataset, "example_features", spoil)
    with pytest.raises(TrainingError, match=r"epoch 1, batch \d: .*/stop\.wav;") as caught:
        train_recognizer(experiment(), corpus, tmp_path / "run")
    assert "left.wav" not in str(caught.value)


def test_stop_epoch_ends_a_run_before_its_schedule(corpus: Path, tmp_path: Path) -> None:
    config = experiment(epochs=3, stop_epoch=1)
    model = train_recognizer(config, corpus, tmp_path / "run")
    rows = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    assert len(rows) == 1 and json.loads(rows[0])["learning_rate"] > 0
    assert Recognizer.load(model).config.training["best"]["epoch"] == 1


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([], False),
        ([3.0], False),
        ([3, 2, 2.5], False),
        ([3, 2, 2.5, 2.1], True),
        ([3, 2, 2, 2], True),
        ([3, 2, 2.5, 1.9], False),
    ],
)
def test_patience_counts_epochs_since_the_lowest_error(errors: list[float], expected: bool) -> None:
    assert out_of_patience(errors, patience=2) is expected


def test_a_run_that_does_not_improve_ends(corpus: Path, tmp_path: Path) -> None:
    config = experiment(epochs=9, patience=2, learning_rate=1e-9, batch_size=6)
    train_recognizer(config, corpus, tmp_path / "run")
    rows = [json.loads(r) for r in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    # The two epochs after the first were equally good, not better.
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert len({row["error"] for row in rows}) == 1


TWO_REPLICAS = """
import sys
from pathlib import Path
import tensorflow as tf
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from asr.base.config import load_yaml
from asr.training import train_recognizer as module
# Without GPUs, the strategy "mirrored" has one replica: name the two logical CPUs.
module.make_strategy = lambda name: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
corpus, out, settings = map(Path, sys.argv[1:])
config = load_yaml(module.RecognizerExperimentConfig, settings)
module.train_recognizer(config, corpus, out, max_steps=4)
"""


@pytest.mark.slow
def test_two_replicas_make_the_same_steps_as_one(corpus: Path, tmp_path: Path) -> None:
    """With unequal shares of a batch, and gradients that are clipped."""
    config = experiment(batch_size=5, clip_norm=0.5)
    config = replace(config, acoustic=replace(config.acoustic, dropout=0.0))
    train_recognizer(config, corpus, tmp_path / "one", max_steps=4)
    mirrored = replace(config, training=replace(config.training, strategy="mirrored"))
    settings = tmp_path / "two.yaml"
    settings.write_text(yaml.safe_dump(to_dict(mirrored)))
    command = [sys.executable, "-c", TWO_REPLICAS, corpus, tmp_path / "two", settings]
    subprocess.run(command, check=True, capture_output=True)
    expected, found = checkpoint(tmp_path / "one"), checkpoint(tmp_path / "two")
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_the_first_loss_in_mixed_precision_is_close_to_that_in_float32(
    corpus: Path, tmp_path: Path
) -> None:
    first = {}
    for name in ("float32", "mixed_bfloat16", "mixed_float16"):
        losses: list[float] = []

        def record(losses: list[float] = losses, **event: float) -> None:
            losses.append(event["loss"])

        config = experiment(precision=name)
        train_recognizer(config, corpus, tmp_path / name, max_steps=3, progress=record)
        first[name] = losses[0]
        assert np.isfinite(losses).all()
    assert list(first.values()) == [pytest.approx(first["float32"], rel=0.05)] * 3


def test_one_utterance_can_be_learnt(goforward: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    utterance = Utterance("go forward ten meters", 2.786, audio_filepath=goforward)
    write_manifest(data / "train.jsonl", [utterance])
    write_manifest(data / "dev.jsonl", [utterance])
    # Ten repeats per epoch, so that little time goes into evaluating and saving.
    config = experiment(epochs=8, batch_size=1, learning_rate=1e-2, average=0.5)
    still = dict.fromkeys(("copies", "stretch", "warp", "frame_noise", "time_masks", "jitter"), 0)
    config = replace(
        config,
        data=replace(config.data, repeat={"train.jsonl": 10}),
        acoustic=replace(config.acoustic, units=32, layers=1, dropout=0.0),
        augment=replace(config.augment, **still),
    )
    model = Recognizer.load(train_recognizer(config, data, tmp_path / "run"))
    assert model.transcribe(goforward).text == "go forward ten meters"


def test_initial_model_needs_the_same_shapes(
    corpus: Path, tmp_path: Path, tiny: Recognizer
) -> None:
    tiny.save(tmp_path / "tiny", "")
    config = replace(experiment(), initial_model=str(tmp_path / "tiny"))
    with pytest.raises(ConfigError, match=r"initial_model: .*/tiny: .*acoustic/"):
        train_recognizer(config, corpus, tmp_path / "run")


def test_missing_keys_are_taken_from_initial_model(
    corpus: Path, tmp_path: Path, tiny: Recognizer
) -> None:
    tiny.save(tmp_path / "tiny", "")
    file = tmp_path / "mine.yaml"
    values = {
        "name": "mine",
        "initial_model": str(tmp_path / "tiny"),
        "data": {"train": ["train.jsonl"], "dev": ["dev.jsonl"]},
        "acoustic": {"dropout": 0.1},
    }
    file.write_text(yaml.safe_dump(values | {"training": {"epochs": 1, "threads": 0}}))
    acoustic = Recognizer.load(train_from_yaml(file, corpus, tmp_path / "run")).config.acoustic
    assert acoustic == replace(tiny.config.acoustic, dropout=0.1)
    # Keys in the file take precedence, and a shape that does not fit is an error.
    file.write_text(yaml.safe_dump(values | {"acoustic": {"units": 9}}))
    with pytest.raises(ConfigError, match=r"initial_model: .*/tiny: .*acoustic/"):
        train_from_yaml(file, corpus, tmp_path / "other")
