"""The acoustic model as an ONNX graph, and run by ONNX Runtime: no TensorFlow, no Keras.

The graph is put together from a model directory's weights when it is needed, so that there is no
second file that could fall behind them. It has ONNX's own recurrent operations with true lengths,
which are ours with their gates in another order (docs/decisions/008-light-runtime.md has what else
was tried).
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from asr.base.files import atomic_write
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.model_directory import read_model
from asr.networks.weights import Weights
from asr.text.tokenizers import Tokenizer

OPSET, IR_VERSION = 17, 8
"""The first with LayerNormalization, so that older runtimes can read it too."""
NORM_EPSILON = 1e-3
"""Keras's default."""
GATES = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "rnn": (0,)}
"""Of each cell's gates in Keras's order, in ONNX's: an LSTM's input, output, forget, cell; a GRU's
update, reset, candidate."""


class _Graph:
    """Nodes and constants under numbered names."""

    def __init__(self, wide: bool) -> None:
        self.wide = wide
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; the name of its output."""
        output = f"{operation}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [output], output, **attributes))
        return output

    def constant(self, values: Any) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def weight(self, values: np.ndarray) -> str:
        """A float32 constant, stored in the model directory's bits or in float32 if `wide`."""
        if self.wide:
            values = values.astype(np.float32)
        name = self.constant(values)
        return name if values.dtype == np.float32 else self("Cast", name, to=TensorProto.FLOAT)


def build(
    config: AcousticConfig, dimension: int, labels: int, weights: Weights, wide: bool = False
) -> bytes:
    """A serialised ONNX model of `AcousticModel`.

    Its weights take as many bits as in the model directory, or 32 if `wide`.

    Inputs: float32 `features` [batch, frames, dimension], zero beyond each utterance's end, and
    int32 `lengths` [batch]. Outputs: float32 `logits` [batch, frames', labels], of which those
    beyond an utterance's length mean nothing, and int32 `logits_length` [batch]. Labels are those
    of all heads, side by side.

    Raises:
        ModelError: the weights are not those of this network.
    """
    graph = _Graph(wide)
    stride = config.stride
    one, step = (graph.constant(np.array(n, np.int32)) for n in (stride - 1, stride))
    lengths = graph("Div", graph("Add", "lengths", one), step)
    x, width = _front(graph, config, dimension, weights)
    for i in range(config.layers):
        x = _recurrent(graph, config, x, lengths, width, weights, i)
        width = config.units * (2 if config.bidirectional else 1)
        if config.norm == "layer":
            scale = graph.weight(weights.take(f"acoustic/stack/norm_{i}/gamma", width))
            shift = graph.weight(weights.take(f"acoustic/stack/norm_{i}/beta", width))
            x = graph("LayerNormalization", x, scale, shift, axis=-1, epsilon=NORM_EPSILON)
    heads = []
    for head, size in config.heads(labels).items():
        kernel = graph.weight(weights.take(f"acoustic/{head}/kernel", width, size))
        bias = graph.weight(weights.take(f"acoustic/{head}/bias", size))
        heads.append(graph("Add", graph("MatMul", x, kernel), bias))
    x = graph("Concat", *heads, axis=2) if len(heads) > 1 else heads[0]
    weights.finish()
    outputs = sum(config.heads(labels).values())
    graph.nodes.append(helper.make_node("Transpose", [x], ["logits"], perm=[1, 0, 2]))
    graph.nodes.append(helper.make_node("Identity", [lengths], ["logits_length"]))
    value, real, whole = helper.make_tensor_value_info, TensorProto.FLOAT, TensorProto.INT32
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "acoustic",
            [
                value("features", real, ["batch", "frames", dimension]),
                value("lengths", whole, ["batch"]),
            ],
            [
                value("logits", real, ["batch", "output_frames", outputs]),
                value("logits_length", whole, ["batch"]),
            ],
            graph.constants,
        ),
        producer_name="asr",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    return bytes(model.SerializeToString())


def _front(
    graph: _Graph, config: AcousticConfig, dimension: int, weights: Weights
) -> tuple[str, int]:
    """Features at the lower frame rate, [frames', batch, n], and n."""
    stride, kernel = config.stride, 2 * config.stride
    frames = graph("Shape", "features", start=1, end=2)
    right = graph("Mod", graph("Neg", frames), graph.integers(stride))
    left = 0
    if config.front == "conv":
        left = (kernel - stride) // 2
        right = graph("Add", right, graph.integers(kernel - stride - left))
    zero = graph.integers(0)
    pads = graph("Concat", graph.integers(0, left, 0), zero, right, zero, axis=0)
    x = graph("Pad", "features", pads)
    if config.front == "stack":
        x = graph("Reshape", x, graph.integers(0, -1, stride * dimension))
        return graph("Transpose", x, perm=[1, 0, 2]), stride * dimension
    array = weights.take("acoustic/conv/kernel", kernel, dimension, config.filters)
    bias = graph.weight(weights.take("acoustic/conv/bias", config.filters))
    x = graph("Transpose", x, perm=[0, 2, 1])
    x = graph("Conv", x, graph.weight(array.transpose(2, 1, 0)), bias, strides=[stride])
    return graph("Transpose", graph("Relu", x), perm=[2, 0, 1]), config.filters


def _recurrent(
    graph: _Graph,
    config: AcousticConfig,
    x: str,
    lengths: str,
    n: int,
    weights: Weights,
    layer: int,
) -> str:
    """[frames', batch, n] → [frames', batch, units], or 2 × units when bidirectional."""
    order = GATES[config.cell]
    directions, u, width = (
        (2 if config.bidirectional else 1),
        config.units,
        len(order) * config.units,
    )

    def gates(array: np.ndarray) -> np.ndarray:
        """[directions, …, gates × units] → [directions, gates × units, …], in ONNX's order."""
        blocks = np.split(np.moveaxis(array, -1, 1), len(order), axis=1)
        return np.concatenate([blocks[i] for i in order], axis=1)

    def take(name: str, *shape: int) -> np.ndarray:
        stack, cell = "acoustic/stack", f"{config.cell}_{layer}"
        if config.cell != "rnn":
            return gates(weights.take(f"{stack}/{cell}/{name}", directions, *shape))
        # Keras's own layer, and its wrapper that makes two of one.
        paths = [f"{stack}/{cell}/simple_rnn_cell/{name}"]
        if config.bidirectional:
            paths = [
                f"{stack}/bi_{cell}/{direction}_{cell}/simple_rnn_cell/{name}"
                for direction in ("forward", "backward")
            ]
        return gates(np.stack([weights.take(path, *shape) for path in paths]))

    kernel, recurrent = take("kernel", n, width), take("recurrent_kernel", u, width)
    bias = take("bias", width)
    # ONNX has a second bias, of the recurrent product, and so has the GRU.
    second = take("recurrent_bias", width) if config.cell == "gru" else np.zeros_like(bias)
    inputs = [graph.weight(a) for a in (kernel, recurrent, np.concatenate([bias, second], axis=1))]
    y = graph(
        config.cell.upper(), x, *inputs, lengths, hidden_size=u,
        direction="bidirectional" if config.bidirectional else "forward",
        **({"linear_before_reset": 1} if config.cell == "gru" else {}),
    )  # fmt: skip
    y = graph("Transpose", y, perm=[0, 2, 1, 3])  # from [frames', directions, batch, units]
    return graph("Reshape", y, graph.integers(0, 0, directions * u))


def export_onnx(model: str, out: Path, int8: bool = False) -> Path:
    """Write `out`/NAME.onnx for other programs, or `out`/NAME.int8.onnx; returns it.

    With `int8`, LSTMs and products have 8-bit weights and quantise what they are given as it
    comes: half the size, quicker, and logits only nearly the same (benchmarks/runtimes.py).

    Raises:
        ModelError, ConfigError: see `Recognizer.load`.
    """
    folder, config = read_model(model)
    weights = Weights(folder / "weights.npz", config.weights_sha256)
    labels = len(Tokenizer(config.tokenizer))
    graph = build(config.acoustic, config.features.dimension, labels, weights, wide=int8)
    path = out / f"{config.name}{'.int8' if int8 else ''}.onnx"
    with atomic_write(path, binary=True) as file:
        file.write(quantise(graph) if int8 else graph)
    return path


def quantise(graph: bytes) -> bytes:
    """A graph of `build` with 8-bit weights (ONNX Runtime's dynamic quantisation)."""
    from onnxruntime import quantization  # takes longer to import than all the rest

    model = onnx.load_from_string(graph)
    # It would advise to simplify the graph first, in which there is nothing to simplify.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with TemporaryDirectory() as folder:
        path = Path(folder, "int8.onnx")
        quantization.quantize_dynamic(model, path, weight_type=quantization.QuantType.QInt8)
        return path.read_bytes()


class OnnxNetwork:
    """A graph of `build` in ONNX Runtime, on the CPU.

    Args:
        threads: 0 leaves that to the runtime.
    """

    def __init__(self, graph: bytes, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # An LSTM's steps are short: threads that wait for the next one awake would take the
        # processor from each other, and from everyone else, on a machine that has other work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """See `runtimes.Network`."""
        (logits,) = self.session.run(["logits"], {"features": features, "lengths": lengths})
        return logits
