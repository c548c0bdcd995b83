"""`FusedLayer`: base of the recurrent layers, which train faster than those of Keras on a CPU.

- The input projection is one large product before the loop, and the gradients of the weights are
  one large product after it, as in cuDNN (Appleyard et al., 2016).
- Products with transposed weights transpose them once, not at every step: TensorFlow multiplies by
  a transposed matrix at half the speed.
- No step needs a mask, because padding comes last for both directions.
- lstm.py and gru.py write out the gradient of the loop: automatic differentiation would add up the
  gradients of the weights step by step.
- The two directions are two independent loops in the graph. With one thread for each operation they
  run in parallel on two cores, which is faster than one loop over both. With one direction, the two
  halves of a training batch are two such loops.

Under a mixed precision policy only products are in half precision. All else, the states included,
is float32: processors that multiply bfloat16 twice as fast do not add it faster.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from asr.base.tensorflow import keras, tf


class FusedLayer(keras.layers.Layer, ABC):
    """Recurrent layer: [batch, time, n] → [batch, time, units], or 2 × units when bidirectional.

    A mask must have the valid steps of each row first; other masks are not supported. Kernels are
    initialised as in Keras: Glorot uniform for the inputs, orthogonal for the state.

    Args:
        units: size of the state of each direction.
        bidirectional: whether a second direction reads backwards.
    """

    gates: int
    """Number of blocks of `units` columns in the kernels."""

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
            shape=(d, g * u),
            initializer=lambda shape, dtype=None: self.initial_bias(shape, dtype),
            name="bias",
            autocast=False,
        )
        self.built = True

    def initial_bias(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Bias at the start of training: [directions, gates × units]."""
        return keras.ops.zeros(shape, dtype)

    @abstractmethod
    def scan(self, projected: tf.Tensor, direction: int, training: bool) -> tf.Tensor:
        """Run the cells of one direction from the zero state.

        Args:
            projected: projected inputs, float32 [time, batch, gates × units].
            direction: 0 for forwards, 1 for backwards.
            training: whether a gradient will be computed.

        Returns:
            Outputs, float32 [time, batch, units].
        """

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
            # Reverse only the valid steps. Padding then comes last for both directions, where it
            # cannot change a valid step, so the loop needs no mask.
            ordered = tf.reverse_sequence(x, lengths, seq_axis=0, batch_axis=1) if i else x
            inputs = tf.reshape(ordered, [time * batch, x.shape[-1]])
            projected = projection(inputs, tf.convert_to_tensor(self.kernel[i]))
            projected = tf.cast(projected, tf.float32) + self.bias[i]
            projected = tf.reshape(projected, [time, batch, self.gates * self.units])
            if training and not self.bidirectional:
                middle = (batch + 1) // 2
                halves = projected[:, :middle], projected[:, middle:]
                output = tf.concat([self.scan(half, i, training) for half in halves], axis=1)
            else:
                output = self.scan(projected, i, training)
            output = tf.cast(output, self.compute_dtype)
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
    """Run `step` at each time and stack its values over time.

    Args:
        step: `step(t, *state)` returns the values at time t and the next state, each a tuple of
            tensors.
        state: state before the first step.
        time: number of steps.
        kept: number of values to keep; the others are discarded.
        backwards: run from the last time to the first.

    Returns:
        The first `kept` values, each [time, ...].
    """

    def body(t, state, arrays):
        values, state = step(t, *state)
        written = [a.write(t, x) for a, x in zip(arrays, values[:kept], strict=True)]
        return t + (-1 if backwards else 1), state, written

    arrays = [tf.TensorArray(state[0].dtype, size=time) for _ in range(kept)]
    start = time - 1 if backwards else 0
    *_, arrays = tf.while_loop(
        lambda t, *_: (t >= 0) if backwards else (t < time),
        body,
        (start, state, arrays),
        maximum_iterations=time,
    )
    return [array.stack() for array in arrays]


def previous_states(outputs: tf.Tensor) -> tf.Tensor:
    """State before each step, from the states after it [time, batch, units]; the first is zero."""
    return tf.concat([tf.zeros_like(outputs[:1]), outputs[:-1]], axis=0)


def product(x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """x [batch, n] @ weights [n, m], computed in the type of `weights`, returned in that of x."""
    return tf.cast(tf.matmul(tf.cast(x, weights.dtype), weights), x.dtype)


@tf.custom_gradient
def projection(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
    """x [steps, n] @ kernel [n, m]; its gradient transposes the kernel first (see above)."""

    def gradient(d: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.matmul(d, tf.transpose(kernel)), tf.matmul(x, d, transpose_a=True)

    return tf.matmul(x, kernel), gradient


def weights_gradient(states: tf.Tensor, d: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Gradient [n, m] of weights in a product that was computed at every step.

    Args:
        states: the factor that was multiplied by the weights, [time, batch, n].
        d: gradients of the products, [time, batch, m].
        dtype: precision of the product here.
    """
    # One product over all steps. tf.tensordot would copy the transposed states first.
    rows = [tf.reshape(tf.cast(x, dtype), [-1, x.shape[-1]]) for x in (states, d)]
    return tf.matmul(*rows, transpose_a=True)
