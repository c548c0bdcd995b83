"""Size, error rates and speed of the network in each runtime, and with weights of fewer bits.

    python benchmarks/runtimes.py data/kathleen/dev.jsonl [--model en-small --litert]

All runtimes run in turn in one process, on the same features. RTF is that of the network alone
(median of the runs), for utterances one by one and in batches of 16; the ratio is to TensorFlow
in the same run. int8 is ONNX Runtime's dynamic quantisation of the weights of LSTMs and matrix
products. --litert (pip install ai-edge-litert) also tries LiteRT: once with the network as it is,
which its converter refuses, and once with the LSTM's loop rewritten for one utterance at a time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from asr.data.manifest import read_manifest
from asr.decoding.decoding_options import Decoding
from asr.evaluation.error_rates import evaluate
from asr.networks.onnx_model import OnnxNetwork, build_graph, quantise_graph
from asr.networks.runtimes import EmissionNetwork
from asr.networks.weights import WeightArrays
from asr.recognizer import Recognizer


def onnx_graphs(recognizer: Recognizer) -> dict[str, bytes]:
    """Graphs with float32 weights, with weights as stored in the file, and with int8 weights."""
    config, labels = recognizer.config, len(recognizer.tokenizer)
    assert recognizer.folder is not None
    graphs = {}
    for name, wide in (("onnx, float32", True), ("onnx, as stored", False)):
        weights = WeightArrays(recognizer.folder / "weights.npz", config.weights_sha256)
        graphs[name] = build_graph(
            config.acoustic, config.features.dimension, labels, weights, wide
        )
    graphs["onnx, int8"] = quantise_graph(graphs["onnx, float32"])
    return graphs


class LiteNetwork:
    """The network in LiteRT, which computes one utterance at a time."""

    def __init__(self, model: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.run = Interpreter(model_content=model, num_threads=2).get_signature_runner()

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        rows = [
            self.run(features=row[None, :n], lengths=np.array([n], np.int32))["logits"][0]
            for row, n in zip(features, lengths, strict=True)
        ]
        out = np.zeros([len(rows), max(map(len, rows)), rows[0].shape[1]], np.float32)
        for padded, row in zip(out, rows, strict=True):
            padded[: len(row)] = row
        return out


def lite_model(recognizer: Recognizer, batch: int | None) -> bytes:
    """The network, converted for LiteRT."""
    from asr.base.tensorflow import tf

    network = recognizer.acoustic_model
    holder = tf.Module()
    holder.weights = [variable.value for variable in network.trainable_variables]
    call = tf.function(
        lambda features, lengths: {"logits": network.call(features, lengths, training=False)[0]},
        input_signature=[
            tf.TensorSpec([batch, None, network.dimension], tf.float32, name="features"),
            tf.TensorSpec([batch], tf.int32, name="lengths"),
        ],
    )
    concrete = call.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], holder).convert()


def one_at_a_time(projected: Any, recurrent: Any, **_: Any) -> list[Any]:
    """The loop of asr.networks.lstm with all sizes but the time fixed, as LiteRT requires."""
    from asr.base.tensorflow import tf

    units = recurrent.shape[0]
    steps = tf.reshape(projected, [-1, 1, 4 * units])
    time, zero = tf.shape(steps)[0], tf.zeros([1, units])

    def step(t: Any, h: Any, c: Any, outputs: Any) -> Any:
        z = tf.reshape(steps[t], [1, 4 * units]) + tf.matmul(h, recurrent)
        i, f, g, o = tf.split(z, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return t + 1, h, c, outputs.write(t, h)

    outputs = tf.TensorArray(tf.float32, size=time, element_shape=[1, units])
    *_, outputs = tf.while_loop(lambda t, *_: t < time, step, (0, zero, zero, outputs))
    return [tf.reshape(outputs.stack(), [-1, 1, units])]


def litert(recognizer: Recognizer) -> tuple[EmissionNetwork, int]:
    """The rewritten network and its size; prints the converter's error for the original one."""
    from asr.networks import lstm

    recognizer.warm_up()  # traces the network before its loop is replaced
    try:
        lite_model(recognizer, None)
    except Exception as error:
        found = [line for line in str(error).splitlines() if "error: " in line]
        print(f"LiteRT, as it is: {found[0].partition('error: ')[2]}")
    else:
        print("LiteRT, as it is: converted")
    with patch.object(lstm, "_run", one_at_a_time):
        model = lite_model(recognizer, 1)
    return LiteNetwork(model), len(model)


def pass_seconds(recognizer: Recognizer, features: Sequence[np.ndarray], batch: int) -> float:
    started = time.perf_counter()
    for i in range(0, len(features), batch):
        recognizer.logits(features[i : i + batch])
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--timed", type=int, default=40, help="number of utterances for the timing")
    parser.add_argument("--litert", action="store_true")
    a = parser.parse_args()
    recognizer = Recognizer.load(a.model, Decoding(lm="none"), runtime="tensorflow")
    assert recognizer.folder is not None
    utterances = read_manifest(a.manifest)
    features = [recognizer.features(u)[0] for u in utterances]
    stored = (recognizer.folder / "weights.npz").stat().st_size
    networks: dict[str, tuple[EmissionNetwork, int]] = {"tensorflow": (recognizer.network, stored)}
    for name, graph in onnx_graphs(recognizer).items():
        networks[name] = (OnnxNetwork(graph), len(graph))
    if a.litert:
        networks["litert, float32"] = litert(recognizer)
    reference = [recognizer.logits([f])[0] for f in features]
    timed = sorted(features[: a.timed], key=len)
    audio = sum(map(len, timed)) / recognizer.config.features.frames_per_second
    seconds: dict[tuple[str, int], list[float]] = {}
    for _ in range(a.runs):
        for name, (network, _) in networks.items():
            recognizer.network = network
            for batch in (1, 16):
                taken = pass_seconds(recognizer, timed, batch)
                seconds.setdefault((name, batch), []).append(taken)
    runs = f"{a.runs} runs over {audio:.0f} s of audio"
    print(f"{a.model}, {a.manifest}: {len(utterances)} utterances; {runs}")
    for name, (network, size) in networks.items():
        recognizer.network = network
        logits = [recognizer.logits([f])[0] for f in features]
        results = recognizer.transcribe(utterances)
        rates = evaluate(utterances, results, recognizer.tokenizer.normalise)
        far = max(float(np.abs(x - y).max()) for x, y in zip(logits, reference, strict=True))
        line = f"{name:16} {size / 2**20:5.1f} MB  WER {rates.wer:7.2%}  CER {rates.cer:7.2%}  "
        line += f"logits differ by {far:.0e}"
        for batch in (1, 16):
            own, base = seconds[name, batch], seconds["tensorflow", batch]
            ratio = statistics.median(x / y for x, y in zip(own, base, strict=True))
            line += f"  batch {batch}: RTF {statistics.median(own) / audio:.4f} ({ratio:.2f} ×)"
        print(line, flush=True)


if __name__ == "__main__":
    main()
