"""What computes the network: TensorFlow, or ONNX Runtime, which starts in a fraction of its time.

Everything before (features, windows) and behind it (decoding, words, formats) is the same code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, get_args

from asr.errors import ConfigError

if TYPE_CHECKING:  # the command line's help lists the runtimes
    from pathlib import Path

    import numpy as np

    from asr.networks.acoustic_config import AcousticConfig

Runtime = Literal["onnx", "tensorflow"]


class Network(Protocol):
    """Features → CTC logits."""

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """float32 [batch, frames, dimension], zero beyond each utterance's end, and int32 [batch] →
        float32 [batch, frames', labels], of which those beyond an utterance's end mean nothing."""


def load_network(
    runtime: Runtime,
    config: AcousticConfig,
    dimension: int,
    labels: int,
    weights: Path,
    sha256: str,
    threads: int = 0,
) -> Network:
    """The network in a runtime; TensorFlow is imported only for its own.

    Args:
        weights, sha256: the file, and its SHA-256 in model.json.
        threads: of the runtime in this process, if it has not run yet; 0 leaves that to it.

    Raises:
        ModelError: the weights cannot be read, are damaged or are not those of this network.
        ConfigError: no such runtime.
    """
    if runtime == "onnx":
        from asr.networks.onnx_model import OnnxNetwork, build
        from asr.networks.weights import Weights

        graph = build(config, dimension, labels, Weights(weights, sha256))
        return OnnxNetwork(graph, threads)
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
