"""What the fused recurrent layers share: recurrent layers that train faster than Keras's on a CPU.

What differs is where the work is done. The input projection is one large product before the loop,
the weights' gradients are one large product after it (as in cuDNN: Appleyard et al., 2016), and no
step needs a mask. The gradient of the loop is written out in lstm.py and gru.py instead of being
derived, because the derived one adds up the weights' gradients step by step. The two directions are
two loops without a common edge in the graph: with one thread an operation they run beside each
other on two cores, which measured faster than one loop over both.

Under a mixed precision policy, products are in half precision and all else is in float32, the
states included: where a processor multiplies bfloat16 twice as fast, it does not add them faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asr.base.tensorflow import keras, tf


class FusedLayer(keras.layers.Layer):
    """[batch, time, n] → [batch, time, units], or 2 × units when bidirectional.

    Valid steps come first in each row: a mask of another kind is not supported. Kernels start
    Glorot uniform, recurrent kernels orthogonal, as Keras's do.
    """

    gates: int
    """Blocks of `units` columns in the kernels."""

    def __init__(self, units: int, bidirectional: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.bidirectional = units, bidirectional
        self.directions = 2 if bidirectional else 1
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        def each(initializer: Callable[..., Any]) -> Callable[..., Any]:
            return lambda shape, dtype=None: keras.ops.stack(
                [initializer(shape[1:], dtype=dtype) for _ in range(shape[0])]
            )

        d, n, u, g = self.directions, input_shape[-1], self.units, self.gates
        glorot, orthogonal = keras.initializers.GlorotUniform(), keras.initializers.Orthogonal()
        self.kernel = self.add_weight(shape=(d, n, g * u), initializer=each(glorot), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(d, u, g * u), initializer=each(orthogonal), name="recurrent_kernel"
        )
        self.bias = self.add_weight(
            shape=(d, g * u), initializer=lambda shape, dtype=None: self.first_bias(shape, dtype),
            name="bias", autocast=False,
        )  # fmt: skip
        self.built = True

    def first_bias(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """The bias that training starts from: [directions, gates × units]."""
        return keras.ops.zeros(shape, dtype)

    def scan(self, projected: tf.Tensor, direction: int, training: bool) -> tf.Tensor:
        """Run one direction's cells from a zero state over projected inputs, float32
        [time, batch, gates × units] → outputs, float32 [time, batch, units]."""
        raise NotImplementedError

    def call(
        self, x: tf.Tensor, mask: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        batch, time = tf.shape(x)[0], tf.shape(x)[1]
        lengths = (
            tf.fill([batch], time) if mask is None else tf.reduce_sum(tf.cast(mask, tf.int32), 1)
        )
        x = tf.transpose(x, [1, 0, 2])
        outputs = []
        for i in range(self.directions):
            # Reversed by true lengths: the padding comes last for both directions, where it
            # cannot reach a valid step, so that the loop needs no mask.
            ordered = tf.reverse_sequence(x, lengths, seq_axis=0, batch_axis=1) if i else x
            inputs = tf.reshape(ordered, [time * batch, x.shape[-1]])
            projected = tf.matmul(inputs, tf.convert_to_tensor(self.kernel[i]))
            projected = tf.cast(projected, tf.float32) + self.bias[i]
            projected = tf.reshape(projected, [time, batch, self.gates * self.units])
            output = tf.cast(self.scan(projected, i, training), self.compute_dtype)
            if i:
                output = tf.reverse_sequence(output, lengths, seq_axis=0, batch_axis=1)
            outputs.append(output)
        return tf.transpose(tf.concat(outputs, axis=-1), [1, 0, 2])

    def get_config(self) -> dict[str, Any]:
        config = {"units": self.units, "bidirectional": self.bidirectional}
        return {**super().get_config(), **config}


def run_loop(
    step: Callable[..., tuple[tf.Tensor, ...]],
    state: tuple[tf.Tensor, ...],
    time: tf.Tensor,
    kept: int,
    backwards: bool = False,
) -> list[tf.Tensor]:
    """Run `step` at each time → the first `kept` of its values, stacked over time.

    `step(t, *state)` returns (values to keep, next state), each a tuple of tensors.
    """

    def body(t, state, arrays):
        values, state = step(t, *state)
        written = [a.write(t, x) for a, x in zip(arrays, values[:kept], strict=True)]
        return t + (-1 if backwards else 1), state, written

    arrays = [tf.TensorArray(state[0].dtype, size=time) for _ in range(kept)]
    start = time - 1 if backwards else 0
    *_, arrays = tf.while_loop(
        lambda t, *_: (t >= 0) if backwards else (t < time), body, (start, state, arrays),
        maximum_iterations=time,
    )  # fmt: skip
    return [array.stack() for array in arrays]


def before(outputs: tf.Tensor) -> tf.Tensor:
    """What each step of [time, batch, units] found as its state: shifted by one, zero first."""
    return tf.concat([tf.zeros_like(outputs[:1]), outputs[:-1]], axis=0)


def product(x: tf.Tensor, weights: tf.Tensor, transpose: bool = False) -> tf.Tensor:
    """x [batch, n] @ weights [n, m] in the precision of the weights, given back in that of x."""
    y = tf.matmul(tf.cast(x, weights.dtype), weights, transpose_b=transpose)
    return tf.cast(y, x.dtype)


def weights_gradient(states: tf.Tensor, d: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Gradient of weights by which each of `states` [time, batch, n] became something whose
    gradients are d [time, batch, m]: [n, m]."""
    return tf.tensordot(tf.cast(states, dtype), tf.cast(d, dtype), axes=[[0, 1], [0, 1]])
