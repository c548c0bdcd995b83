"""Equality of texts: Python in both runtimes, SavedModel, REST and gRPC.

    python benchmarks/served_strings.py data/kathleen/test.jsonl data/an4/test.jsonl

Recordings go as samples to the signature `serving_default`, one by one and in mixed batches of 8;
utterances without audio, such as AN4's, go as cepstra to `features`. Prints the number of texts
that are equal to those of `Recognizer.transcribe` in TensorFlow, and the largest difference of
the SavedModel's logits.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from serving import served

from asr.audio.features import load_features
from asr.data.inputs import read_utterance
from asr.data.manifest import Utterance, read_manifest
from asr.decoding.decoding_options import Decoding
from asr.recognizer import Recognizer
from asr.serving.client import connect


def request_of(rows: list[np.ndarray], name: str) -> dict[str, np.ndarray]:
    """A padded batch of samples or cepstra."""
    lengths = np.array([len(row) for row in rows], np.int32)
    padded = np.zeros([len(rows), lengths.max(), *rows[0].shape[1:]], np.float32)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return {name: padded, "lengths": lengths}


def texts_of(outputs: dict[str, Any]) -> list[str]:
    return [t.decode() if isinstance(t, bytes) else str(t) for t in np.asarray(outputs["text"])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--model", default="en-small")
    a = parser.parse_args()
    from asr.base.tensorflow import tf
    from asr.serving.savedmodel import export_recognizer

    greedy = Decoding(lm="none")  # as the exported graph decodes
    python = Recognizer.load(a.model, greedy, runtime="tensorflow")
    light = Recognizer.load(a.model, greedy)
    features = python.config.features
    with tempfile.TemporaryDirectory() as folder:
        signatures = tf.saved_model.load(str(export_recognizer(a.model, Path(folder)))).signatures

        def saved_model(signature: str, request: dict[str, np.ndarray]) -> dict[str, Any]:
            return {k: v.numpy() for k, v in signatures[signature](**request).items()}

        with served(Path(folder)) as (urls, _):
            ways: dict[str, Callable[..., dict[str, Any]]] = {"SavedModel": saved_model}
            for scheme, url in urls.items():
                ways[scheme] = connect(url, python.config.name).predict
            for manifest in a.manifests:
                utterances: list[Utterance] = read_manifest(manifest)
                if utterances[0].audio_filepath is None:
                    signature, name = "features", "features"
                    rows = [load_features(u.path, features) for u in utterances]
                else:
                    signature, name = "serving_default", "samples"
                    rows = [read_utterance(u, features.sample_rate) for u in utterances]
                expected = [python.transcribe(u).text for u in utterances]
                print(f"{a.model}, {manifest}, {signature}: {len(rows)} texts")

                def show(way: str, found: list[str], expected: list[str] = expected) -> None:
                    equal = sum(x == y for x, y in zip(found, expected, strict=True))
                    print(f"  {way:24} {equal} equal ({equal / len(expected):.2%})", flush=True)

                show("Python, onnx", [light.transcribe(u).text for u in utterances])
                for way, predict in ways.items():
                    for size in (1, 8):
                        found: list[str] = []
                        for i in range(0, len(rows), size):
                            request = request_of(rows[i : i + size], name)
                            found += texts_of(predict(signature, request))
                        show(f"{way}, batches of {size}", found)
                far = 0.0
                for u, row in zip(utterances, rows, strict=True):
                    (own,) = python.outputs([python.features(u)[0]])
                    other = "features" if name == "features" else "logits"
                    logits = saved_model(other, request_of([row], name))["logits"][0]
                    far = max(far, float(np.abs(logits[: len(own)] - own).max()))
                print(f"  SavedModel's logits differ from Python's by {far:.1e} at most")


if __name__ == "__main__":
    main()
