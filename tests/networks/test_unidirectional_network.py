"""A network that goes on from where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_network import random_features, random_network

from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig, Cell
from asr.networks.model_directory import RecognizerConfig
from asr.networks.runtimes import load_network
from asr.networks.unidirectional_network import UnidirectionalNetwork
from asr.networks.weights import WeightArrays
from asr.recognizer import Recognizer

LENGTHS = np.array([31, 1, 17], np.int32)


def config(cell: Cell = "lstm", look_ahead: int = 3) -> AcousticConfig:
    return AcousticConfig(
        stride=2,
        cell=cell,
        units=4,
        layers=2,
        bidirectional=False,
        look_ahead=look_ahead,
        phones=look_ahead > 0,
    )


def both(shape: AcousticConfig, folder: Path) -> tuple[AcousticModel, UnidirectionalNetwork]:
    """A network with random weights in TensorFlow, and as a network that goes on."""
    model = random_network(shape, 39, 29)
    Recognizer(RecognizerConfig("x", acoustic=shape), model).save(folder, "", half=False)
    sha256 = json.loads((folder / "model.json").read_text())["weights_sha256"]
    loaded = load_network("onnx", shape, 39, 29, folder / "weights.npz", sha256, 1)
    assert isinstance(loaded, UnidirectionalNetwork)
    return model, loaded


@pytest.mark.parametrize("cell", get_args(Cell))
@pytest.mark.parametrize("look_ahead", [0, 3])
def test_logits_equal_those_of_tensorflow(cell: Cell, look_ahead: int, tmp_path: Path) -> None:
    shape = config(cell, look_ahead)
    model, network = both(shape, tmp_path)
    features = random_features(LENGTHS, 39)
    expected, found = model.logits(features, LENGTHS), network.logits(features, LENGTHS)
    assert found.shape == expected.shape and np.ptp(expected) > 0.5
    for row, other, length in zip(found, expected, LENGTHS, strict=True):
        valid = shape.frames(int(length))
        np.testing.assert_allclose(row[:valid], other[:valid], atol=2e-5)


with TemporaryDirectory() as _folder:
    _NETWORK = both(config(), Path(_folder))[1]


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 13), max_size=8), frames=st.integers(0, 40))
def test_any_pieces_give_the_logits_of_the_whole(sizes: list[int], frames: int) -> None:
    features = np.random.default_rng(1).normal(size=(frames, 39)).astype(np.float32)
    expected = _NETWORK.logits(features[None], np.array([frames], np.int32))[0]
    stream, found, start = _NETWORK.stream(), [], 0
    for size in sizes:
        found.append(stream.feed(features[start : start + size]))
        start += size
        # A frame's logits are there when its look-ahead is: 3 steps of 2 frames.
        heard = min(start, frames)
        assert sum(map(len, found)) == max(0, heard // 2 - 3)
    found += [stream.feed(features[start:]), stream.finish()]
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-5)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    from asr.errors import ModelError

    both(config(), tmp_path)
    sha256 = json.loads((tmp_path / "model.json").read_text())["weights_sha256"]
    weights = WeightArrays(tmp_path / "weights.npz", sha256)
    with pytest.raises(ModelError, match="acoustic/stack"):
        UnidirectionalNetwork(AcousticConfig(units=5, bidirectional=False), 39, 29, weights)
