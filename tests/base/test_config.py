from __future__ import annotations

from pathlib import Path

import pytest

from asr.audio.features import FeatureConfig
from asr.base.config import load_yaml, parse, read_yaml, to_dict
from asr.data.manifest_recipe import ManifestRecipe
from asr.errors import ConfigError
from asr.training.mixed_language_model import MixedLanguageModelConfig
from asr.training.train_converter import ConverterExperimentConfig
from asr.training.train_recognizer import RecognizerExperimentConfig
from asr.training.train_vocoder import VocoderExperimentConfig
from asr.training.train_voice import VoiceExperimentConfig

CONFIGS = sorted((Path(__file__).parents[2] / "pipelines" / "configs").glob("*.yaml"))
MINIMAL = {"name": "x", "data": {"train": ["a.jsonl"], "dev": ["b.jsonl"]}}
KOREAN = {"kind": "jamo", "normaliser": "korean", "alphabet": ""}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_are_valid(path: Path) -> None:
    keys = read_yaml(path)
    if "sources" in keys:
        assert load_yaml(MixedLanguageModelConfig, path).sources
        return
    if "selections" in keys:
        assert load_yaml(ManifestRecipe, path).selections
        return
    if "vocoder" in keys:
        speaker = keys["vocoder"].removeprefix("en-").removesuffix("-vocoder")
        kind, name = VocoderExperimentConfig, f"vocoder-{speaker}"
    elif "voice" in keys:
        kind, name = VoiceExperimentConfig, "tts-" + keys["voice"].removeprefix("en-")
    elif "converter" in keys:
        kind, name = ConverterExperimentConfig, keys["converter"]
    else:
        kind, name = RecognizerExperimentConfig, keys["name"]
    config = load_yaml(kind, path)
    assert path.stem in (name, name.removeprefix("en-"))
    assert parse(kind, to_dict(config), "again", complete=True) == config


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"fetures": {}}, "fetures: unknown key"),
        ({"acoustic": {"unit": 3}}, "acoustic.unit: unknown key"),
        ({"data": {"train": ["a"]}}, "data.dev: missing key"),
        ({"acoustic": {"units": 0}}, "acoustic.units: .*1.* 0"),
        ({"acoustic": {"units": "many"}}, "acoustic.units: .*'many'"),
        ({"acoustic": 3}, "acoustic: .*3"),
        ({"acoustic": {"cell": "lstn"}}, "acoustic.cell: .*'lstn'"),
        ({"acoustic": {"phones": True}, "tokenizer": KOREAN}, "acoustic.phones: .*korean"),
        ({"features": {"deltas": 3}}, "deltas.* 3"),
        ({"data": {"train": [], "dev": ["b"]}}, "data: train and dev"),
        ({"data": {"train": ["a"], "dev": ["b"], "repeat": {"c": 2}}}, "data.repeat: c "),
    ],
)
def test_errors_name_the_key(values: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse(RecognizerExperimentConfig, {**MINIMAL, **values}, "x.yaml")


def test_several_problems_are_listed_with_their_file() -> None:
    with pytest.raises(ConfigError, match=r"^x\.yaml: data: missing key; fetures: unknown key$"):
        parse(RecognizerExperimentConfig, {"name": "x", "fetures": {}}, "x.yaml")


def test_a_saved_configuration_must_be_complete() -> None:
    values = to_dict(FeatureConfig())
    del values["hop"], values["mels"]
    with pytest.raises(ConfigError, match=r"model\.json: missing key hop, mels"):
        parse(FeatureConfig, values, "model.json", complete=True)
    assert parse(FeatureConfig, values, "x") == FeatureConfig()


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with pytest.raises(ConfigError, match=r"x\.yaml: "):
        load_yaml(FeatureConfig, path)
    path.write_text("a: [")
    with pytest.raises(ConfigError, match=r"x\.yaml: .*YAML"):
        load_yaml(FeatureConfig, path)
    path.write_text("- a")
    with pytest.raises(ConfigError, match=r"x\.yaml: .*list"):
        load_yaml(FeatureConfig, path)
