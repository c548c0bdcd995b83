"""The ONNX graph gives the logits of TensorFlow, without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import pytest
from random_network import random_features, random_network

from asr.base.onnxruntime import onnxruntime
from asr.data.manifest import Utterance
from asr.errors import ConfigError, ModelError
from asr.models import DEFAULT_MODEL
from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig, Cell
from asr.networks.model_directory import RecognizerConfig
from asr.networks.onnx_model import OnnxNetwork, build_graph
from asr.networks.weights import WeightArrays
from asr.recognizer import Recognizer

LENGTHS = np.array([31, 1, 17], np.int32)
CELLS = get_args(Cell)


def both(config: AcousticConfig, tmp_path: Path) -> tuple[AcousticModel, OnnxNetwork]:
    """A network with random weights, its biases too, in both runtimes."""
    model = random_network(config, 5, 7)
    saved = Recognizer(RecognizerConfig("x", acoustic=config), model)
    saved.save(tmp_path, "", half=False)
    sha256 = json.loads((tmp_path / "model.json").read_text())["weights_sha256"]
    weights = WeightArrays(tmp_path / "weights.npz", sha256)
    return model, OnnxNetwork(build_graph(config, 5, 7, weights), 1)


@pytest.mark.parametrize(
    ("cell", "front", "bidirectional"), [*product(CELLS, ["stack", "conv"], [True, False])]
)
def test_logits_equal_those_of_tensorflow(
    cell: str, front: str, bidirectional: bool, tmp_path: Path
) -> None:
    stride, norm = (3, "layer") if bidirectional else (2, "none")
    phones, look_ahead = not bidirectional, 0 if bidirectional else 3
    config = AcousticConfig(
        front,  # type: ignore[arg-type]
        stride,
        filters=6,
        cell=cell,  # type: ignore[arg-type]
        units=4,
        layers=2,
        bidirectional=bidirectional,
        look_ahead=look_ahead,
        dropout=0.0,
        norm=norm,  # type: ignore[arg-type]
        phones=phones,
    )
    model, light = both(config, tmp_path)
    features = random_features(LENGTHS, 5)
    expected, found = model.logits(features, LENGTHS), light.logits(features, LENGTHS)
    assert found.shape == expected.shape and np.ptp(expected) > 0.5
    assert found.shape[2] == config.head_layout(7).size == (47 if phones else 7)
    for i, length in enumerate(LENGTHS):
        valid = slice(0, config.frames(length))
        np.testing.assert_allclose(found[i, valid], expected[i, valid], atol=2e-5)
        alone = light.logits(features[i : i + 1, :length], LENGTHS[i : i + 1])[0]
        np.testing.assert_allclose(alone, expected[i, valid], atol=2e-5)


def test_transcripts_equal_those_of_tensorflow(goforward: Path) -> None:
    heavy, light = (Recognizer.load("en-small", runtime=r) for r in ("tensorflow", "onnx"))
    cepstra = Utterance("x", 2.78, feature_filepath=goforward.with_suffix(".mfc"))
    for audio in (goforward, cepstra):
        expected, found = heavy.transcribe(audio), light.transcribe(audio)
        assert found.text == expected.text != ""
        assert found.score == pytest.approx(expected.score, abs=1e-5)
        for word, other in zip(found.words, expected.words, strict=True):
            assert (word.text, word.start, word.end) == (other.text, other.start, other.end)
            assert word.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_transcribing_imports_no_tensorflow(goforward: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'librosa'): sys.modules[name] = None\n"
        f"sys.argv = ['asr', 'transcribe', {str(goforward)!r}]\n"
        "from asr.cli.app import main\n"
        "main()"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == Recognizer.load(DEFAULT_MODEL).transcribe(goforward).text + "\n"


def test_graph_size_and_declared_inputs(tmp_path: Path, tiny: Recognizer) -> None:
    for half, bytes_each in ((True, 2), (False, 4)):
        tiny.save(tmp_path, "", half)
        recognizer = Recognizer.load(tmp_path)
        config, path = recognizer.config, tmp_path / "weights.npz"
        graph = build_graph(config.acoustic, 39, 29, WeightArrays(path, config.weights_sha256))
        count = sum(v.numpy().size for v in tiny.acoustic_model.trainable_variables)
        # The biases of the recurrent products, which ONNX has and Keras has not.
        count += 2 * 2 * 4 * 8
        assert 0 < len(graph) - count * bytes_each < 8000
        session = onnxruntime.InferenceSession(graph)
        assert [(i.name, i.shape) for i in session.get_inputs()] == [
            ("features", ["batch", "frames", 39]),
            ("lengths", ["batch"]),
        ]
        features = np.zeros([2, 9, 39], np.float32)
        lengths = session.run(["logits_length"], {"features": features, "lengths": [9, 4]})
        np.testing.assert_array_equal(lengths, [[5, 2]])


def test_weights_that_do_not_fit_the_model_are_named(tmp_path: Path, tiny: Recognizer) -> None:
    tiny.save(tmp_path, "")
    values = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(
        json.dumps({**values, "acoustic": {**values["acoustic"], "layers": 1, "norm": "none"}})
    )
    with pytest.raises(ModelError, match=r"stack/lstm_1/bias is not part of the model"):
        Recognizer.load(tmp_path)
    with pytest.raises(ConfigError, match=r"abacus.*onnx, tensorflow"):
        Recognizer.load("en-small", runtime="abacus")  # type: ignore[arg-type]


def test_saving_needs_the_tensorflow_runtime(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tensorflow"):
        Recognizer.load("en-small", runtime="onnx").save(tmp_path, "")


def test_exported_files_run_in_onnxruntime(tmp_path: Path, goforward: Path) -> None:
    recognizer = Recognizer.load("en-small")
    features = recognizer.features(goforward)[0]
    (expected,) = recognizer.outputs([features])
    inputs = {"features": features[None], "lengths": np.array([len(features)], np.int32)}
    found = []
    for form in ("onnx", "onnx-int8"):
        command = ["-m", "asr", "export", "en-small", str(tmp_path), "--format", form]
        out = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
        assert out.stderr == ""
        path = Path(out.stdout.strip())
        declared = onnx.load(path).graph.output[0].type.tensor_type.shape.dim[2].dim_value
        assert declared == expected.shape[1]
        found.append(onnxruntime.InferenceSession(path).run(["logits"], inputs)[0][0])
    np.testing.assert_array_equal(found[0], expected)
    whole, small = (tmp_path / f"en-small{x}.onnx" for x in ("", ".int8"))
    assert small.stat().st_size < 0.55 * whole.stat().st_size
    # 8 bits: the labels of nearly all frames are the same.
    assert (found[1].argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95
