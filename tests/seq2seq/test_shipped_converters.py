"""Training converters: toys learnt to exactness, resumed, and where it goes wrong."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from asr.base.config import parse
from asr.errors import ConfigError
from asr.seq2seq.converter import Converter
from asr.seq2seq.pairs import Pair, write_pairs
from asr.training.from_yaml import train_from_yaml
from asr.training.train_converter import ConverterExperimentConfig, train_converter

SOURCES = ["".join(s) for n in (1, 2, 3) for s in itertools.product("abc", repeat=n)]


def corpus(folder: Path, train: list[Pair], dev: list[Pair]) -> Path:
    write_pairs(folder / "train.tsv", train)
    write_pairs(folder / "dev.tsv", dev)
    return folder


def settings(kind: str = "attention", **training: object) -> dict[str, object]:
    return {
        "converter": "toy",
        "data": {"train": ["train.tsv"], "dev": ["dev.tsv"], "target": "words"},
        "network": {
            "kind": kind,
            "embedding": 8,
            "encoder_units": 16,
            "encoder_layers": 1,
            "decoder_units": 24,
            "dropout": 0.0,
            "frames": 3,
        },
        "training": {"epochs": 2, "batch_size": 16, "threads": 0, **training},
    }


def experiment(kind: str = "attention", **training: object) -> ConverterExperimentConfig:
    return parse(ConverterExperimentConfig, settings(kind, **training), "test")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["attention", "ctc"])
def test_training_generalises_to_unseen_words(kind: str, tmp_path: Path) -> None:
    # Attention: backwards. CTC: as it stands there, but a "b" is said twice.
    def target(source: str) -> str:
        if kind == "attention":
            return " ".join(source[::-1])
        return " ".join("b b" if letter == "b" else letter.upper() for letter in source)

    pairs = [Pair(s, target(s)) for s in SOURCES]
    # CTC needs a frame for each label, and one between equal ones: two b's in a row have too few.
    fitting = [p for p in pairs if kind == "attention" or "bb" not in p.source]
    data = corpus(tmp_path, [p for p in fitting for _ in range(12)], fitting)
    folder = train_converter(
        experiment(kind, epochs=30, learning_rate=1e-2, warmup_epochs=1, average=0.9),
        data,
        tmp_path / "out",
        say=lambda _: None,
    )
    rows = [json.loads(x) for x in (tmp_path / "out" / "history.jsonl").read_text().splitlines()]
    assert rows[-1]["dev_ser"] == 0.0
    converter = Converter.load(folder)
    sources = [p.source for p in fitting]
    for beam in (1, 3):
        found = converter.convert(sources, beam)
        assert [f[0].text for f in found] == [p.target for p in fitting]
    assert converter.config.training["best"]["dev_ser"] == 0.0
    assert "misses all targets of 0.00%" in (folder / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["attention", "ctc"])
def test_dev_score_equals_that_of_the_converter(kind: str, tmp_path: Path) -> None:
    # Half learnt, so that there is right and wrong; the second target of a source counts, too.
    train = [Pair(s, " ".join(s)) for s in SOURCES]
    dev = [Pair(s, t) for s in SOURCES for t in (" ".join(s), " ".join(s[:2]))]
    config = experiment(kind, epochs=6, learning_rate=1e-2, warmup_epochs=1, average=0.5)
    folder = train_converter(config, corpus(tmp_path, train * 4, dev), tmp_path / "out")
    converter = Converter.load(folder)
    wanted = {(pair.source, pair.target) for pair in dev}
    right = [
        (s, f[0].text) in wanted for s, f in zip(SOURCES, converter.convert(SOURCES), strict=True)
    ]
    best = converter.config.training["best"]
    # Weights are saved in half precision: what is nearly even may turn.
    assert best["dev_ser"] == pytest.approx(1 - np.mean(right), abs=1.1 / len(SOURCES))
    assert np.mean(right) > 0


def state(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "checkpoint.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if name != "position"}


@pytest.mark.slow
def test_training_resumes_exactly_and_refuses_other_pairs(tmp_path: Path) -> None:
    values = settings()
    values["data"]["hidden"] = 0.2  # type: ignore[index]
    values["network"]["dropout"] = 0.3  # type: ignore[index]
    config = parse(ConverterExperimentConfig, {**values, "label_smoothing": 0.1}, "test")
    pairs = [Pair(s, " ".join(s)) for s in SOURCES]
    data = corpus(tmp_path, pairs, pairs)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train_converter(config, data, whole)
    said: list[str] = []
    for steps in (2, None):
        train_converter(config, data, parts, max_steps=steps, say=said.append)
    assert said == ["resumed at epoch 1, batch 3"]
    for name, array in state(whole).items():
        assert (array == state(parts)[name]).all(), name
    write_pairs(data / "train.tsv", pairs[1:])
    with pytest.raises(ConfigError, match="other data"):
        train_converter(config, data, parts)


def test_key_converter_in_a_config_trains_a_converter(tmp_path: Path) -> None:
    pairs = [Pair(s, s.upper()) for s in SOURCES]
    corpus(tmp_path, pairs, pairs)
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(settings(epochs=1)))
    folder = train_from_yaml(tmp_path / "toy.yaml", tmp_path, tmp_path / "out")
    assert Converter.load(folder).config.converter == "toy"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"data": {"train": ["train.tsv"]}}, "data.dev: missing key"),
        ({"network": {"kind": "transformer"}}, "network.kind: .*'attention' or 'ctc'"),
        ({"network": {"heads": 8}}, "network.heads: unknown key"),
        ({"training": {"precision": "mixed_bfloat16"}}, "training.precision: "),
    ],
)
def test_errors_in_a_config_name_the_key(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(ConverterExperimentConfig, {**settings(), **change}, "test")


def test_targets_with_too_few_frames_are_named(tmp_path: Path) -> None:
    data = corpus(tmp_path, [Pair("a", "w x y z")], [Pair("a", "x")])
    said: list[str] = []
    with pytest.raises(ConfigError, match=r"network.frames: 3 "):
        train_converter(experiment("ctc"), data, tmp_path / "out", say=said.append)
    assert said == ["left out: 'a': 1 symbols have too few frames for 4"]
