from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from asr.errors import ConfigError
from asr.language.recurrent_lm import RecurrentLM
from asr.training.from_yaml import TRAINERS, model_kind, train_from_yaml, train_in_turn


@pytest.mark.parametrize("kind", list(TRAINERS))
def test_the_kind_is_a_required_key_of_its_config(kind: str, tmp_path: Path) -> None:
    assert model_kind({kind: "mine", "data": {}}) == kind
    config = tmp_path / "mine.yaml"
    config.write_text(yaml.safe_dump({kind: "mine", "colour": "blue"}))
    with pytest.raises(ConfigError) as caught:
        train_from_yaml(config, tmp_path)
    assert "mine.yaml: " in str(caught.value)
    assert "colour: unknown key" in str(caught.value)
    assert f"{kind}: " not in str(caught.value)


def test_a_file_without_a_kind_is_a_recogniser_without_a_name(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("data: {train: [a.jsonl], dev: [b.jsonl]}\n")
    with pytest.raises(ConfigError, match="name: missing key"):
        train_from_yaml(config, tmp_path)


@pytest.mark.parametrize("kind", ["name", "voice"])
@pytest.mark.parametrize("dev", [{}, {"dev": []}, {"dev": None}])
def test_without_a_dev_set_the_error_says_how_to_make_one(
    kind: str, dev: dict[str, object], tmp_path: Path
) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(yaml.safe_dump({kind: "mine", "data": {"train": ["a.jsonl"], **dev}}))
    with pytest.raises(ConfigError, match=r"mine\.yaml: data\.dev: .*data prepare … --dev N"):
        train_from_yaml(config, tmp_path)


def test_a_language_model_is_trained_from_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "text.txt").write_text("the cat sat\non the mat\n" * 4)
    values = {
        "language": "cats",
        "data": {"train": ["text.txt"], "dev": ["text.txt"]},
        "network": {"units": 4, "embedding": 4},
        "training": {"epochs": 1, "batch_size": 4, "threads": 0},
    }
    config = tmp_path / "cats.yaml"
    config.write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    model = train_from_yaml(config, tmp_path / "data")
    assert model == Path("runs/cats/model")
    card = (model / "README.md").read_text()
    assert card.startswith("# cats\n") and "8 sentences" in card
    assert RecurrentLM.load(model).config.training["config"]["data"]["train"] == ["text.txt"]


def test_language_beside_keys_of_a_recogniser_is_the_speech() -> None:
    assert model_kind({"language": "de", "name": "mine", "data": {}}) == "name"
    assert model_kind({"language": "de", "acoustic": {}, "data": {}}) == "name"
    assert model_kind({"language": "mine", "data": {}, "network": {}}) == "language"


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"name": "x"}, r"second\.yaml: name: runs/x is an earlier file's, too"),
        ({"name": "y", "initial_model": "runs/z/model"}, "initial_model: .*runs/z/model"),
    ],
)
def test_mistakes_between_the_files_are_found_before_the_first_training(
    second: dict[str, str], message: str, tmp_path: Path
) -> None:
    files = [tmp_path / f"{name}.yaml" for name in ("first", "second")]
    data = {"data": {"train": ["a.jsonl"], "dev": ["b.jsonl"]}}
    for file, values in zip(files, ({"name": "x"}, second), strict=True):
        file.write_text(yaml.safe_dump({**data, **values}))
    with pytest.raises(ConfigError, match=message):
        list(train_in_turn(files, tmp_path))


def test_all_files_are_read_before_the_first_training(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.yaml" for name in ("first", "second")]
    values = {"name": "x", "data": {"train": ["a.jsonl"], "dev": ["b.jsonl"]}}
    files[0].write_text(yaml.safe_dump(values))
    files[1].write_text(yaml.safe_dump({**values, "initial_model": "runs/x/model", "colour": 1}))
    with pytest.raises(ConfigError, match=r"second\.yaml: colour: unknown key"):
        list(train_in_turn(files, tmp_path))
