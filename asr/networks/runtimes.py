"""Runtimes of the acoustic model: TensorFlow, and ONNX Runtime, which starts much faster.

Features, windows, decoding and output formats are the same code for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, get_args, runtime_checkable

from asr.errors import ConfigError

if TYPE_CHECKING:  # the command line imports this module for the list of runtimes
    from pathlib import Path

    import numpy as np

    from asr.networks.acoustic_config import AcousticConfig
    from asr.networks.unidirectional_network import LogitStream

Runtime = Literal["onnx", "tensorflow"]


class EmissionNetwork(Protocol):
    """Features → CTC logits."""

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Compute the logits of a batch.

        Args:
            features: float32 [batch, frames, dimension], zero beyond each utterance's length.
            lengths: feature frames of each utterance, int32 [batch].

        Returns:
            float32 [batch, frames', labels]; logits beyond an utterance's length are undefined.
        """


@runtime_checkable
class StatefulNetwork(Protocol):
    """A network that can go on from where it stopped."""

    def stream(self) -> LogitStream:
        """A new stream of features."""


def load_network(
    runtime: Runtime,
    config: AcousticConfig,
    dimension: int,
    labels: int,
    weights: Path,
    sha256: str,
    threads: int = 0,
) -> EmissionNetwork:
    """Load the network in a runtime. Only the runtime "tensorflow" imports TensorFlow.

    Args:
        runtime: "onnx" or "tensorflow".
        config: shape of the acoustic model.
        dimension: number of features in a frame.
        labels: number of the tokenizer's labels.
        weights: the weights file.
        sha256: its SHA-256, from model.json.
        threads: number of threads, which a runtime only heeds before its first use in a process;
            0 lets the runtime choose.

    Raises:
        ModelError: the weights cannot be read, are damaged or do not fit the network.
        ConfigError: no such runtime.
    """
    if runtime == "onnx":
        from asr.networks.onnx_model import OnnxNetwork, build_graph
        from asr.networks.unidirectional_network import UnidirectionalNetwork
        from asr.networks.weights import WeightArrays

        arrays = WeightArrays(weights, sha256)
        if config.stateful:
            return UnidirectionalNetwork(config, dimension, labels, arrays, threads)
        return OnnxNetwork(build_graph(config, dimension, labels, arrays), threads)
    if runtime != "tensorflow":
        raise ConfigError(
            f"runtime: {runtime!r} is not known; one of {', '.join(get_args(Runtime))}"
        )
    from asr.base.tensorflow import tf
    from asr.networks.acoustic import AcousticModel
    from asr.networks.weights import load_weights

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    network = AcousticModel(config, dimension, labels)
    load_weights(network, weights, sha256)
    return network
