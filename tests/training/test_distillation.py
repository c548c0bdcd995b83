"""A network with a look-ahead that learns from another one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from asr import ctc
from asr.data.manifest import Utterance, write_manifest
from asr.errors import ConfigError
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.head_layout import HeadLayout
from asr.recognizer import Recognizer
from asr.training.distillation import cross_entropy
from asr.training.from_yaml import train_from_yaml


@pytest.mark.parametrize("layout", [HeadLayout(3), HeadLayout(3, 4)])
def test_the_cross_entropy_is_that_of_its_definition(layout: HeadLayout) -> None:
    import tensorflow as tf

    rng = np.random.default_rng(1)
    own, taught = rng.normal(size=[2, 2, 5, layout.size]).astype(np.float32)
    lengths = np.array([5, 3], np.int32)
    found = cross_entropy(tf.constant(own), tf.constant(taught), tf.constant(lengths), layout)
    for i, count in enumerate(lengths):
        expected = 0.0
        for first, last in [(0, 3), (3, layout.size)] if layout.phones else [(0, 3)]:
            student, teacher = (
                ctc.log_softmax(x[i, :count, first:last].astype(np.float64)) for x in (own, taught)
            )
            expected -= (np.exp(teacher) * student).sum()
        assert found.numpy()[i] == pytest.approx(expected, rel=1e-5)


def test_the_gradient_reaches_the_student_alone() -> None:
    import tensorflow as tf

    own, taught = (tf.Variable(tf.random.stateless_normal([1, 2, 3], (i, 0))) for i in (1, 2))
    with tf.GradientTape() as tape:
        loss = cross_entropy(own, taught, tf.constant([2]), HeadLayout(3))
    gradient, none = tape.gradient(loss, [own, taught])
    assert none is None
    expected = tf.nn.softmax(own) - tf.nn.softmax(taught)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


@pytest.fixture
def data(tmp_path: Path, tone, tiny: Recognizer) -> Path:  # type: ignore[no-untyped-def]
    """An utterance, and a teacher with random weights."""
    folder = tmp_path / "data"
    write_manifest(folder / "train.jsonl", [Utterance("go", 0.9, tone("data/go.wav", 0.9))])
    tiny.save(tmp_path / "teacher", "")
    return folder


def train(folder: Path, **keys: object) -> Path:
    values = {
        "name": "student",
        "data": {"train": ["train.jsonl"], "dev": ["train.jsonl"]},
        "acoustic": {
            **{"units": 12, "layers": 1, "dropout": 0.0},
            **{"bidirectional": False, "look_ahead": 3},
        },
        "augment": {"copies": 0, "stretch": 0, "warp": 0, "time_masks": 0, "band_masks": 0},
        "distillation": {"teacher": str(folder.parent / "teacher"), "ctc": 0.0},
        "training": {"epochs": 60, "batch_size": 1, "threads": 0, "learning_rate": 2e-2},
        **keys,
    }
    file = folder.parent / "student.yaml"
    file.write_text(yaml.safe_dump(values))
    return train_from_yaml(file, folder, folder.parent / "run")


def test_a_network_with_a_look_ahead_learns_what_its_teacher_hears(
    data: Path, tiny: Recognizer
) -> None:
    student = Recognizer.load(train(data), runtime="onnx")
    assert student.config.acoustic.look_ahead == 3
    rows = (data.parent / "run" / "history.jsonl").read_text().splitlines()
    losses = [json.loads(row)["loss"] for row in rows]
    features, _ = tiny.features(data / "go.wav")
    (taught,), (heard,) = tiny.outputs([features]), student.outputs([features])
    assert heard.shape == taught.shape
    teacher, own = ctc.log_softmax(taught), ctc.log_softmax(heard)
    # The smallest possible loss is the teacher's own entropy.
    least = -(np.exp(teacher) * teacher).sum()
    assert losses[0] > 1.05 * least
    assert -(np.exp(teacher) * own).sum() < least + 0.25 * (losses[0] - least)


def test_ctc_stands_beside_the_teacher(data: Path) -> None:
    losses = {}
    for weight in (0.0, 0.5, 1.0):
        distillation = {"teacher": str(data.parent / "teacher"), "ctc": weight}
        training = {"epochs": 1, "batch_size": 1, "threads": 0}
        run = data.parent / "run"
        train(data, distillation=distillation, training=training)
        losses[weight] = json.loads((run / "history.jsonl").read_text())["loss"]
        shutil.rmtree(run)
    assert losses[1.0] > losses[0.0] + 1
    assert losses[0.5] == pytest.approx((losses[0.0] + losses[1.0]) / 2, rel=1e-4)


def test_a_card_names_the_teacher(data: Path) -> None:
    model = train(data, training={"epochs": 1, "batch_size": 1, "threads": 0})
    assert f"It learned from {data.parent / 'teacher'}" in (model / "README.md").read_text()


def test_the_teacher_belongs_to_the_checkpoint(data: Path, tiny: Recognizer) -> None:
    train(data, training={"epochs": 1, "batch_size": 1, "threads": 0})
    record = json.loads((data.parent / "run" / "run.json").read_text())
    teacher = json.loads((data.parent / "teacher" / "model.json").read_text())
    assert record["data_sha256"]["teacher's weights"] == teacher["weights_sha256"]
    variable = tiny.acoustic_model.trainable_variables[0]
    variable.assign(variable + 1)
    tiny.save(data.parent / "teacher", "")
    with pytest.raises(ConfigError, match="another configuration, other data"):
        train(data, training={"epochs": 1, "batch_size": 1, "threads": 0})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"acoustic": {"stride": 3}}, "acoustic.stride must be that of the teacher: 2; found 3"),
        ({"features": {"deltas": 1}}, "features.deltas must be that of the teacher: 2; found 1"),
        ({"acoustic": {"phones": True}}, "acoustic.phones must be that of the teacher: False"),
        ({"tokenizer": {"alphabet": " go"}}, "tokenizer.alphabet must be that of the teacher: "),
        ({"distillation": {"teacher": "gone"}}, "distillation.teacher: .*gone"),
        ({"minimum_word_error": {}}, "distillation: not together with minimum_word_error"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(
    data: Path, keys: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(data, **keys)


def test_a_bidirectional_network_has_no_look_ahead() -> None:
    with pytest.raises(ConfigError, match=r"acoustic\.look_ahead: 2: a bidirectional network"):
        AcousticConfig(look_ahead=2)
