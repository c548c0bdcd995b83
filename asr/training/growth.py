"""Growth of a network: more layers than its initial model."""

from __future__ import annotations

import numpy as np

from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig

INPUT_SCALE = 0.3
"""Standard deviation that the inputs of a new layer are scaled to: small, so that the hyperbolic
tangent is nearly linear."""
GATE_BIAS = 2.0
"""Bias of a new layer's input and output gates, which are then 88 % open. The forget gate has minus
this bias and is 12 % open. With larger ones, the gates would get hardly any gradient."""


def can_grow(before: AcousticConfig, after: AcousticConfig) -> bool:
    """Whether `after` has the recurrent stack of `before` with further layers, which `grow` can
    initialise. The front is not compared."""
    shape = (after.cell, after.units, after.bidirectional, after.norm)
    return (
        after.layers > before.layers
        and after.cell == "lstm"
        and after.norm == "layer"
        and shape == (before.cell, before.units, before.bidirectional, before.norm)
    )


def grow(network: AcousticModel, layers: int) -> None:
    """Make the layers of a network after the first `layers` return nearly what they are given.

    So the training begins with about the errors of the smaller network (Net2Net: Chen et al.,
    2016). Each direction of a new layer passes on its part of the inputs, and the layer
    normalisation scales them back.

    Args:
        network: an LSTM network with layer normalisation. Its first `layers` layers have their
            weights; those of the others are set.
        layers: number of layers that are not new.
    """
    stack = network.stack
    old = stack.norms[layers - 1]
    gamma, beta = np.array(old.gamma), np.array(old.beta)
    # Standard deviation and mean of a frame's inputs, which `gamma` and `beta` give them.
    scale, shift = np.sqrt(np.mean(gamma**2) + np.var(beta)), np.mean(beta)
    units, directions = stack.units, stack.width // stack.units
    # Unit u of direction d passes input d × units + u on.
    identity = INPUT_SCALE / scale * np.eye(stack.width).reshape(directions, units, stack.width)
    kernel = np.zeros([directions, stack.width, 4 * units], np.float32)
    kernel[:, :, 2 * units : 3 * units] = identity.transpose(0, 2, 1)
    gates = [GATE_BIAS, -GATE_BIAS, 0.0, GATE_BIAS]  # input, forget, cell, output
    bias = np.tile(np.repeat(gates, units), [directions, 1])
    for layer, norm in zip(stack.recurrent[layers:], stack.norms[layers:], strict=True):
        layer.kernel.assign(kernel)
        layer.recurrent_kernel.assign(np.zeros([directions, units, 4 * units]))
        layer.bias.assign(bias)
        norm.gamma.assign(np.full(stack.width, scale))
        norm.beta.assign(np.full(stack.width, shift))
