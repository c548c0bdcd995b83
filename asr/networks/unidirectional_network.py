"""`UnidirectionalNetwork`: a unidirectional acoustic model, which can go on from where it stopped.

`LogitStream` reads features that arrive piece by piece, and no frame twice.
"""

from __future__ import annotations

import numpy as np
from onnx import helper

from asr.networks.acoustic_config import AcousticConfig
from asr.networks.numpy_stack import CELLS
from asr.networks.onnx_graph import OnnxGraph, open_session, recurrent_stack
from asr.networks.onnx_model import add_heads
from asr.networks.weights import WeightArrays


class UnidirectionalNetwork:
    """The acoustic model in ONNX Runtime, on the CPU, with the state of its layers as an input.

    Args:
        config: shape of the acoustic model, with `stateful`.
        dimension: number of features in a frame.
        labels: number of the tokenizer's labels.
        weights: arrays of the model.
        threads: number of threads; 0 lets the runtime choose. Default 0.

    Raises:
        ModelError: the weights do not fit the network.
    """

    def __init__(
        self,
        config: AcousticConfig,
        dimension: int,
        labels: int,
        weights: WeightArrays,
        threads: int = 0,
    ) -> None:
        self.config, self.dimension = config, dimension
        self.size = config.head_layout(labels).size
        self._states = config.layers * CELLS[config.cell].state_arrays
        self.session = open_session(self._graph(labels, weights), threads)

    def _graph(self, labels: int, weights: WeightArrays) -> bytes:
        """Inputs: `features` [batch, frames, dimension], with whole strides, and `state` [states,
        batch, units]. Outputs: `logits` [batch, steps, size] of all steps, and `next_state`."""
        config, graph = self.config, OnnxGraph()
        width = config.stride * self.dimension
        x = graph("Reshape", "features", graph.integers(0, -1, width))
        x = graph("Transpose", x, perm=[1, 0, 2])
        states = graph.multi_output(self._states, "Split", "state", axis=0)
        x, width = recurrent_stack(
            graph,
            weights,
            "acoustic/stack",
            x,
            width,
            cell=config.cell,
            units=config.units,
            layers=config.layers,
            bidirectional=False,
            norm=config.norm,
            states=states,
        )
        add_heads(graph, weights, config.head_layout(labels), x, width)
        graph.nodes.append(helper.make_node("Concat", states, ["next_state"], axis=0))
        state: tuple[str, list[str | int]] = ("float32", [self._states, "batch", config.units])
        return graph.model(
            "unidirectional",
            {"features": ("float32", ["batch", "frames", self.dimension]), "state": state},
            {"logits": ("float32", ["batch", "steps", self.size]), "next_state": state},
        )

    def start(self, batch: int) -> np.ndarray:
        """The state before the first step, float32 [states, batch, units]."""
        return np.zeros([self._states, batch, self.config.units], np.float32)

    def advance(self, features: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run the network over the next steps.

        Args:
            features: float32 [batch, steps × stride, dimension].
            state: after the steps before.

        Returns:
            Logits of all heads [batch, steps, size], those of a frame `look_ahead` steps after it,
            and the state after the last step.
        """
        inputs = {"features": features, "state": state}
        logits, after = self.session.run(["logits", "next_state"], inputs)
        return logits, after

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """See `runtimes.EmissionNetwork`. Lengths are not needed: features beyond an utterance are
        zero, and the network reads forwards only."""
        batch, frames, _ = features.shape
        steps = self.config.frames(frames) + self.config.look_ahead
        padded = np.zeros([batch, steps * self.config.stride, self.dimension], np.float32)
        padded[:, :frames] = features
        logits, _ = self.advance(padded, self.start(batch))
        return logits[:, self.config.look_ahead :]

    def stream(self) -> LogitStream:
        """A new stream of features."""
        return LogitStream(self)


class LogitStream:
    """Logits of features that arrive piece by piece. `UnidirectionalNetwork.stream` makes it.

    All logits together are those of all features at once, however they are divided.

    Args:
        network: the network.
    """

    def __init__(self, network: UnidirectionalNetwork) -> None:
        self._network, config = network, network.config
        self._stride, self._look_ahead = config.stride, config.look_ahead
        self._state = network.start(1)
        # Features that are not yet a whole stride.
        self._rest = np.zeros([0, network.dimension], np.float32)
        # Steps until the logits of the first frame.
        self._early = self._look_ahead

    def feed(self, features: np.ndarray) -> np.ndarray:
        """Take the next features; returns the logits that they complete.

        Args:
            features: float32 [frames, dimension], any number of them.

        Returns:
            Logits of all heads, float32 [frames', size].
        """
        features = np.concatenate([self._rest, features])
        whole = len(features) // self._stride * self._stride
        features, self._rest = features[:whole], features[whole:]
        if not whole:
            return np.zeros([0, self._network.size], np.float32)
        (logits,), self._state = self._network.advance(features[None], self._state)
        early = min(self._early, len(logits))
        self._early -= early
        return logits[early:]

    def finish(self) -> np.ndarray:
        """End the stream; returns the logits of the last frames, float32 [frames', size]."""
        missing = -len(self._rest) % self._stride + self._look_ahead * self._stride
        return self.feed(np.zeros([missing, self._network.dimension], np.float32))
