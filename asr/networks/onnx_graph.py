"""ONNX graphs that are built from weights: nodes, recurrent layers, sessions.

The gates of ONNX's recurrent operations are in another order than those of Keras.
docs/decisions/008-light-runtime.md compares alternatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from asr.base.onnxruntime import onnxruntime
from asr.networks.acoustic_config import NORM_EPSILON, Cell
from asr.networks.numpy_stack import CELLS
from asr.networks.weights import WeightArrays

OPSET, IR_VERSION = 17, 8
"""The lowest opset with LayerNormalization, so that older runtimes can read the file."""
GATES = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "rnn": (0,)}
"""Position in Keras of each gate of ONNX, by cell. The order in ONNX is input, output, forget, cell
for an LSTM, and update, reset, candidate for a GRU."""
_TYPES = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}


class OnnxGraph:
    """Collects the nodes and constants of a graph, and numbers their names.

    Args:
        wide: store weights as float32 instead of in the precision of the model directory.
    """

    def __init__(self, wide: bool = False) -> None:
        self.wide = wide
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        output = f"{operation}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [output], output, **attributes))
        return output

    def multi_output(
        self, count: int, operation: str, *inputs: str, **attributes: Any
    ) -> list[str]:
        """Add a node with this number of outputs; returns their names."""
        name = f"{operation}_{len(self.nodes)}"
        outputs = [f"{name}_{i}" for i in range(count)]
        self.nodes.append(helper.make_node(operation, inputs, outputs, name, **attributes))
        return outputs

    def constant(self, values: Any) -> str:
        """Add a constant; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def integers(self, *values: int) -> str:
        """Add a constant of int64."""
        return self.constant(np.array(values, np.int64))

    def weight(self, values: np.ndarray) -> str:
        """A float32 constant, stored as in the model directory, or as float32 if `wide`."""
        if self.wide:
            values = values.astype(np.float32)
        name = self.constant(values)
        return name if values.dtype == np.float32 else self("Cast", name, to=TensorProto.FLOAT)

    def dense(self, x: str, weights: WeightArrays, path: str, inputs: int, outputs: int) -> str:
        """A layer `Dense` without activation: [..., inputs] → [..., outputs]."""
        kernel = self.weight(weights.take(f"{path}/kernel", inputs, outputs))
        bias = self.weight(weights.take(f"{path}/bias", outputs))
        return self("Add", self("MatMul", x, kernel), bias)

    def model(
        self,
        name: str,
        inputs: dict[str, tuple[str, list[str | int]]],
        outputs: dict[str, tuple[str, list[str | int]]],
    ) -> bytes:
        """The graph as a serialised model.

        Args:
            name: name of the graph.
            inputs, outputs: type, "float32" or "int32", and shape by name. An entry of a shape
                is a size, or a name for any size.
        """
        declared, made = (
            [helper.make_tensor_value_info(n, _TYPES[t], shape) for n, (t, shape) in infos.items()]
            for infos in (inputs, outputs)
        )
        graph = helper.make_graph(self.nodes, name, declared, made, self.constants)
        model = helper.make_model(
            graph,
            producer_name="asr",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        return bytes(model.SerializeToString())

    def name_output(self, name: str, value: str, operation: str = "Identity", **kw: Any) -> None:
        """Let an operation on a value be an output of the graph."""
        self.nodes.append(helper.make_node(operation, [value], [name], **kw))


def recurrent_stack(
    graph: OnnxGraph,
    weights: WeightArrays,
    path: str,
    x: str,
    n: int,
    lengths: str = "",
    *,
    cell: Cell,
    units: int,
    layers: int,
    bidirectional: bool = True,
    norm: str = "layer",
    states: list[str] | None = None,
) -> tuple[str, int]:
    """Add a `RecurrentStack`.

    Args:
        graph: where to add it.
        weights: arrays of the model.
        path: of the stack's variables.
        x: the input, [frames, batch, n].
        n: its number of features.
        lengths: frames of each row, int32 [batch]; default: "", all.
        cell, units, layers, bidirectional, norm: see `RecurrentStack`.
        states: states of all layers before the first step, each [directions, batch, units]; an LSTM
            has its output and its cell state, one after the other. They are replaced by the states
            after the last step. Default: zeros.

    Returns:
        The output, [frames, batch, width], and its width.
    """
    width, parts = n, CELLS[cell].state_arrays
    for i in range(layers):
        before = [] if states is None else states[i * parts : (i + 1) * parts]
        x, after = _layer(
            graph, weights, path, i, x, width, lengths, cell, units, bidirectional, before
        )
        if states is not None:
            states[i * parts : (i + 1) * parts] = after
        width = units * (2 if bidirectional else 1)
        if norm == "layer":
            scale = graph.weight(weights.take(f"{path}/norm_{i}/gamma", width))
            shift = graph.weight(weights.take(f"{path}/norm_{i}/beta", width))
            x = graph("LayerNormalization", x, scale, shift, axis=-1, epsilon=NORM_EPSILON)
    return x, width


def stack_between_layers(
    name: str,
    weights: WeightArrays,
    paths: tuple[str, str, str],
    ends: tuple[str, str],
    axis: str,
    sizes: tuple[int, int],
    *,
    cell: Cell,
    units: int,
    layers: int,
) -> bytes:
    """A whole graph for one sequence: a dense layer with ReLU, a `RecurrentStack`, a dense layer.

    Args:
        name: name of the graph.
        weights: arrays of the model.
        paths: paths of the first layer, the stack and the last layer.
        ends: names of the input and the output.
        axis: name of the axis of time, the first one of both.
        sizes: features of the input and of the output.
        cell, units, layers: see `RecurrentStack`; the first layer has `units` outputs, too.

    Returns:
        The serialised model.
    """
    graph = OnnxGraph()
    (first, stack, last), (given, made), (inputs, outputs) = paths, ends, sizes
    x = graph("Relu", graph.dense(given, weights, first, inputs, units))
    x = graph("Unsqueeze", x, graph.integers(1))
    x, width = recurrent_stack(
        graph, weights, stack, x, units, cell=cell, units=units, layers=layers
    )
    x = graph("Squeeze", x, graph.integers(1))
    graph.name_output(made, graph.dense(x, weights, last, width, outputs))
    return graph.model(
        name, {given: ("float32", [axis, inputs])}, {made: ("float32", [axis, outputs])}
    )


def _layer(
    graph: OnnxGraph,
    weights: WeightArrays,
    path: str,
    layer: int,
    x: str,
    n: int,
    lengths: str,
    cell: Cell,
    units: int,
    bidirectional: bool,
    before: list[str],
) -> tuple[str, list[str]]:
    """[frames, batch, n] → [frames, batch, units], or 2 × units when bidirectional; and the state
    after the last step. `before` is the state before the first one; empty for zeros."""
    order = GATES[cell]
    directions = 2 if bidirectional else 1
    u, width = units, len(order) * units

    def gates(array: np.ndarray) -> np.ndarray:
        """[directions, …, gates × units] → [directions, gates × units, …], in the order of ONNX."""
        blocks = np.split(np.moveaxis(array, -1, 1), len(order), axis=1)
        return np.concatenate([blocks[i] for i in order], axis=1)

    def take(name: str, *shape: int) -> np.ndarray:
        at = f"{path}/{cell}_{layer}"
        if cell != "rnn":
            return gates(weights.take(f"{at}/{name}", directions, *shape))
        # The vanilla cell is the layer of Keras, in its Bidirectional wrapper if there are two.
        paths = [f"{at}/simple_rnn_cell/{name}"]
        if bidirectional:
            wrapper = f"{path}/bi_{cell}_{layer}"
            paths = [
                f"{wrapper}/{direction}_{cell}_{layer}/simple_rnn_cell/{name}"
                for direction in ("forward", "backward")
            ]
        return gates(np.stack([weights.take(path, *shape) for path in paths]))

    kernel, recurrent = take("kernel", n, width), take("recurrent_kernel", u, width)
    bias = take("bias", width)
    # ONNX has a second bias, for the recurrent product. Here only the GRU has one.
    second = take("recurrent_bias", width) if cell == "gru" else np.zeros_like(bias)
    inputs = [graph.weight(a) for a in (kernel, recurrent, np.concatenate([bias, second], axis=1))]
    y, *after = graph.multi_output(
        1 + CELLS[cell].state_arrays,
        cell.upper(),
        x,
        *inputs,
        lengths,
        *before,
        hidden_size=u,
        direction="bidirectional" if bidirectional else "forward",
        **({"linear_before_reset": 1} if cell == "gru" else {}),
    )
    y = graph("Transpose", y, perm=[0, 2, 1, 3])  # from [frames', directions, batch, units]
    return graph("Reshape", y, graph.integers(0, 0, directions * u)), after


def open_session(graph: bytes, threads: int = 0) -> onnxruntime.InferenceSession:
    """A session of ONNX Runtime on the CPU.

    Args:
        graph: serialised ONNX model.
        threads: number of threads; 0 lets the runtime choose.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # The steps of an LSTM are short. Threads that spin until the next step would take the
    # processor from each other, and from other programs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
