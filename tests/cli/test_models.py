"""`asr models`: the shipped models, with facts from their folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asr import models
from asr.cli.app import app
from asr.errors import ModelError
from asr.models import MODELS, shipped_models

NAMES = ["en-base", "en-g2p", "en-general", "en-kathleen", "en-small", "en-written"]


def test_the_table_has_a_row_per_shipped_model() -> None:
    header, *rows = CliRunner().invoke(app, ["models"]).stdout.splitlines()
    assert header.split() == ["NAME", "KIND", "LANGUAGE", "SIZE", "LICENCE"]
    assert [row.split()[0] for row in rows] == NAMES
    en_small = next(row for row in rows if row.startswith("en-small "))
    for fact in ("recogniser, for asr transcribe", " en ", " MB ", "CC BY-SA 4.0"):
        assert fact in en_small


def test_json_has_the_same_facts_and_sizes_in_bytes() -> None:
    found = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert [model["name"] for model in found] == NAMES
    for model in found:
        files = (MODELS / model["name"]).iterdir()
        assert model["bytes"] == sum(file.stat().st_size for file in files)
        assert model["language"] == "en" and model["licence"]
    kinds = {model["name"]: model["kind"].partition(",")[0] for model in found}
    assert kinds == {
        "en-base": "recogniser",
        "en-g2p": "converter",
        "en-general": "recurrent language model",
        "en-kathleen": "voice",
        "en-small": "recogniser",
        "en-written": "converter",
    }


@pytest.mark.parametrize(
    ("config", "card", "names"),
    [
        ("{", "---\nlanguage: en\nlicence: MIT\n---\n", "model.json"),
        ("{}", "---\nlanguage: en\n---\n", "licence"),
        ("{}", "# no front matter\nlanguage: en\n", "language"),
    ],
)
def test_a_missing_fact_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, card: str, names: str
) -> None:
    folder = tmp_path / "xx-new"
    folder.mkdir()
    (folder / "model.json").write_text(config)
    (folder / "README.md").write_text(card)
    monkeypatch.setattr(models, "MODELS", tmp_path)
    with pytest.raises(ModelError, match=rf"xx-new.*{names}"):
        shipped_models()
