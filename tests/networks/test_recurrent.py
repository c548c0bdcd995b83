from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from asr.errors import ConfigError
from asr.networks.fused import FusedLayer
from asr.networks.gru import FusedGRU
from asr.networks.lstm import FusedLSTM
from asr.networks.recurrent import RecurrentStack

LENGTHS = [11, 7, 1]


@pytest.fixture
def batch() -> tuple[tf.Tensor, tf.Tensor]:
    x = np.random.default_rng(5).normal(size=[3, 11, 5]).astype(np.float32)
    return tf.constant(x), tf.sequence_mask(LENGTHS, 11)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("norm", ["layer", "none"])
def test_a_sequence_has_the_same_outputs_alone_and_in_a_padded_batch(
    batch, cell, bidirectional, norm
) -> None:  # type: ignore[no-untyped-def]
    x, mask = batch
    stack = RecurrentStack(cell, 6, 2, bidirectional, norm=norm)
    together = stack(x, mask=mask)
    assert together.shape == (3, 11, stack.width)
    for i, n in enumerate(LENGTHS):
        alone = stack(x[i : i + 1, :n], mask=tf.ones([1, n], tf.bool))
        np.testing.assert_allclose(together[i, :n], alone[0], atol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("norm", ["layer", "none"])
def test_configuration_round_trip(batch, cell, bidirectional, norm) -> None:  # type: ignore[no-untyped-def]
    x, mask = batch
    stack = RecurrentStack(cell, 4, 2, bidirectional, 0.25, norm)
    copy = RecurrentStack.from_config(stack.get_config())
    assert copy.get_config() == stack.get_config()
    expected = stack(x, mask=mask)
    assert copy(x, mask=mask).shape == expected.shape
    copy.set_weights(stack.get_weights())
    np.testing.assert_array_equal(copy(x, mask=mask), expected)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_gradients_reach_every_weight(batch, cell, bidirectional) -> None:  # type: ignore[no-untyped-def]
    x, mask = batch
    # Dropout may leave nothing of a row's last step, one time in a hundred: always the same one.
    keras.utils.set_random_seed(1)
    stack = RecurrentStack(cell, 4, 2, bidirectional, dropout=0.25)
    valid = tf.cast(mask, tf.float32)[:, :, None]
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(valid * tf.sin(stack(x, mask=mask, training=True)))
    weights = [v.value for v in stack.trainable_variables]
    dx, *gradients = tape.gradient(total, [x, *weights])
    # Two directions share one variable in the fused layers, and have their own in Keras's cells.
    weights_of_cell = {"rnn": 6 if bidirectional else 3, "lstm": 3, "gru": 4}[cell]
    assert len(gradients) == 2 * (weights_of_cell + 2)
    assert all(np.abs(g).max() > 0 for g in gradients)
    # None comes from the padding, all valid steps have some.
    np.testing.assert_array_equal(np.abs(dx).max(axis=2) > 0, mask)


def test_dropout_applies_in_training_only(batch) -> None:  # type: ignore[no-untyped-def]
    x, mask = batch
    stack = RecurrentStack("lstm", 8, 1, dropout=0.5, norm="none")
    np.testing.assert_array_equal(stack(x, mask=mask), stack(x, mask=mask))
    trained = stack(x, mask=mask, training=True).numpy()
    assert 0.4 < (trained == 0).mean() < 0.6


def test_unknown_cell_is_named() -> None:
    with pytest.raises(ConfigError, match="cell: 'lstn' is not known; one of rnn, lstm, gru"):
        RecurrentStack("lstn")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fused, plain", [(FusedLSTM, keras.layers.LSTM), (FusedGRU, keras.layers.GRU)]
)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_fused_layer_equals_keras_in_outputs_and_gradients(
    batch, fused, plain, bidirectional
) -> None:  # type: ignore[no-untyped-def]
    x, mask = batch
    valid = tf.cast(mask, tf.float32)[:, :, None]
    random = keras.initializers.RandomNormal(0, 0.5, seed=3)
    ours = fused(6, bidirectional)
    theirs = plain(6, return_sequences=True, use_cudnn=False, bias_initializer=random)
    if bidirectional:
        theirs = keras.layers.Bidirectional(theirs)
    ours(x)
    theirs(x, mask=mask)
    count = 2 if bidirectional else 1

    def ordered(values):  # type: ignore[no-untyped-def]
        """Keras's weights of each direction as ours are, a GRU's two biases apart."""
        kernels, recurrent, biases = (np.stack(values[j::3]) for j in range(3))
        two = biases.ndim == 3
        return [kernels, recurrent, *([biases[:, 0], biases[:, 1]] if two else [biases])]

    start = ordered([v.numpy() for v in theirs.trainable_variables])
    for variable, value in zip(ours.trainable_variables, start, strict=True):
        variable.assign(value)
    assert len(theirs.trainable_variables) == 3 * count

    def run(layer: keras.layers.Layer):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, mask=mask, training=True) * valid
            total = tf.reduce_sum(tf.sin(3 * y))
        weights = [v.value for v in layer.trainable_variables]
        return y, *tape.gradient(total, [x, *weights])

    # In training, the halves of a unidirectional batch are multiplied apart.
    rounding = 0 if bidirectional else 1e-6
    np.testing.assert_allclose(ours(x, mask=mask) * valid, run(ours)[0], rtol=0, atol=rounding)
    y, dx, *dw = run(ours)
    y_keras, dx_keras, *dw_keras = run(theirs)
    np.testing.assert_allclose(y, y_keras, atol=1e-6)
    np.testing.assert_allclose(dx, dx_keras, atol=1e-5)
    for gradient, expected in zip(dw, ordered(dw_keras), strict=True):
        np.testing.assert_allclose(gradient, expected, atol=1e-4)


@pytest.mark.parametrize("fused", [FusedLSTM, FusedGRU])
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_close_to_float32(batch, fused, policy) -> None:  # type: ignore[no-untyped-def]
    x, mask = batch
    exact, mixed = fused(6), fused(6, dtype=policy)
    exact(x)
    mixed(x)
    for to, value in zip(mixed.trainable_variables, exact.trainable_variables, strict=True):
        assert to.dtype == "float32"
        to.assign(value)

    def run(layer: FusedLayer):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            y = layer(x, mask=mask, training=True)
            total = tf.reduce_sum(tf.sin(3 * tf.cast(y, tf.float32)))
        return y, tape.gradient(total, [v.value for v in layer.trainable_variables])

    (y, gradients), (y_exact, exact_gradients) = run(mixed), run(exact)
    assert y.dtype == policy.removeprefix("mixed_")
    np.testing.assert_allclose(tf.cast(y, tf.float32), y_exact, atol=0.02)
    for gradient, expected in zip(gradients, exact_gradients, strict=True):
        assert gradient.dtype == tf.float32
        np.testing.assert_allclose(gradient, expected, atol=0.03 * np.abs(expected).max())


@pytest.mark.parametrize("fused", [FusedLSTM, FusedGRU])
def test_fused_gradient_equals_the_numerical_gradient(fused: type[FusedLayer]) -> None:
    layer = fused(3)
    x = np.random.default_rng(8).normal(size=[2, 4, 3]).astype(np.float32)
    layer(x)

    def total(kernel: tf.Tensor) -> tf.Tensor:
        layer.recurrent_kernel.assign(kernel)
        return tf.reduce_sum(layer(x) ** 2)

    kernel = layer.recurrent_kernel.numpy()
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(layer(x, training=True) ** 2)
    gradient = tape.gradient(value, layer.recurrent_kernel.value).numpy()
    for index in [(0, 0, 0), (0, 2, 7), (1, 1, 4), (1, 0, 8)]:
        step = np.zeros_like(kernel)
        step[index] = 1e-2
        numerical = (total(kernel + step) - total(kernel - step)) / 2e-2
        assert gradient[index] == pytest.approx(float(numerical), abs=2e-3)


def test_fused_lstm_starts_as_keras_does() -> None:
    keras.utils.set_random_seed(1)
    layer = FusedLSTM(16)
    layer.build((None, None, 8))
    bias = layer.bias.numpy().reshape(2, 4, 16)
    np.testing.assert_array_equal(bias.mean(axis=2), [[0, 1, 0, 0]] * 2)
    limit = np.sqrt(6 / (8 + 64))
    assert 0.9 * limit < np.abs(layer.kernel).max() <= limit
    square = layer.recurrent_kernel.numpy()[1]
    np.testing.assert_allclose(square @ square.T, np.eye(16), atol=1e-5)
