from __future__ import annotations

from pathlib import Path

import pytest

from asr.audio.features import FeatureConfig
from asr.base.config import load_yaml, parse, read_yaml, to_dict
from asr.errors import ConfigError
from asr.training.train_converter import ConverterExperimentConfig
from asr.training.train_recognizer import ExperimentConfig
from asr.training.train_voice import VoiceExperimentConfig

CONFIGS = sorted((Path(__file__).parents[2] / "pipelines" / "configs").glob("*.yaml"))
MINIMAL = {"name": "x", "data": {"train": ["a.jsonl"], "dev": ["b.jsonl"]}}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_are_valid(path: Path) -> None:
    keys = read_yaml(path)
    if "voice" in keys:
        kind, name = VoiceExperimentConfig, "tts-" + keys["voice"].removeprefix("en-")
    elif "converter" in keys:
        kind, name = ConverterExperimentConfig, keys["converter"]
    else:
        kind, name = ExperimentConfig, keys["name"]
    config = load_yaml(kind, path)
    assert path.stem in (name, name.removeprefix("en-"))
    assert parse(kind, to_dict(config), "again", complete=True) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**MINIMAL, "fetures": {}}, "x.yaml: fetures: unknown key"),
        ({**MINIMAL, "acoustic": {"unit": 3}}, "acoustic.unit: unknown key"),
        ({"name": "x"}, "x.yaml: data: missing key"),
        ({**MINIMAL, "acoustic": {"units": 0}}, "acoustic.units: .*greater than or equal to 1"),
        ({**MINIMAL, "acoustic": {"units": "many"}}, "acoustic.units: .*found 'many'"),
        ({**MINIMAL, "acoustic": 3}, "x.yaml: acoustic: .*found 3"),
        ({**MINIMAL, "data": {"train": ["a"], "dev": ["b"], "repeat": {"c": 2}}},
         "data.repeat: c is not among data.train"),
        ({**MINIMAL, "acoustic": {"cell": "lstn"}}, "acoustic.cell: .*'lstn'"),
        ({**MINIMAL, "acoustic": {"phones": True},
          "tokenizer": {"kind": "jamo", "normaliser": "korean", "alphabet": ""}},
         "acoustic.phones: pronunciations are English, tokenizer.normaliser is korean"),
        ({**MINIMAL, "features": {"deltas": 3}}, "deltas must be 0, 1 or 2"),
        ({"name": "x", "data": {"train": [], "dev": ["b"]}}, "train and dev each need a manifest"),
    ],
)  # fmt: skip
def test_wrong_keys_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(ExperimentConfig, values, "x.yaml")


def test_a_saved_configuration_must_be_complete() -> None:
    values = to_dict(FeatureConfig())
    del values["hop"], values["mels"]
    with pytest.raises(ConfigError, match=r"model\.json: missing key hop, mels"):
        parse(FeatureConfig, values, "model.json", complete=True)
    assert parse(FeatureConfig, values, "x") == FeatureConfig()


def test_broken_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with pytest.raises(ConfigError, match=r"x\.yaml: cannot be read"):
        load_yaml(FeatureConfig, path)
    path.write_text("a: [")
    with pytest.raises(ConfigError, match=r"x\.yaml: not valid YAML"):
        load_yaml(FeatureConfig, path)
    path.write_text("- a")
    with pytest.raises(ConfigError, match="expected keys and values, found list"):
        load_yaml(FeatureConfig, path)
