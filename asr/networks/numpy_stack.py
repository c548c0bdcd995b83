"""The recurrent cells in numpy, by their equations, and `Stack`, a trained `RecurrentStack`.

For what has to start at once and go step by step: language models in a search, spelling to phones.
TensorFlow would take longer to import than they take to run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Literal

import numpy as np

from asr.networks.acoustic_config import Cell
from asr.networks.weights import Weights

State = tuple[np.ndarray, ...]
"""What a cell keeps from step to step, each [batch, units]: the output, and an LSTM's cell."""
Step = Callable[[np.ndarray, np.ndarray, np.ndarray | None, State], State]

NORM_EPSILON = 1e-3
"""Keras's default."""


def one_thread() -> AbstractContextManager[Any]:
    """While it lasts, numpy's matrix products use one thread of the process.

    Those of a step are so small that threads cost more than they save, and far more where others
    want the cores: they wait for each other, thousands of times.
    """
    return _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController  # milliseconds that most starts do without

    return ThreadpoolController()


def rnn(x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray | None, state: State) -> State:
    """One step of the vanilla cell (Elman, 1990): h' = tanh(x + h U).

    Args:
        x: the input's part, W input + bias: [batch, units].
        recurrent: U, [units, units].
        bias: not used; see `gru`.
        state: (h,).
    """
    return (np.tanh(x + state[0] @ recurrent),)


def lstm(x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray | None, state: State) -> State:
    """One step of the LSTM (Hochreiter & Schmidhuber, 1997; Gers et al., 2000).

    c' = f c + i g, h' = o tanh c'; the gates i, f, g, o stand side by side in x [batch, 4 units]
    and recurrent [units, 4 units]. `state` is (h, c); `bias` is not used.
    """
    h, c = state
    i, f, g, o = np.split(x + h @ recurrent, 4, axis=-1)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


def gru(x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray | None, state: State) -> State:
    """One step of the GRU (Cho et al., 2014), its reset gate behind the product as in cuDNN.

    h' = z h + (1 − z) tanh(x_g + r (h U_g + b)); the gates z, r, g stand side by side in
    x [batch, 3 units], recurrent [units, 3 units] and bias [3 units]. `state` is (h,).
    """
    (h,) = state
    assert bias is not None
    zx, rx, gx = np.split(x, 3, axis=-1)
    zh, rh, gh = np.split(h @ recurrent + bias, 3, axis=-1)
    z = _sigmoid(zx + zh)
    return (z * h + (1 - z) * np.tanh(gx + _sigmoid(rx + rh) * gh),)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    # By tanh: exp of a large negative number would overflow.
    half = np.asarray(0.5, x.dtype)
    return half * np.tanh(half * x) + half


CELLS: dict[Cell, tuple[Step, int, int]] = {"rnn": (rnn, 1, 1), "lstm": (lstm, 4, 2),
                                            "gru": (gru, 3, 1)}  # fmt: skip
"""By name: the step, blocks of `units` columns in its kernels, arrays in its state."""


class Layer:
    """One direction of one layer.

    kernel: [inputs, gates × units]; recurrent: [units, gates × units]; bias: [gates × units];
    recurrent_bias: the GRU's, [3 units].
    """

    def __init__(
        self, cell: Cell, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray,
        recurrent_bias: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        self.cell, _, self.arrays = CELLS[cell]
        self.kernel, self.recurrent, self.bias = kernel, recurrent, bias
        self.recurrent_bias = recurrent_bias

    def start(self, batch: int) -> State:
        """The zero state."""
        return tuple(np.zeros((batch, len(self.recurrent)), np.float32) for _ in range(self.arrays))

    def step(self, x: np.ndarray, state: State) -> State:
        """Inputs [batch, inputs] and the state before → that behind; its first is the output."""
        return self.cell(x @ self.kernel + self.bias, self.recurrent, self.recurrent_bias, state)

    def run(self, x: np.ndarray) -> np.ndarray:
        """[batch, time, inputs] → [batch, time, units], from the zero state."""
        projected = x @ self.kernel + self.bias
        state = self.start(len(x))
        outputs = np.empty((*x.shape[:2], len(self.recurrent)), np.float32)
        for t in range(x.shape[1]):
            state = self.cell(projected[:, t], self.recurrent, self.recurrent_bias, state)
            outputs[:, t] = state[0]
        return outputs


class Stack:
    """A trained `RecurrentStack`, in float32; see there for what it computes.

    Args:
        weights: the model's arrays; the stack takes its own.
        prefix: path of the Keras layer, such as "language/stack".
        inputs: size of the first layer's inputs.
        cell, units, layers, bidirectional, norm: as in training.
    """

    def __init__(
        self,
        weights: Weights,
        prefix: str,
        inputs: int,
        cell: Cell,
        units: int,
        layers: int,
        bidirectional: bool = False,
        norm: Literal["layer", "none"] = "layer",
    ) -> None:
        self.width = units * (2 if bidirectional else 1)
        self.layers: list[tuple[Layer, ...]] = []
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

    def start(self, batch: int) -> tuple[State, ...]:
        """The zero state of a stack of one direction, a part a layer."""
        return tuple(layer.start(batch) for (layer,) in self.layers)

    def step(self, x: np.ndarray, state: tuple[State, ...]) -> tuple[np.ndarray, tuple[State, ...]]:
        """One step of a stack of one direction: inputs [batch, n] and the state before → outputs
        [batch, units] and the state behind."""
        behind = []
        for i, ((layer,), before) in enumerate(zip(self.layers, state, strict=True)):
            after = layer.step(x, before)
            behind.append(after)
            x = self._norm(i, after[0])
        return x, tuple(behind)

    def run(self, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """[batch, time, n] and int lengths [batch] → [batch, time, width]. What lies beyond a
        length means nothing, and does not change what lies before it."""
        for i, directions in enumerate(self.layers):
            outputs = [directions[0].run(x)]
            if len(directions) == 2:
                # Reversed by true lengths, so that the padding comes last for both.
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
    weights: Weights, path: str, cell: Cell, n: int, units: int, bidirectional: bool
) -> tuple[Layer, ...]:
    """The directions of a layer; `path` has a place for what Keras puts before its name."""
    gates = CELLS[cell][1] * units
    shapes = {"kernel": (n, gates), "recurrent_kernel": (units, gates), "bias": (gates,)}
    if cell == "gru":
        shapes["recurrent_bias"] = (gates,)
    if cell != "rnn":
        fused = [
            weights.take(f"{path.format('')}/{name}", 2 if bidirectional else 1, *shape)
            for name, shape in shapes.items()
        ]
        return tuple(
            Layer(cell, *(array[i].astype(np.float32) for array in fused))
            for i in range(len(fused[0]))
        )
    # Keras's own layer, and its wrapper that makes two of one.
    name = path.rpartition("{}")[2]
    directions = [f"bi_{name}/{d}_" for d in ("forward", "backward")] if bidirectional else [""]
    return tuple(
        Layer(cell, *(
            weights.take(f"{path.format(d)}/simple_rnn_cell/{array}", *shape).astype(np.float32)
            for array, shape in shapes.items()
        ))
        for d in directions
    )  # fmt: skip
