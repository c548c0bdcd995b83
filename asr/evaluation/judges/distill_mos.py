"""Distill-MOS, a predictor of naturalness (Stahl & Gamper, 2025; MIT licence).

Its training data include synthetic speech that listeners rated (VoiceMOS Challenge 2022). The
weights come from the package distillmos on PyPI. That package needs PyTorch; this module runs the
same network in ONNX Runtime.
"""

from __future__ import annotations

import math
import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from asr.base.downloads import cache_folder, fetch_packages, python_wheel
from asr.errors import PackageError
from asr.evaluation.judges.judge import Rating, mean_rating
from asr.networks.onnx_graph import OnnxGraph, open_session

NAME = "Distill-MOS"
PACKAGE = python_wheel(
    "distillmos", "0.9.1", "f82e5326ed963ddc28a3e079ded4dbb1bd072ad54be5bdc4380290a9bce3536a"
)
WINDOW = 122_880
"""Samples that the network hears at once: 7.68 s. Shorter recordings are padded with zeros."""
HOP = 16_000
"""Largest distance between two windows of a longer recording, in samples."""
FRAME, STEP = 320, 160
"""Length of a frame of the spectrogram and distance of two frames, in samples."""
BINS, FRAMES = FRAME // 2 + 1, WINDOW // STEP
CHANNELS = (64, 64, 128, 256, 256, 256)
"""Output channels of the convolutions."""
FEATURES, STEPS = 4 * CHANNELS[-1], FRAMES // 2
"""What the convolutions leave: channels × bins, and frames."""
WIDTH, HEADS, LAYERS = 200, 8, 7
"""Size of the transformer."""
EPSILON = 1e-5


class TorchArrays:
    """The arrays in a file of PyTorch, in the order of the network's variables.

    The file is a ZIP archive with one member of raw numbers per variable. The pickle in it, which
    names the variables, is not read: the package's checksum fixes their order.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with zipfile.ZipFile(path) as archive:
            names = {name.rpartition("/data/")[2]: name for name in archive.namelist()}
            numbers = sorted((name for name in names if name.isdecimal()), key=int)
            self.arrays = iter([archive.read(names[number]) for number in numbers])

    def take(self, *shape: int) -> np.ndarray:
        """The next array, float32.

        Raises:
            PackageError: it has another size than `shape`, or there is none.
        """
        values = next(self.arrays, b"")
        if len(values) != 4 * math.prod(shape):
            raise PackageError(
                f"{self.path}: {len(values)} bytes where the network has a variable of shape "
                f"{shape}; delete {cache_folder('distillmos')} to download the package again"
            )
        return np.frombuffer(values, "<f4").reshape(shape)

    def skip(self) -> None:
        """Leave out an array."""
        next(self.arrays, None)


class DistillMos:
    """Distill-MOS, as a judge.

    Args:
        threads: threads of one prediction; default: 1.

    Raises:
        PackageError: the package cannot be downloaded, or its weights do not fit the network.
    """

    name = NAME

    def __init__(self, threads: int = 1) -> None:
        files = fetch_packages([PACKAGE], cache_folder("distillmos"))
        arrays = TorchArrays(files / "distillmos" / "weights" / "distill_mos_v7.pt")
        self.session = open_session(build_network(arrays), threads)

    def judge(self, samples: np.ndarray, text: str) -> Rating:
        """See `Judge`."""
        return mean_rating(self.session, map(spectrum, windows(samples)))


def windows(samples: np.ndarray) -> list[np.ndarray]:
    """The windows of a recording, float32 [WINDOW] each, evenly spaced from its start to its end.

    Args:
        samples: float32 [samples] at 16 kHz.
    """
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    rest = len(padded) - WINDOW
    count = math.ceil(rest / HOP) + 1
    starts = [int(place * rest) for place in np.linspace(0, 1, count)]
    return [padded[start : start + WINDOW] for start in starts]


def spectrum(window: np.ndarray) -> np.ndarray:
    """The complex spectrogram with compressed magnitudes, float32 [2, BINS, FRAMES].

    Args:
        window: float32 [WINDOW]. Its loudness does not matter.
    """
    scaled = window / (np.abs(window).max() + 1e-8)
    padded = np.pad(scaled, (FRAME - STEP) // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::STEP]
    bins = np.fft.rfft(frames * np.hanning(FRAME + 1)[:-1])
    compressed = bins * np.abs(bins).clip(1e-12) ** -0.7
    return np.stack([compressed.real, compressed.imag]).transpose(0, 2, 1).astype(np.float32)


def build_network(arrays: TorchArrays) -> bytes:
    """The network as a serialised ONNX model: convolutions, transformer, attention pooling.

    Args:
        arrays: the weights.
    """
    graph, take = OnnxGraph(), arrays.take
    x = "spectrum"
    inputs = 2
    for i, outputs in enumerate(CHANNELS):
        kernel, bias = graph.constant(take(outputs, inputs, 3, 3)), graph.constant(take(outputs))
        strides = (2 if i else 1, 2 if i == len(CHANNELS) - 1 else 1)
        x = graph("Conv", x, kernel, bias, strides=strides, pads=(0, 1, 0, 1))
        x = graph("LeakyRelu", x, alpha=0.1)
        inputs = outputs
    x = graph("Transpose", graph("Reshape", x, graph.integers(1, FEATURES, STEPS)), perm=(0, 2, 1))
    for _ in range(2):
        x = _batch_norm(graph, arrays, x, FEATURES)
    positions = take(1, STEPS, WIDTH)
    x = graph("Add", _dense(graph, arrays, x, FEATURES, WIDTH), graph.constant(positions))
    for _ in range(LAYERS):
        x = _transformer_layer(graph, arrays, x)
    x = _batch_norm(graph, arrays, x, WIDTH)
    hidden = graph("Relu", _dense(graph, arrays, x, WIDTH, 2 * WIDTH))
    weights = graph("Softmax", _dense(graph, arrays, hidden, 2 * WIDTH, 1), axis=1)
    pooled = graph("MatMul", graph("Transpose", weights, perm=(0, 2, 1)), x)
    score = graph("Sigmoid", _dense(graph, arrays, pooled, WIDTH, 1))
    scaled = graph("Mul", score, graph.constant(np.float32(4)))
    graph.name_output("mos", graph("Add", scaled, graph.constant(np.float32(1))))
    return graph.model(
        "distill-mos",
        {"spectrum": ("float32", [1, 2, BINS, FRAMES])},
        {"mos": ("float32", [1, 1, 1])},
    )


def _dense(graph: OnnxGraph, arrays: TorchArrays, x: str, inputs: int, outputs: int) -> str:
    """[..., inputs] → [..., outputs]."""
    kernel = graph.constant(arrays.take(outputs, inputs).T)
    return graph("Add", graph("MatMul", x, kernel), graph.constant(arrays.take(outputs)))


def _batch_norm(graph: OnnxGraph, arrays: TorchArrays, x: str, width: int) -> str:
    """Normalise the last axis with the statistics of the training."""
    gamma, beta, mean, variance = (arrays.take(width) for _ in range(4))
    arrays.skip()  # the number of batches
    scale = gamma / np.sqrt(variance + EPSILON)
    scaled = graph("Mul", x, graph.constant(scale))
    return graph("Add", scaled, graph.constant(beta - mean * scale))


def _transformer_layer(graph: OnnxGraph, arrays: TorchArrays, x: str) -> str:
    """Self-attention, then two dense layers; a residual and layer normalisation after each."""
    add = partial(graph, "Add")
    joined = _dense(graph, arrays, x, WIDTH, 3 * WIDTH)
    shape = graph.integers(1, STEPS, 3, HEADS, WIDTH // HEADS)
    heads = graph("Transpose", graph("Reshape", joined, shape), perm=(2, 0, 3, 1, 4))
    # Each is [1, 1, HEADS, STEPS, WIDTH // HEADS].
    query, key, value = (graph("Gather", heads, graph.integers(i)) for i in range(3))
    products = graph("MatMul", query, graph("Transpose", key, perm=(0, 1, 2, 4, 3)))
    scale = graph.constant(np.float32((WIDTH // HEADS) ** -0.5))
    attention = graph("Softmax", graph("Mul", products, scale), axis=-1)
    mixed = graph("Transpose", graph("MatMul", attention, value), perm=(0, 1, 3, 2, 4))
    mixed = graph("Reshape", mixed, graph.integers(1, STEPS, WIDTH))
    attended = add(x, _dense(graph, arrays, mixed, WIDTH, WIDTH))
    # The file has the variables of both normalisations behind those of the dense layers.
    shapes = (2 * WIDTH, WIDTH), (2 * WIDTH,), (WIDTH, 2 * WIDTH), (WIDTH,), *[(WIDTH,)] * 4
    up, up_bias, down, down_bias, *norms = (
        graph.constant(arrays.take(*shape).T) for shape in shapes
    )
    x = graph("LayerNormalization", attended, *norms[:2], axis=-1, epsilon=EPSILON)
    hidden = graph("Relu", add(graph("MatMul", x, up), up_bias))
    x = add(x, add(graph("MatMul", hidden, down), down_bias))
    return graph("LayerNormalization", x, *norms[2:], axis=-1, epsilon=EPSILON)
