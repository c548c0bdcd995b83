from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asr.errors import ConfigError
from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.model_directory import RecognizerConfig
from asr.recognizer import Recognizer
from asr.training.model_average import GREEDY, average_models


def write(folder: Path, seed: int, acoustic: AcousticConfig) -> Path:
    """A recogniser with random weights, multiples of 1/16."""
    network = AcousticModel(acoustic, 39, 29)
    rng = np.random.default_rng(seed)
    for variable in network.named_weights().values():
        variable.assign(np.round(rng.normal(0, 16, variable.shape)) / 16)
    config = RecognizerConfig(folder.name, acoustic=acoustic, training={"seed": seed})
    Recognizer(config, network).save(folder, "")
    return folder


def weights(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "weights.npz") as arrays:
        return {name: arrays[name].astype(np.float64) for name in arrays.files}


def test_the_average_has_the_mean_of_the_weights_and_the_settings_of_the_last(
    tmp_path: Path,
) -> None:
    shapes = [AcousticConfig(units=8, layers=2, dropout=dropout) for dropout in (0.0, 0.1, 0.2)]
    models = [write(tmp_path / f"part{i}", i, shape) for i, shape in enumerate(shapes)]
    average_models(models[:2], tmp_path / "two")
    first, second, found = map(weights, [*models[:2], tmp_path / "two"])
    for name, values in found.items():
        np.testing.assert_array_equal(values, (first[name] + second[name]) / 2)

    average_models(models, tmp_path / "three")
    average = Recognizer.load(tmp_path / "three", GREEDY)
    assert average.config.name == "part2" and average.config.acoustic.dropout == 0.2
    kept = {str(m): Recognizer.load(m, GREEDY).config.weights_sha256 for m in models}
    assert average.config.training["seed"] == 2
    assert average.config.training["average"]["weights_sha256"] == kept
    third, found = weights(models[2]), weights(tmp_path / "three")
    for name, values in found.items():
        expected = (first[name] + second[name] + third[name]) / 3
        # Rounded as every model that is saved: ten bits of the range.
        np.testing.assert_allclose(values, expected, atol=np.abs(expected).max() / 512)
    card = (tmp_path / "three" / "README.md").read_text()
    assert all(f"{path}, weights {sha256}" in card for path, sha256 in kept.items())


def test_models_without_a_common_average_are_named(tmp_path: Path) -> None:
    one = write(tmp_path / "one", 0, AcousticConfig(units=8, layers=2))
    other = write(tmp_path / "other", 0, AcousticConfig(units=8, layers=1))
    with pytest.raises(ConfigError, match="needs two models"):
        average_models([one], tmp_path / "out")
    with pytest.raises(ConfigError, match=r"one: has other features.* than .*other"):
        average_models([one, other], tmp_path / "out")
    assert not (tmp_path / "out").exists()
