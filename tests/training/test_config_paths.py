"""A path of a YAML file that does not exist: the error has the key, the path and what it is
relative to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from asr.errors import ConfigError
from asr.training.config_paths import data_files, working_file
from asr.training.from_yaml import train_from_yaml

DATA = {"train": ["lists/train.jsonl"], "dev": ["lists/dev.jsonl"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory whose folder `data` has the files of DATA."""
    (tmp_path / "data" / "lists").mkdir(parents=True)
    for names in DATA.values():
        (tmp_path / "data" / names[0]).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["name", "voice", "converter", "language"])
@pytest.mark.parametrize("part", ["train", "dev"])
def test_files_of_data_are_relative_to_the_data_folder(kind: str, part: str, folder: Path) -> None:
    values = {kind: "mine", "data": {**DATA, part: ["gone.jsonl"]}}
    (folder / "my.yaml").write_text(yaml.safe_dump(values))
    tried = re.escape(f"{folder}/data/gone.jsonl")
    base = re.escape(f"relative to the data folder {folder}/data (--data)")
    with pytest.raises(
        ConfigError, match=rf"^data\.{part}: gone\.jsonl: no such file: {tried} was tried, {base}"
    ) as caught:
        train_from_yaml(Path("my.yaml"), Path("data"))
    assert ("--dev N" in str(caught.value)) == (part == "dev" and kind in ("name", "voice"))


@pytest.mark.parametrize(
    ("kind", "key"), [("name", "initial_model"), ("voice", "recognizer"), ("voice", "lexicon")]
)
def test_other_paths_are_relative_to_the_working_directory(
    kind: str, key: str, folder: Path
) -> None:
    line = '{"audio_filepath": "a.wav", "duration": 1, "text": "a"}'
    for names in DATA.values():
        (folder / "data" / names[0]).write_text(line)
    (folder / "my.yaml").write_text(yaml.safe_dump({kind: "mine", "data": DATA, key: "runs/it"}))
    tried = re.escape(f"{folder}/runs/it was tried, relative to the working directory")
    with pytest.raises(ConfigError, match=rf"^{key}: runs/it: no .*{tried}"):
        train_from_yaml(Path("my.yaml"), Path("data"))


def test_the_remedy_is_the_path_to_write(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"; write lists/dev\.jsonl for the file in the working"):
        data_files("data.dev", ["data/lists/dev.jsonl"], Path("data"))
    with pytest.raises(ConfigError, match="there is no such data folder"):
        data_files("data.dev", ["lists/dev.jsonl"], Path("dta"))
    with pytest.raises(ConfigError) as caught:
        working_file("lexicon", folder / "gone.txt")
    assert "relative" not in str(caught.value)
    absolute = folder / "data" / "lists" / "dev.jsonl"
    assert data_files("data.dev", [str(absolute)], Path("other")) == [absolute]
