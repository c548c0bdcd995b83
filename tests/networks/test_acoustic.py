from __future__ import annotations

import numpy as np
import pytest

from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig


@pytest.mark.parametrize("front", ["stack", "conv"])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_alone_equals_in_a_padded_batch(front: str, stride: int) -> None:
    config = AcousticConfig(front=front, stride=stride, filters=6, units=5, layers=2)  # type: ignore[arg-type]
    model = AcousticModel(config, dimension=4, labels=7)
    lengths = np.array([13, 6, 1], np.int32)
    batch = np.zeros([3, 17, 4], np.float32)
    for row, n in zip(batch, lengths, strict=True):
        row[:n] = np.random.default_rng(int(n)).normal(size=[n, 4])
    logits, frames = model(batch, lengths)
    assert logits.shape == (3, -(-17 // stride), 7)
    assert frames.numpy().tolist() == [config.frames(int(n)) for n in lengths]
    for i, n in enumerate(lengths):
        alone, _ = model(batch[i : i + 1, :n], lengths[i : i + 1])
        assert alone.shape[1] == config.frames(int(n))
        np.testing.assert_allclose(logits[i, : alone.shape[1]], alone[0], atol=1e-4)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("front", ["stack", "conv"])
def test_weight_names_do_not_depend_on_what_was_built_before(cell: str, front: str) -> None:
    config = AcousticConfig(units=4, layers=2, cell=cell, front=front, filters=3)  # type: ignore[arg-type]
    first = AcousticModel(config, 4, 5).named_weights()
    AcousticModel(AcousticConfig(units=3, layers=1), 4, 5)
    second = AcousticModel(config, 4, 5).named_weights()
    assert list(first) == list(second)
    cells = {"rnn": 6, "lstm": 3, "gru": 4}[cell]
    recurrent = 2 * (cells + 2)  # cells, and gain and bias of each norm
    assert len(first) == (2 if front == "conv" else 0) + recurrent + 2
    assert "acoustic/head/kernel" in first


def test_a_second_head_stands_behind_the_first() -> None:
    config = AcousticConfig(units=5, layers=1)
    one = AcousticModel(config, 4, 7)
    two = AcousticModel(AcousticConfig(units=5, layers=1, phones=True), 4, 7)
    for name, variable in one.named_weights().items():
        two.named_weights()[name].assign(variable)
    features, lengths = np.ones([1, 9, 4], np.float32), np.array([9], np.int32)
    logits = two.logits(features, lengths)
    assert logits.shape == (1, 5, 7 + 40)
    np.testing.assert_allclose(logits[:, :, :7], one.logits(features, lengths), atol=1e-6)


def test_logits_are_single_precision_under_any_policy() -> None:
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = AcousticModel(AcousticConfig(units=4, layers=1), 4, 5)
    finally:
        keras.config.set_dtype_policy("float32")
    logits, _ = model(np.ones([1, 6, 4], np.float32), np.array([6], np.int32))
    assert logits.dtype == np.float32 and model.stack.compute_dtype == "bfloat16"
