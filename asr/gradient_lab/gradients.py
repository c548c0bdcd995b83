"""`gradient_norms`: norms of a recurrent cell's gradient ∂h_T/∂s_t by distance T − t."""

from __future__ import annotations

import numpy as np

from asr.errors import ConfigError
from asr.networks.numpy_stack import CellState, NumpyLayer
from asr.networks.recurrent import RecurrentStack

COMPLEX_STEP = 1e-30
"""Imaginary step of the derivatives. It may be this small, because nothing is subtracted."""


def first_layer(stack: RecurrentStack) -> NumpyLayer:
    """The lowest layer of a built unidirectional stack, in numpy and float64.

    Raises:
        ConfigError: the stack is bidirectional, so that distance has no meaning.
    """
    if stack.bidirectional:
        raise ConfigError("bidirectional: must be false to measure gradients by distance")
    weights = [w.astype(np.float64) for w in stack.recurrent[0].get_weights()]
    # The weights of fused layers have an axis of directions, those of Keras layers do not.
    return NumpyLayer(stack.cell, *(weights if stack.cell == "rnn" else (w[0] for w in weights)))


def step_jacobian(layer: NumpyLayer, x: np.ndarray, state: CellState) -> np.ndarray:
    """Derivative of the state after a step with respect to the state before it.

    Computed by the complex-step method (Squire & Trapp, 1998), exactly up to rounding in float64.

    Args:
        layer: the layer.
        x: input of the step, [batch, inputs].
        state: state before the step; an LSTM's has two arrays.

    Returns:
        [batch, state after, state before].
    """
    before = np.concatenate(state, axis=-1)
    batch, n = before.shape
    shifted = (before[:, None] + 1j * COMPLEX_STEP * np.eye(n)).reshape(batch * n, n)
    after = layer.step(np.repeat(x, n, axis=0), tuple(np.split(shifted, len(state), axis=-1)))
    derivatives = np.concatenate(after, axis=-1).imag / COMPLEX_STEP
    return derivatives.reshape(batch, n, n).swapaxes(1, 2)


def gradient_norms(layer: NumpyLayer, x: np.ndarray) -> np.ndarray:
    """Spectral norms of ∂h_T/∂s_t for all distances T − t.

    h_T is the output at the end of the sequence. s_t is the state after t steps: h, and for an LSTM
    also c. The gradient is the exact product of the steps' Jacobians (Pascanu et al., 2013).

    Args:
        layer: the layer.
        x: input sequences, [batch, time, inputs].

    Returns:
        [batch, time + 1], by distance from 0 to time.
    """
    states = [layer.start(len(x))]
    for t in range(x.shape[1]):
        states.append(layer.step(x[:, t], states[-1]))
    units = len(layer.recurrent)
    product = np.eye(units, units * len(states[0]))[None]
    norms = [np.ones(len(x))]
    for t in reversed(range(x.shape[1])):
        product = product @ step_jacobian(layer, x[:, t], states[t])
        norms.append(np.linalg.norm(product, 2, axis=(1, 2)))
    return np.stack(norms, axis=1)
