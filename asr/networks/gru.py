"""`FusedGRU`: a GRU layer with the equations of Keras that trains faster on a CPU.

fused.py says why it is faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asr.base.tensorflow import keras, tf
from asr.networks.fused import FusedLayer, previous_states, product, run_loop, weights_gradient


@keras.saving.register_keras_serializable("asr")
class FusedGRU(FusedLayer):
    """The GRU of Keras with `reset_after`, as in cuDNN. The gates are update, reset, candidate."""

    gates = 3

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        # The reset gate scales the candidate's recurrent bias, so it cannot join the input bias.
        self.recurrent_bias = self.add_weight(
            shape=(self.directions, 3 * self.units),
            initializer="zeros",
            name="recurrent_bias",
            autocast=False,
        )

    def scan(self, projected: tf.Tensor, direction: int, training: bool) -> tf.Tensor:
        recurrent = tf.convert_to_tensor(self.recurrent_kernel[direction])
        bias = tf.convert_to_tensor(self.recurrent_bias[direction])
        if training:
            return _scan(projected, recurrent, bias)
        # Keep no gates: only the gradient needs them, and long inputs would take much memory.
        return _run(projected, recurrent, bias, kept=1)[0]


def _run(projected: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor, kept: int) -> list[tf.Tensor]:
    """Outputs, gates and the recurrent part of the candidate at every step: the first `kept`."""

    def step(t, h):
        zx, rx, gx = tf.split(projected[t], 3, axis=-1)
        zh, rh, inner = tf.split(product(h, recurrent) + bias, 3, axis=-1)
        z, r = tf.sigmoid(zx + zh), tf.sigmoid(rx + rh)
        g = tf.tanh(gx + r * inner)
        h = z * h + (1 - z) * g
        return (h, tf.concat([z, r, g], axis=-1), inner), (h,)

    zero = tf.zeros_like(projected[0, :, : recurrent.shape[0]])
    return run_loop(step, (zero,), tf.shape(projected)[0], kept)


@tf.custom_gradient
def _scan(
    projected: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor
) -> tuple[tf.Tensor, Callable[..., Any]]:
    """Outputs [time, batch, units].

    Args:
        projected: projected inputs, [time, batch, 3 units].
        recurrent: recurrent kernel, [units, 3 units].
        bias: recurrent bias, [3 units].
    """
    outputs, gates, inners = _run(projected, recurrent, bias, kept=3)

    def gradient(d_outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        outputs_before = previous_states(outputs)
        transposed = tf.transpose(recurrent)

        def back(t, dh):
            z, r, g = tf.split(gates[t], 3, axis=-1)
            dh += d_outputs[t]
            dg = dh * (1 - z) * (1 - g * g)
            dr = dg * inners[t] * r * (1 - r)
            dz = dh * (outputs_before[t] - g) * z * (1 - z)
            d_recurrent = tf.concat([dz, dr, dg * r], axis=-1)
            values = (tf.concat([dz, dr, dg], axis=-1), d_recurrent)
            return values, (dh * z + product(d_recurrent, transposed),)

        zero = tf.zeros_like(outputs[0])
        d_projected, d_recurrent = run_loop(back, (zero,), tf.shape(outputs)[0], 2, backwards=True)
        return (
            d_projected,
            weights_gradient(outputs_before, d_recurrent, recurrent.dtype),
            tf.reduce_sum(d_recurrent, axis=[0, 1]),
        )

    return outputs, gradient
