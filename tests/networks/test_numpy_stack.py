"""`NumpyStack` gives the outputs of the `RecurrentStack` in Keras."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from asr.errors import ModelError
from asr.networks.numpy_stack import NumpyStack, lstm
from asr.networks.recurrent import RecurrentStack
from asr.networks.weights import WeightArrays, weights_file

LENGTHS = np.array([9, 5, 1])


class StackModel(keras.Model):
    def __init__(self, stack: RecurrentStack) -> None:
        super().__init__(name="net")
        self.stack = stack
        self.stack.build((None, None, 4))
        self.built = True

    def named_weights(self):  # type: ignore[no-untyped-def]
        return {v.path: v for v in self.trainable_variables}


def saved(tmp_path: Path, stack: RecurrentStack) -> WeightArrays:
    """The stack's weights, none of them zero, as a model directory has them."""
    network = StackModel(stack)
    rng = np.random.default_rng(3)
    for v in network.trainable_variables:
        v.assign(v + rng.normal(0, 0.3, v.shape))
    data, sha256 = weights_file(network, half=False)
    (tmp_path / "weights.npz").write_bytes(data)
    return WeightArrays(tmp_path / "weights.npz", sha256)


@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_equals_keras(tmp_path, cell, bidirectional, norm) -> None:  # type: ignore[no-untyped-def]
    theirs = RecurrentStack(cell, 6, 2, bidirectional, 0.3, norm, name="stack")
    weights = saved(tmp_path, theirs)
    path = next(iter(weights.left)).partition("stack/")[0] + "stack"
    ours = NumpyStack(weights, path, 4, cell, 6, 2, bidirectional, norm)
    weights.finish()
    x = np.random.default_rng(1).normal(size=(3, 9, 4)).astype(np.float32)
    expected = theirs(x, mask=tf.sequence_mask(LENGTHS, 9)).numpy()
    outputs = ours.run(x, LENGTHS)
    for i, n in enumerate(LENGTHS):
        np.testing.assert_allclose(outputs[i, :n], expected[i, :n], atol=1e-5)
    if not bidirectional:
        state = ours.start(3)
        for t in range(9):
            y, state = ours.step(x[:, t], state)
            np.testing.assert_allclose(y, outputs[:, t], atol=1e-6)


def test_inputs_beyond_a_length_change_nothing(tmp_path) -> None:  # type: ignore[no-untyped-def]
    weights = saved(tmp_path, RecurrentStack("gru", 6, 2, name="stack"))
    stack = NumpyStack(weights, "net/stack", 4, "gru", 6, 2, bidirectional=True)
    x = np.random.default_rng(1).normal(size=(3, 9, 4)).astype(np.float32)
    other = x.copy()
    other[1, 5:] = 1e3
    np.testing.assert_array_equal(stack.run(x, LENGTHS)[1, :5], stack.run(other, LENGTHS)[1, :5])


def test_large_inputs_saturate_without_a_warning() -> None:
    x = np.array([[-1e4, 1e4, 1e4, 1e4]], np.float32)
    state = (np.zeros((1, 1), np.float32), np.full((1, 1), 2, np.float32))
    with np.errstate(all="raise"):
        h, c = lstm(x, np.zeros((1, 4), np.float32), None, state)
    assert (c.item(), round(h.item(), 4)) == (2.0, 0.964)


def test_missing_weights_are_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    weights = saved(tmp_path, RecurrentStack("lstm", 6, 1, False, name="stack"))
    NumpyStack(weights, "net/stack", 4, "lstm", 6, 2)
    with pytest.raises(ModelError, match="lstm_1/kernel is missing"):
        weights.finish()
