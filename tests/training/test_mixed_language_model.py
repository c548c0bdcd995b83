from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from scripts import run_script

from asr.base.config import load_yaml
from asr.data.manifest import Utterance, write_manifest
from asr.decoding.lm_record import LmRecord
from asr.language.ngram_file import read_ngrams
from asr.training import mixed_language_model
from asr.training.mixed_language_model import MixedLanguageModelConfig

ROOT = Path(__file__).parents[2]
TALK = ["I want a taxi", "I want a table now", "A table please", "No thanks", "A taxi please"]
BOOK = ["He went to sea", "The sea was calm", "He was calm", "He went home", "The home was old"]
CONFIG = {
    "sources": {
        "numbers": {"what": "numbers", "licence": "none", "numbers": 50},
        "talk": {"what": "talk", "licence": "CC0 1.0", "file": "talk.txt", "tuning": 0.2},
        "book": {"what": "a book", "licence": "public domain", "file": "book.txt"},
    },
    "tuning": {"dev": ["dev.jsonl"]},
    "held_out": ["dev.jsonl"],
    "sizes": {"small": 10, "base": 60},
    "least": 2,
    "vocabulary": 100,
}


def test_script_builds_models_of_both_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    letters = dict.fromkeys("abcdefghijklmnopqrstuvwxyz", "AH0")
    monkeypatch.setattr(mixed_language_model, "cmudict_lexicon", lambda: letters)
    (tmp_path / "talk.txt").write_text("\n".join(TALK * 3))
    (tmp_path / "book.txt").write_text("\n".join([*BOOK, "He saw a xylophone at sea"] * 2))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    dev = ["He saw a xylophone at sea", "The home was calm", "He went to the old home"]
    write_manifest(tmp_path / "dev.jsonl", [Utterance(t, 1.0, tmp_path / "x.wav") for t in dev])
    script = ROOT / "pipelines" / "build_spoken_lm.py"
    folders = ["--texts", tmp_path, "--data", tmp_path, "--cache", tmp_path, "--out", tmp_path]
    monkeypatch.setattr(sys, "argv", [*map(str, (script, tmp_path / "config.yaml", *folders))])
    assert run_script(script) == 0
    small, base = (read_ngrams(tmp_path / f"{name}.ngrams") for name in ("small", "base"))
    assert [sum(len(g.words) for g in m.ngrams()[1:]) for m in (small, base)] == [10, 60]
    assert small.words == base.words and {"taxi", "sea", "home"} <= base.vocabulary
    # "Xylophone" is only in a held-out sentence.
    assert "xylophone" not in base.vocabulary
    made = LmRecord.read(tmp_path / "base.ngrams").made
    sources = made["sources"]
    assert sources["book"]["held_out"] == 2 and sources["book"]["words"] == 36
    assert sum(source["weight"] for source in sources.values()) == pytest.approx(1)
    # The dev text is from the book.
    assert sources["book"]["weight"] > sources["numbers"]["weight"]
    assert made["scores"]["dev"]["unknown"] == pytest.approx(100 * 3 / 16, abs=0.01)
    small_scores = json.loads((tmp_path / "small.json").read_text())["made"]["scores"]
    assert small_scores["dev"]["perplexity"] > made["scores"]["dev"]["perplexity"]
    assert "book: 10 sentences, 36 words, 2 sentences held out" in capsys.readouterr().out


def test_shipped_configuration_is_valid() -> None:
    config = load_yaml(MixedLanguageModelConfig, ROOT / "pipelines" / "configs" / "spoken-lm.yaml")
    assert set(config.sizes) == {"small", "base"}
    # Every dev set that tunes the weights is held out.
    assert {path for paths in config.tuning.values() for path in paths} <= set(config.held_out)
