"""How far back a recurrent cell's gradient reaches: norms of ∂h_T/∂s_t by distance."""

from __future__ import annotations

import numpy as np

from asr.errors import ConfigError
from asr.networks.numpy_stack import Layer, State
from asr.networks.recurrent import RecurrentStack

NUDGE = 1e-30
"""Imaginary part that stands for a small change; nothing is subtracted, so none is too small."""


def first_layer(stack: RecurrentStack) -> Layer:
    """The lowest layer of a built stack of one direction, in numpy and float64.

    Raises:
        ConfigError: the stack is bidirectional; its cells look at both ends of a sequence.
    """
    if stack.bidirectional:
        raise ConfigError("bidirectional: must be false to measure gradients over distance")
    weights = [w.astype(np.float64) for w in stack.recurrent[0].get_weights()]
    # The fused layers have an axis of directions, Keras's own has not.
    return Layer(stack.cell, *(weights if stack.cell == "rnn" else (w[0] for w in weights)))


def step_jacobian(layer: Layer, x: np.ndarray, state: State) -> np.ndarray:
    """Derivative of the state behind one step by the state before it: [batch, behind, before].

    By the complex step (Squire & Trapp, 1998): exact to float64's rounding.

    Args:
        x: [batch, inputs]. state: the layer's, an LSTM's with both of its arrays.
    """
    before = np.concatenate(state, axis=-1)
    batch, n = before.shape
    nudged = (before[:, None] + 1j * NUDGE * np.eye(n)).reshape(batch * n, n)
    behind = layer.step(np.repeat(x, n, axis=0), tuple(np.split(nudged, len(state), axis=-1)))
    derivatives = np.concatenate(behind, axis=-1).imag / NUDGE
    return derivatives.reshape(batch, n, n).swapaxes(1, 2)


def gradient_norms(layer: Layer, x: np.ndarray) -> np.ndarray:
    """Largest singular value of ∂h_T/∂s_t at distances T − t of 0 … time: [batch, time + 1].

    h_T is the output at the sequence's end, s_t the whole state t steps in: h, and an LSTM's c, for
    which it was made. The product of the steps' Jacobians (Pascanu et al., 2013), nothing sampled.

    Args:
        x: [batch, time, inputs].
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
