"""The acoustic model as an ONNX graph, run by ONNX Runtime without TensorFlow and Keras.

The graph is built from a model directory's weights each time it is needed, so there is no second
file that could be out of date. It uses the recurrent operations of ONNX with true lengths. Their
gates are in another order than those of Keras. docs/decisions/008-light-runtime.md compares
alternatives.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from asr.base.files import atomic_write
from asr.base.onnxruntime import onnxruntime
from asr.networks.acoustic_config import NORM_EPSILON, AcousticConfig
from asr.networks.model_directory import read_model
from asr.networks.weights import WeightArrays
from asr.text.tokenizers import Tokenizer

OPSET, IR_VERSION = 17, 8
"""The lowest opset with LayerNormalization, so that older runtimes can read the file."""
GATES = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "rnn": (0,)}
"""Position in Keras of each gate of ONNX, by cell. The order in ONNX is input, output, forget, cell
for an LSTM, and update, reset, candidate for a GRU."""


class _Graph:
    """Collects the nodes and constants of a graph, and numbers their names."""

    def __init__(self, wide: bool) -> None:
        self.wide = wide
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
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
        """A float32 constant, stored as in the model directory, or as float32 if `wide`."""
        if self.wide:
            values = values.astype(np.float32)
        name = self.constant(values)
        return name if values.dtype == np.float32 else self("Cast", name, to=TensorProto.FLOAT)


def build_graph(
    config: AcousticConfig, dimension: int, labels: int, weights: WeightArrays, wide: bool = False
) -> bytes:
    """Build `AcousticModel` as a serialised ONNX model.

    Inputs of the graph: float32 `features` [batch, frames, dimension], zero beyond each utterance's
    length, and int32 `lengths` [batch]. Outputs: float32 `logits` [batch, frames', labels] of all
    heads side by side, undefined beyond an utterance's length, and int32 `logits_length` [batch].

    Args:
        config: shape of the acoustic model.
        dimension: number of features in a frame.
        labels: number of the tokenizer's labels.
        weights: arrays of the model.
        wide: store weights as float32 instead of in the precision of the model directory.

    Raises:
        ModelError: the weights do not fit the network.
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
    layout = config.head_layout(labels)
    for head, size in layout.sizes.items():
        kernel = graph.weight(weights.take(f"acoustic/{head}/kernel", width, size))
        bias = graph.weight(weights.take(f"acoustic/{head}/bias", size))
        heads.append(graph("Add", graph("MatMul", x, kernel), bias))
    x = graph("Concat", *heads, axis=2) if len(heads) > 1 else heads[0]
    weights.finish()
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
                value("logits", real, ["batch", "output_frames", layout.size]),
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
    graph: _Graph, config: AcousticConfig, dimension: int, weights: WeightArrays
) -> tuple[str, int]:
    """The front: returns features at the lower frame rate, [frames', batch, n], and n."""
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
    weights: WeightArrays,
    layer: int,
) -> str:
    """[frames', batch, n] → [frames', batch, units], or 2 × units when bidirectional."""
    order = GATES[config.cell]
    directions = 2 if config.bidirectional else 1
    u, width = config.units, len(order) * config.units

    def gates(array: np.ndarray) -> np.ndarray:
        """[directions, …, gates × units] → [directions, gates × units, …], in the order of ONNX."""
        blocks = np.split(np.moveaxis(array, -1, 1), len(order), axis=1)
        return np.concatenate([blocks[i] for i in order], axis=1)

    def take(name: str, *shape: int) -> np.ndarray:
        stack, cell = "acoustic/stack", f"{config.cell}_{layer}"
        if config.cell != "rnn":
            return gates(weights.take(f"{stack}/{cell}/{name}", directions, *shape))
        # The vanilla cell is the layer of Keras, in its Bidirectional wrapper if there are two.
        paths = [f"{stack}/{cell}/simple_rnn_cell/{name}"]
        if config.bidirectional:
            paths = [
                f"{stack}/bi_{cell}/{direction}_{cell}/simple_rnn_cell/{name}"
                for direction in ("forward", "backward")
            ]
        return gates(np.stack([weights.take(path, *shape) for path in paths]))

    kernel, recurrent = take("kernel", n, width), take("recurrent_kernel", u, width)
    bias = take("bias", width)
    # ONNX has a second bias, for the recurrent product. Here only the GRU has one.
    second = take("recurrent_bias", width) if config.cell == "gru" else np.zeros_like(bias)
    inputs = [graph.weight(a) for a in (kernel, recurrent, np.concatenate([bias, second], axis=1))]
    y = graph(
        config.cell.upper(),
        x,
        *inputs,
        lengths,
        hidden_size=u,
        direction="bidirectional" if config.bidirectional else "forward",
        **({"linear_before_reset": 1} if config.cell == "gru" else {}),
    )
    y = graph("Transpose", y, perm=[0, 2, 1, 3])  # from [frames', directions, batch, units]
    return graph("Reshape", y, graph.integers(0, 0, directions * u))


def export_onnx(model: str, out: Path, int8: bool = False) -> Path:
    """Write a model as `out`/NAME.onnx, or `out`/NAME.int8.onnx, for other programs.

    Args:
        model: shipped name or directory of a recogniser.
        out: folder to write to.
        int8: quantise the weights of LSTMs and matrix products to 8 bits, and their inputs at run
            time: half the size, faster, slightly less accurate (benchmarks/runtimes.py).

    Returns:
        The path of the file.

    Raises:
        ModelError, ConfigError: see `Recognizer.load`.
    """
    folder, config = read_model(model)
    weights = WeightArrays(folder / "weights.npz", config.weights_sha256)
    labels = len(Tokenizer(config.tokenizer))
    graph = build_graph(config.acoustic, config.features.dimension, labels, weights, wide=int8)
    path = out / f"{config.name}{'.int8' if int8 else ''}.onnx"
    with atomic_write(path, binary=True) as file:
        file.write(quantise_graph(graph) if int8 else graph)
    return path


def quantise_graph(graph: bytes) -> bytes:
    """Quantise the weights of a graph to 8 bits, by ONNX Runtime's dynamic quantisation."""
    from onnxruntime import quantization  # imported only here: the import takes long

    model = onnx.load_from_string(graph)
    # Without this property, quantisation advises to simplify the graph, which cannot be simplified.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with TemporaryDirectory() as folder:
        path = Path(folder, "int8.onnx")
        quantization.quantize_dynamic(model, path, weight_type=quantization.QuantType.QInt8)
        return path.read_bytes()


class OnnxNetwork:
    """The acoustic model in ONNX Runtime, on the CPU.

    Args:
        graph: serialised ONNX model, from `build_graph`.
        threads: number of threads; 0 lets the runtime choose.
    """

    def __init__(self, graph: bytes, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # The steps of an LSTM are short. Threads that spin until the next step would take the
        # processor from each other, and from other programs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """See `runtimes.EmissionNetwork`."""
        (logits,) = self.session.run(["logits"], {"features": features, "lengths": lengths})
        return logits
