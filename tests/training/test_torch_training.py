"""Pack → training in PyTorch → model directory. What needs PyTorch is skipped without it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import soundfile
from scripts import run_script

from asr.audio.augmentation import CepstralAugmenter
from asr.audio.features import FeatureConfig, expand
from asr.base.config import parse
from asr.data.manifest import Utterance, write_manifest
from asr.decoding.decoding_options import Decoding
from asr.errors import ConfigError, ModelError
from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig
from asr.recognizer import Recognizer
from asr.training.gpu_model import model_from_gpu
from asr.training.gpu_pack import GpuPackReport, write_gpu_pack
from asr.training.train_recognizer import RecognizerExperimentConfig

PIPELINES = Path(__file__).parents[2] / "pipelines"
WORDS = ("go", "ten", "stop", "left")


def experiment(**more: Any) -> RecognizerExperimentConfig:
    values = {
        "name": "tiny",
        "data": {"train": ["train.jsonl"], "dev": ["dev.jsonl"], "repeat": {"train.jsonl": 2}},
        "acoustic": {"units": 6, "layers": 2, "dropout": 0.1, "phones": True},
        "augment": {"join": 0.3, "band_limit": 0.2, "frame_noise": 0.5, "time_masks": 1},
        "training": {"learning_rate": 0.05},
    }
    return parse(RecognizerExperimentConfig, {**values, **more}, "test")


@pytest.fixture(scope="module", autouse=True)
def few_pronunciations() -> Iterator[None]:
    """A lexicon of four words: CMUdict's takes seconds to read and to write."""
    phones = ("G OW1", "T EH1 N", "S T AA1 P", "L EH1 F T")
    entries = list(zip(WORDS, phones, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asr.training.train_recognizer.cmudict_entries", lambda: entries)
        yield


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> GpuPackReport:
    """A pack of twelve utterances, which are repeated, and a dev set of two of them."""
    folder, rng = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)
    rows = []
    for i in range(12):
        time = np.arange(9600) / 16000
        sound = 0.3 * np.sin(2 * np.pi * (200 + 99 * i) * time) + rng.normal(0, 0.01, 9600)
        soundfile.write(folder / f"{i}.wav", sound, 16000)
        rows.append(Utterance(WORDS[i % 4], 0.6, folder / f"{i}.wav", speaker=f"{i % 3}"))
    write_manifest(folder / "train.jsonl", rows)
    write_manifest(folder / "dev.jsonl", rows[:2])
    return write_gpu_pack(experiment(), folder, folder / "pack.npz")


def result_without_pytorch(pack: GpuPackReport, folder: Path) -> AcousticModel:
    """Write what a training brings back, with the weights of a network in TensorFlow."""
    keras.utils.set_random_seed(5)
    acoustic = AcousticConfig(units=6, layers=2, phones=True)
    network = AcousticModel(acoustic, 39, 29)
    buffer = io.BytesIO()
    np.savez(
        buffer, **{n: v.numpy().astype(np.float16) for n, v in network.named_weights().items()}
    )
    folder.mkdir()
    for i, part in enumerate((buffer.getvalue()[:900], buffer.getvalue()[900:])):
        (folder / f"weights-{i}.npz").write_bytes(part)
    found = {
        "weights": ["weights-0.npz", "weights-1.npz"],
        "weights_sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "pack_sha256": pack.sha256,
        "acoustic": vars(acoustic),
        "augment": {"jitter": 0.3},
        "seed": 4,
        "started": "2026-11-30T01:02:03Z",
        "command": "torch_training.py pack.npz --minutes 9",
        "training": {"learning_rate": 0.003, "average": 0.99, "batch_size": 256},
        **{"minutes": 9.1, "hours_heard": 900.0, "device": "a GPU", "torch": "2.13"},
        "best": {"epoch": 31, "dev_wer": 0.25, "dev_cer": 0.125, "error": 0.375},
    }
    (folder / "result.json").write_text(json.dumps(found))
    return network


def test_a_pack_is_the_same_each_time_and_names_what_it_holds(
    packed: GpuPackReport, tmp_path: Path
) -> None:
    again = write_gpu_pack(experiment(), packed.path.parent, tmp_path / "again.npz")
    assert (again.sha256, again.train, again.dev) == (packed.sha256, 12, 2)
    with np.load(packed.path) as arrays:
        meta = json.loads(str(arrays["meta"]))
        assert arrays["copies"].tolist() == [2] * 12 + [1] * 2
        assert arrays["speaker"].tolist() == [0, 1, 2] * 4 + [0, 1]
        assert arrays["label_counts"].tolist()[:4] == [2, 3, 4, 4]
        assert "".join(meta["labels"][i] for i in arrays["labels"][:5]) == "goten"
    assert meta["heads"] == {"head": 29, "phones": 40} and meta["record"]["train_utterances"] == 24
    assert "MB, quantisation error 0.07" in str(packed)


def test_settings_that_the_training_has_not_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"acoustic\.cell: gru: a training in PyTorch has only l"):
        write_gpu_pack(experiment(acoustic={"cell": "gru"}), tmp_path, tmp_path / "pack.npz")
    ahead = {"bidirectional": False, "look_ahead": 3}
    with pytest.raises(
        ConfigError, match=r"acoustic\.look_ahead: 3: a training in PyTorch has only 0"
    ):
        write_gpu_pack(experiment(acoustic=ahead), tmp_path, tmp_path / "pack.npz")
    taught = experiment(distillation={"teacher": "en-small"})
    with pytest.raises(
        ConfigError, match="distillation: given: a training in PyTorch has only none"
    ):
        write_gpu_pack(taught, tmp_path, tmp_path / "pack.npz")
    lists = experiment(minimum_word_error={}, augment={"join": 0.0})
    with pytest.raises(ConfigError, match="minimum_word_error: given: a training in PyTorch has o"):
        write_gpu_pack(lists, tmp_path, tmp_path / "pack.npz")


def test_a_model_directory_has_the_weights_and_their_record(
    packed: GpuPackReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = result_without_pytorch(packed, tmp_path / "result")
    arguments = [str(packed.path), str(tmp_path / "result"), "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", ["model_from_gpu.py", *arguments])
    assert run_script(PIPELINES / "model_from_gpu.py") == 0
    model = Recognizer.load(tmp_path / "run" / "model", Decoding(lm="none"))
    features = np.random.default_rng(1).normal(size=(1, 40, 39)).astype(np.float32)
    lengths = np.array([40], np.int32)
    # The weights are stored in ten bits.
    expected, found = network.logits(features, lengths), model.network.logits(features, lengths)
    assert np.abs(found - expected).max() < 0.02
    record = model.config.training
    assert record["command"].endswith(
        " && torch_training.py pack.npz --minutes 9 && model_from_gpu.py " + " ".join(arguments)
    )
    assert record["config"]["augment"]["jitter"] == 0.3
    assert record["gpu"]["minutes"] == 9.1 and record["seed"] == 4
    assert record["data_sha256"]["GPU pack"] == packed.sha256
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert "Best epoch on the dev set: 31, with WER 25.00%, CER 12.50%." in card
    assert (tmp_path / "run" / "model" / "lexicon.txt.gz").is_file()
    (tmp_path / "result" / "weights-1.npz").write_bytes(b"cut")
    with pytest.raises(ModelError, match="the weights are damaged"):
        model_from_gpu(packed.path, tmp_path / "result", tmp_path / "other")


@pytest.mark.slow
def test_ten_steps_in_pytorch_become_a_model(packed: GpuPackReport, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from asr.training import torch_training

    torch.set_num_threads(1)
    out, checkpoint = tmp_path / "result", tmp_path / "checkpoint.pt"
    options = f"{packed.path} --out {out} --batch 8 --report 0 --device cpu --average 0.5".split()
    options += ["--warmup", "0.2", "--checkpoint", str(checkpoint)]
    torch_training.main([*options, "--steps", "5"])
    training = torch_training.main([*options, "--steps", "10"])  # goes on from the checkpoint
    rows = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 11)) and rows[-1]["epoch"] == 4
    losses = [row["loss"] for row in rows]
    assert np.mean(losses[7:]) < 0.7 * np.mean(losses[:3])
    assert len(list(out.glob("weights-*"))) == 1
    model = Recognizer.load(model_from_gpu(packed.path, out, tmp_path / "run"), Decoding(lm="none"))
    assert model.config.training["gpu"]["device"] == "CPU"
    # The weights are those of the best report; with them, both runtimes give the same.
    with np.load(next(iter(out.glob("weights-*")))) as arrays:
        training.averaged.load_keras_arrays(dict(arrays))
    pack = torch_training.GpuPack(packed.path)
    corpus = torch_training.Corpus(pack, torch.device("cpu"), 1, pack.meta["config"]["augment"])
    (batch,) = corpus.dev_batches(2)
    features = corpus.batch_features(batch, augment=False)
    with torch.no_grad():
        heads = training.averaged(features, batch.frames)
    theirs = torch.cat(list(heads.values()), dim=2).transpose(0, 1).numpy()
    ours = model.network.logits(features.numpy(), batch.frames.astype(np.int32))
    assert np.abs(ours - theirs).max() < 0.02  # the weights are stored in ten bits
    texts = [model.tokenizer.decode(model.decoder(row).labels) for row in ours]
    found = torch_training.best_path(heads["head"], [len(row) for row in ours])
    assert texts == [model.tokenizer.decode(ids) for ids in found]


@pytest.mark.parametrize("bidirectional", [True, False])
def test_logits_and_weights_are_those_of_keras(bidirectional: bool) -> None:
    torch = pytest.importorskip("torch")
    from asr.training.torch_training import TorchAcoustic

    keras.utils.set_random_seed(2)
    config = AcousticConfig(
        stride=3, units=5, layers=2, bidirectional=bidirectional, dropout=0.0, phones=True
    )
    model = AcousticModel(config, 4, 7)
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.3 * rng.normal(size=variable.shape))
    network = TorchAcoustic(vars(config), 4, config.head_layout(7).sizes).eval()
    weights = {name: v.numpy() for name, v in model.named_weights().items()}
    network.load_keras_arrays(weights)
    back = network.keras_arrays()
    assert back.keys() == weights.keys()
    assert all(np.array_equal(back[name], weights[name]) for name in weights)
    lengths = np.array([31, 17, 1])
    features = rng.normal(size=(3, 31, 4)).astype(np.float32)
    for row, length in zip(features, lengths, strict=True):
        row[length:] = 0
    expected = model.logits(features, lengths.astype(np.int32))
    with torch.no_grad():
        heads = network(torch.from_numpy(features), lengths)
    found = torch.cat(list(heads.values()), dim=2).transpose(0, 1).numpy()
    for row, other, length in zip(expected, found, lengths, strict=True):
        valid = config.frames(int(length))
        assert np.abs(row[:valid] - other[:valid]).max() < 1e-4 and np.ptp(row) > 0.5
    with pytest.raises(ValueError, match="do not fit the network: acoustic/head/bias"):
        network.load_keras_arrays({**weights, "acoustic/head/bias": np.zeros(3)})


def test_features_and_augmentation_are_those_of_numpy(packed: GpuPackReport) -> None:
    torch = pytest.importorskip("torch")
    from asr.training import torch_training

    pack = torch_training.GpuPack(packed.path)
    corpus = torch_training.Corpus(pack, torch.device("cpu"), 1, pack.meta["config"]["augment"])
    batch = torch_training.PlannedBatch(np.array([0, 5]), np.array([3, -1]), np.array([110, 50]))
    with np.load(packed.path) as arrays:
        scale, mean = arrays["scale"], arrays["mean"]
    ends = np.cumsum(corpus.frames)

    def static(i: int) -> np.ndarray:
        values = pack.values[ends[i] - corpus.frames[i] : ends[i]].astype(np.float32)
        return values * scale[i].astype(np.float32) + mean[i].astype(np.float32)

    from asr.audio.augmentation import stretch

    joined = np.concatenate([static(0), static(3)])
    expected = expand(stretch(joined, 110 / len(joined)), FeatureConfig())
    found = corpus.batch_features(batch, augment=False).numpy()
    assert np.abs(found[0] - expected).max() < 1e-3
    assert not found[1, 50:].any()
    augmenter = CepstralAugmenter(FeatureConfig(), experiment().augment)
    energies = static(0) @ augmenter.inverse
    for factor in (0.93, 1.08):
        matrix = corpus._warps(torch.tensor([factor])).numpy()[0]
        wanted = augmenter.warp_vocal_tract(energies, factor)
        # Filters are interpolated by frequency here and by number there: the same places.
        assert np.abs(energies @ matrix - wanted).max() < 1e-3
    labels, counts = corpus.batch_ids("labels", batch)
    assert "".join(pack.meta["labels"][i] for i in labels[0]) == "go left"
    assert counts.tolist() == [7, 3]
    rows = [corpus.batch_features(batch, augment=True).numpy() for _ in range(2)]
    assert np.isfinite(rows[0]).all() and np.abs(rows[0] - rows[1]).max() > 0.1
    assert not rows[0][1, 50:].any()


def test_each_epoch_has_every_copy_once(packed: GpuPackReport) -> None:
    torch = pytest.importorskip("torch")
    from asr.training import torch_training

    pack = torch_training.GpuPack(packed.path)
    corpus = torch_training.Corpus(pack, torch.device("cpu"), 1, pack.meta["config"]["augment"])
    plan = corpus.plan(0, batch=5, padded=400)
    heard = sorted(np.concatenate([b.first for b in plan]).tolist())
    assert heard == sorted([*range(12)] * 2)
    assert all(len(b.first) * b.frames[0] <= 400 and len(b.first) <= 5 for b in plan)
    assert all((np.diff(b.frames) <= 0).all() for b in plan)
    pairs = [(a, b) for p in plan for a, b in zip(p.first, p.second, strict=True) if b >= 0]
    assert pairs and all(a % 3 == b % 3 for a, b in pairs)  # of one speaker
    other = corpus.plan(1, batch=5, padded=400)
    assert [b.first.tolist() for b in plan] != [b.first.tolist() for b in other]


def test_changes_of_the_augmentation() -> None:
    pytest.importorskip("torch")
    from asr.training.torch_training import changed_augment

    changed = changed_augment({"jitter": 0.1, "warp": 0.1}, ["jitter=0.2", "time_masks=2"])
    assert changed == {"jitter": 0.2, "warp": 0.1, "time_masks": 2}
    with pytest.raises(
        ValueError, match=r"--augment speed=0\.1: KEY=NUMBER, with one of stretch, w"
    ):
        changed_augment({}, ["speed=0.1"])


def test_edit_distances() -> None:
    pytest.importorskip("torch")
    from asr.training.torch_training import edit_distance

    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance([], [1, 2]) == edit_distance([1, 2], []) == 2
    assert edit_distance(["one", "two", "three"], ["one", "too", "three", "four"]) == 2
