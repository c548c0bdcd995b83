"""The acoustic model as an ONNX graph, run by ONNX Runtime without TensorFlow and Keras.

The graph is built from a model directory's weights each time it is needed, so there is no second
file that could be out of date. It uses the recurrent operations of ONNX with true lengths. Their
gates are in another order than those of Keras. docs/decisions/008-light-runtime.md compares
alternatives.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import helper

from asr.base.files import atomic_write
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.head_layout import HeadLayout
from asr.networks.model_directory import read_model
from asr.networks.onnx_graph import OnnxGraph, open_session, recurrent_stack
from asr.networks.weights import WeightArrays
from asr.text.tokenizers import Tokenizer


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
    graph = OnnxGraph(wide)
    stride = config.stride
    one, step = (graph.constant(np.array(n, np.int32)) for n in (stride - 1, stride))
    lengths = graph("Div", graph("Add", "lengths", one), step)
    x, width = _front(graph, config, dimension, weights)
    steps = lengths
    if config.look_ahead:
        steps = graph("Add", lengths, graph.constant(np.array(config.look_ahead, np.int32)))
    x, width = recurrent_stack(
        graph,
        weights,
        "acoustic/stack",
        x,
        width,
        steps,
        cell=config.cell,
        units=config.units,
        layers=config.layers,
        bidirectional=config.bidirectional,
        norm=config.norm,
    )
    if config.look_ahead:
        # As in Keras: step t + look_ahead gives the logits of frame t.
        end = graph.integers(np.iinfo(np.int64).max)
        x = graph("Slice", x, graph.integers(config.look_ahead), end, graph.integers(0))
    layout = config.head_layout(labels)
    add_heads(graph, weights, layout, x, width)
    graph.name_output("logits_length", lengths)
    return graph.model(
        "acoustic",
        {"features": ("float32", ["batch", "frames", dimension]), "lengths": ("int32", ["batch"])},
        {
            "logits": ("float32", ["batch", "output_frames", layout.size]),
            "logits_length": ("int32", ["batch"]),
        },
    )


def add_heads(
    graph: OnnxGraph, weights: WeightArrays, layout: HeadLayout, x: str, width: int
) -> None:
    """Add the dense layers and the output `logits`, [batch, frames', layout.size].

    Args:
        graph: where to add them.
        weights: arrays of the model, of which none is left then.
        layout: the heads.
        x: output of the stack, [frames', batch, width].
        width: its width.

    Raises:
        ModelError: the weights do not fit the network.
    """
    heads = [
        graph.dense(x, weights, f"acoustic/{head}", width, size)
        for head, size in layout.sizes.items()
    ]
    weights.finish()
    x = graph("Concat", *heads, axis=2) if len(heads) > 1 else heads[0]
    graph.name_output("logits", x, "Transpose", perm=[1, 0, 2])


def _front(
    graph: OnnxGraph, config: AcousticConfig, dimension: int, weights: WeightArrays
) -> tuple[str, int]:
    """The front: returns features at the lower frame rate, [frames', batch, n], and n."""
    stride, kernel = config.stride, 2 * config.stride
    frames = graph("Shape", "features", start=1, end=2)
    right = graph("Mod", graph("Neg", frames), graph.integers(stride))
    if config.look_ahead:
        right = graph("Add", right, graph.integers(config.look_ahead * stride))
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
    # Imported only here, because it takes long; the first line switches telemetry off.
    from asr.base.onnxruntime import onnxruntime  # noqa: F401
    from onnxruntime import quantization  # isort: skip

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
        self.session = open_session(graph, threads)

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """See `runtimes.EmissionNetwork`."""
        (logits,) = self.session.run(["logits"], {"features": features, "lengths": lengths})
        return logits
