"""`FusedLSTM`: an LSTM layer with the equations of Keras that trains faster on a CPU.

fused.py says why it is faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asr.base.tensorflow import keras, tf
from asr.networks.fused import FusedLayer, previous_states, product, run_loop, weights_gradient


@keras.saving.register_keras_serializable("asr")
class FusedLSTM(FusedLayer):
    """The LSTM of Keras. The gates are input, forget, cell, output.

    The forget bias is one at the start of training.
    """

    gates = 4

    def initial_bias(self, shape: tuple[int, ...], dtype: Any) -> Any:
        gates = [keras.ops.zeros((shape[0], self.units), dtype) for _ in range(4)]
        gates[1] = keras.ops.ones_like(gates[1])
        return keras.ops.concatenate(gates, axis=1)

    def scan(self, projected: tf.Tensor, direction: int, training: bool) -> tf.Tensor:
        recurrent = tf.convert_to_tensor(self.recurrent_kernel[direction])
        if training:
            return _scan(projected, recurrent)
        # Keep no gates: only the gradient needs them, and long inputs would take much memory.
        return _run(projected, recurrent, kept=1)[0]


def _run(projected: tf.Tensor, recurrent: tf.Tensor, kept: int) -> list[tf.Tensor]:
    """Outputs, cell states and gates at every step: the first `kept` of them."""

    def step(t, h, c):
        z = projected[t] + product(h, recurrent)
        i, f, g, o = tf.split(z, 4, axis=-1)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        c = f * c + i * g
        h = o * tf.tanh(c)
        return (h, c, tf.concat([i, f, g, o], axis=-1)), (h, c)

    zero = tf.zeros_like(projected[0, :, : recurrent.shape[0]])
    return run_loop(step, (zero, zero), tf.shape(projected)[0], kept)


@tf.custom_gradient
def _scan(projected: tf.Tensor, recurrent: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
    """Outputs [time, batch, units].

    Args:
        projected: projected inputs, [time, batch, 4 units].
        recurrent: recurrent kernel, [units, 4 units].
    """
    outputs, cells, gates = _run(projected, recurrent, kept=3)

    def gradient(d_outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        cells_before = previous_states(cells)
        transposed = tf.transpose(recurrent)

        def back(t, dh, dc):
            i, f, g, o = tf.split(gates[t], 4, axis=-1)
            squashed = tf.tanh(cells[t])
            dh += d_outputs[t]
            dc += dh * o * (1 - squashed * squashed)
            parts = [
                dc * g * i * (1 - i),
                dc * cells_before[t] * f * (1 - f),
                dc * i * (1 - g * g),
                dh * squashed * o * (1 - o),
            ]
            dz = tf.concat(parts, axis=-1)
            return (dz,), (product(dz, transposed), dc * f)

        zero = tf.zeros_like(outputs[0])
        (dz,) = run_loop(back, (zero, zero), tf.shape(outputs)[0], 1, backwards=True)
        return dz, weights_gradient(previous_states(outputs), dz, recurrent.dtype)

    return outputs, gradient
