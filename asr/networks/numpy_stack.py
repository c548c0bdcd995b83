"""The recurrent cells in NumPy, and `NumpyStack`, which runs a trained `RecurrentStack`.

Language models in a beam search and the conversion of spelling to phones use it: they run step by
step, and importing TensorFlow would take longer than running them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from asr.networks.acoustic_config import NORM_EPSILON, Cell
from asr.networks.weights import WeightArrays

CellState = tuple[np.ndarray, ...]
"""State of a cell between two steps: its output and, for an LSTM, its cell state. Each array is
[batch, units]."""
Step = Callable[[np.ndarray, np.ndarray, np.ndarray | None, CellState], CellState]


def rnn(
    x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray | None, state: CellState
) -> CellState:
    """One step of the vanilla cell (Elman, 1990): h' = tanh(x + h U).

    Args:
        x: projected input, W input + bias: [batch, units].
        recurrent: U, [units, units].
        bias: unused; only `gru` has a recurrent bias.
        state: (h,).

    Returns:
        The next state, (h',).
    """
    return (np.tanh(x + state[0] @ recurrent),)


def lstm(
    x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray | None, state: CellState
) -> CellState:
    """One step of the LSTM (Hochreiter & Schmidhuber, 1997; Gers et al., 2000).

    c' = f c + i g, h' = o tanh c'. The columns of x [batch, 4 units] and of recurrent
    [units, 4 units] are the gates i, f, g, o, in this order. `state` is (h, c); `bias` is unused.
    """
    h, c = state
    i, f, g, o = np.split(x + h @ recurrent, 4, axis=-1)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


def gru(
    x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray | None, state: CellState
) -> CellState:
    """One step of the GRU (Cho et al., 2014), with the reset gate after the product, as in cuDNN.

    h' = z h + (1 − z) tanh(x_g + r (h U_g + b)). The columns of x [batch, 3 units], recurrent
    [units, 3 units] and bias [3 units] are the gates z, r, g, in this order. `state` is (h,).

    Raises:
        ValueError: `bias` is None.
    """
    (h,) = state
    if bias is None:
        raise ValueError("bias: the GRU needs its recurrent bias [3 units], found None")
    zx, rx, gx = np.split(x, 3, axis=-1)
    zh, rh, gh = np.split(h @ recurrent + bias, 3, axis=-1)
    z = _sigmoid(zx + zh)
    return (z * h + (1 - z) * np.tanh(gx + _sigmoid(rx + rh) * gh),)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    # Computed with tanh, because exp(−x) would overflow for a large negative x.
    half = np.asarray(0.5, x.dtype)
    return half * np.tanh(half * x) + half


class CellKind(NamedTuple):
    """How to run a kind of cell.

    Attributes:
        step: computes the next state.
        gates: number of blocks of `units` columns in the kernels.
        state_arrays: number of arrays in the state.
    """

    step: Step
    gates: int
    state_arrays: int


CELLS: dict[Cell, CellKind] = {
    "rnn": CellKind(rnn, gates=1, state_arrays=1),
    "lstm": CellKind(lstm, gates=4, state_arrays=2),
    "gru": CellKind(gru, gates=3, state_arrays=1),
}
"""Kinds of cells by name."""


class NumpyLayer:
    """One direction of one recurrent layer.

    Args:
        cell: kind of cell.
        kernel: weights of the inputs, [inputs, gates × units].
        recurrent: weights of the state, [units, gates × units].
        bias: bias of the inputs' projection, [gates × units].
        recurrent_bias: bias of the state's projection, [3 units]; only the GRU has one.
    """

    def __init__(
        self,
        cell: Cell,
        kernel: np.ndarray,
        recurrent: np.ndarray,
        bias: np.ndarray,
        recurrent_bias: np.ndarray | None = None,
    ) -> None:
        self.kind = CELLS[cell]
        self.kernel, self.recurrent, self.bias = kernel, recurrent, bias
        self.recurrent_bias = recurrent_bias

    def start(self, batch: int) -> CellState:
        """The zero state."""
        shape = (batch, len(self.recurrent))
        return tuple(np.zeros(shape, np.float32) for _ in range(self.kind.state_arrays))

    def step(self, x: np.ndarray, state: CellState) -> CellState:
        """The state after one step with inputs [batch, inputs]; its first array is the output."""
        return self.kind.step(
            x @ self.kernel + self.bias, self.recurrent, self.recurrent_bias, state
        )

    def run(self, x: np.ndarray) -> np.ndarray:
        """Run from the zero state: inputs [batch, time, inputs] → outputs [batch, time, units]."""
        projected = x @ self.kernel + self.bias
        state = self.start(len(x))
        outputs = np.empty((*x.shape[:2], len(self.recurrent)), np.float32)
        for t in range(x.shape[1]):
            state = self.kind.step(projected[:, t], self.recurrent, self.recurrent_bias, state)
            outputs[:, t] = state[0]
        return outputs


class NumpyStack:
    """A trained `RecurrentStack` in NumPy, in float32.

    Args:
        weights: arrays of the model; the stack takes those that belong to it.
        prefix: path of the Keras layer, such as "language/stack".
        inputs: size of the first layer's inputs.
        cell, units, layers, bidirectional, norm: as in `RecurrentStack`.
    """

    def __init__(
        self,
        weights: WeightArrays,
        prefix: str,
        inputs: int,
        cell: Cell,
        units: int,
        layers: int,
        bidirectional: bool = False,
        norm: Literal["layer", "none"] = "layer",
    ) -> None:
        self.width = units * (2 if bidirectional else 1)
        self.layers: list[tuple[NumpyLayer, ...]] = []
        self.norms: list[tuple[np.ndarray, np.ndarray]] = []
        for i in range(layers):
            n = self.width if i else inputs
            self.layers.append(
                _layer(weights, f"{prefix}/{{}}{cell}_{i}", cell, n, units, bidirectional)
            )
            if norm == "layer":
                gamma, beta = (
                    weights.take(f"{prefix}/norm_{i}/{name}", self.width).astype(np.float32)
                    for name in ("gamma", "beta")
                )
                self.norms.append((gamma, beta))

    def start(self, batch: int) -> tuple[CellState, ...]:
        """The zero state of each layer of a unidirectional stack."""
        return tuple(layer.start(batch) for (layer,) in self.layers)

    def step(
        self, x: np.ndarray, state: tuple[CellState, ...]
    ) -> tuple[np.ndarray, tuple[CellState, ...]]:
        """One step of a unidirectional stack.

        Args:
            x: inputs, [batch, n].
            state: state of each layer before the step.

        Returns:
            Outputs [batch, units], and the state of each layer after the step.
        """
        next_state = []
        for i, ((layer,), before) in enumerate(zip(self.layers, state, strict=True)):
            after = layer.step(x, before)
            next_state.append(after)
            x = self._norm(i, after[0])
        return x, tuple(next_state)

    def run(self, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Run from the zero state.

        Args:
            x: inputs, [batch, time, n].
            lengths: number of valid steps in each row, int [batch]. Inputs beyond a length do not
                change the outputs before it.

        Returns:
            Outputs [batch, time, width]; outputs beyond a row's length are undefined.
        """
        for i, directions in enumerate(self.layers):
            outputs = [directions[0].run(x)]
            if len(directions) == 2:
                # Reverse only the valid steps, so that the padding comes last for both directions.
                time = np.arange(x.shape[1])
                places = np.where(time < lengths[:, None], lengths[:, None] - 1 - time, time)
                backwards = directions[1].run(np.take_along_axis(x, places[:, :, None], axis=1))
                outputs.append(np.take_along_axis(backwards, places[:, :, None], axis=1))
            x = self._norm(i, np.concatenate(outputs, axis=-1))
        return x

    def _norm(self, i: int, x: np.ndarray) -> np.ndarray:
        if not self.norms:
            return x
        gamma, beta = self.norms[i]
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        return centred / np.sqrt(variance + NORM_EPSILON) * gamma + beta


def _layer(
    weights: WeightArrays, path: str, cell: Cell, n: int, units: int, bidirectional: bool
) -> tuple[NumpyLayer, ...]:
    """The directions of one layer. Keras puts a prefix where `path` has a pair of braces."""
    gates = CELLS[cell].gates * units
    shapes = {"kernel": (n, gates), "recurrent_kernel": (units, gates), "bias": (gates,)}
    if cell == "gru":
        shapes["recurrent_bias"] = (gates,)
    if cell != "rnn":
        fused = [
            weights.take(f"{path.format('')}/{name}", 2 if bidirectional else 1, *shape)
            for name, shape in shapes.items()
        ]
        return tuple(
            NumpyLayer(cell, *(array[i].astype(np.float32) for array in fused))
            for i in range(len(fused[0]))
        )
    # The vanilla cell is the layer of Keras, in its Bidirectional wrapper if there are two.
    name = path.rpartition("{}")[2]
    directions = [f"bi_{name}/{d}_" for d in ("forward", "backward")] if bidirectional else [""]

    def take(direction: str, array: str) -> np.ndarray:
        name = f"{path.format(direction)}/simple_rnn_cell/{array}"
        return weights.take(name, *shapes[array]).astype(np.float32)

    return tuple(NumpyLayer(cell, *(take(d, array) for array in shapes)) for d in directions)
