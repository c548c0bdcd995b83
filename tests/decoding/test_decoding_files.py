"""The language model and the lexicon that a recogniser has, or shares with a shipped one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asr.cli.app import app
from asr.decoding.decoding_files import decoding_files, general_lm, lexicon_file
from asr.decoding.decoding_options import Decoding
from asr.decoding.lm_record import LmRecord, LmWeights
from asr.errors import ConfigError
from asr.evaluation.tuning import save_best, tune
from asr.models import MODELS
from asr.recognizer import Recognizer

SMALL = MODELS / "en-small"


@pytest.fixture
def sharing(tmp_path: Path) -> Path:
    """A recogniser with weights of its own for the language model of en-small."""
    for name in ("model.json", "weights.npz", "README.md"):
        shutil.copyfile(SMALL / name, tmp_path / name)
    record = LmRecord(LmWeights(alpha=0.7, beam=20), shared_from="en-small")
    record.write(tmp_path / "lm.ngrams")
    return tmp_path


def test_files_are_shared_and_weights_are_not(sharing: Path, goforward: Path) -> None:
    assert general_lm(sharing) == SMALL / "lm.ngrams"
    assert lexicon_file(sharing) == SMALL / "lexicon.txt.gz"
    assert [file.name for file in decoding_files(sharing, phones=True)] == ["lm.json"]
    recognizer = Recognizer.load(sharing)
    assert recognizer.decoder.decoding.alpha == 0.7
    own = Recognizer.load("en-small", Decoding(alpha=0.7, beam=20, beta=1.0, unknown=-5.0))
    own = Recognizer.load("en-small", replace(own.decoder.decoding, spelling=0.5))
    assert recognizer.transcribe(goforward).text == own.transcribe(goforward).text


def test_shared_from_its_own_come_first(sharing: Path) -> None:
    for name in ("lm.ngrams", "lexicon.txt.gz"):
        shutil.copyfile(SMALL / name, sharing / name)
    assert general_lm(sharing) == sharing / "lm.ngrams"
    assert lexicon_file(sharing) == sharing / "lexicon.txt.gz"


def test_a_copy_shares_the_files_too(sharing: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    Recognizer.load(sharing, runtime="tensorflow").save(copy, "")
    assert general_lm(copy) == SMALL / "lm.ngrams"
    assert LmRecord.read(copy / "lm.ngrams").weights.alpha == 0.7


def test_tuning_writes_the_weights_beside_the_recogniser(sharing: Path, goforward: Path) -> None:
    line = {"audio_filepath": str(goforward), "duration": 2.79, "text": "go forward ten meters"}
    (sharing / "dev.jsonl").write_text((json.dumps(line) + "\n") * 60)
    dev = [sharing / "dev.jsonl"]
    trials = tune(str(sharing), dev, Decoding(), [0.3], [1.0])
    before = (SMALL / "lm.json").read_bytes()
    path = save_best(trials, str(sharing), dev, Decoding())
    assert path == sharing / "lm.json" and (SMALL / "lm.json").read_bytes() == before
    record = LmRecord.read(sharing / "lm.ngrams")
    assert (record.shared_from, record.weights.alpha) == ("en-small", 0.3)


def test_without_a_language_model_the_record_is_not_read(sharing: Path, goforward: Path) -> None:
    (sharing / "lm.json").write_text("broken")
    for decoding in (Decoding(lm="none"), Decoding(beam=0)):
        assert Recognizer.load(sharing, decoding).transcribe(goforward).text


@pytest.mark.parametrize("name", ["en-gone", "en-kathleen"])
def test_a_model_without_a_language_model_is_named(
    name: str, sharing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LmRecord(shared_from=name).write(sharing / "lm.ngrams")
    # A folder of this name in the working directory is not meant.
    shutil.copytree(SMALL, sharing / name)
    monkeypatch.chdir(sharing)
    with pytest.raises(ConfigError, match=rf"lm\.json: shared_from: {name} is not a shipped"):
        Recognizer.load(sharing)


def test_an_adapted_model_has_the_weights_of_the_recogniser(sharing: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("go forward ten meters\nstop at once\n")
    out = tmp_path / "mine.ngrams"
    command = ["lm", "train", str(tmp_path / "mine.txt"), "--base", str(sharing), "--out", str(out)]
    assert CliRunner().invoke(app, command).exit_code == 0
    record = LmRecord.read(out)
    assert (record.weights.alpha, record.shared_from) == (0.7, "")


def test_without_files_there_is_no_language_model(sharing: Path) -> None:
    (sharing / "lm.json").unlink()
    assert general_lm(sharing) is None
    assert lexicon_file(sharing) == sharing / "lexicon.txt.gz"
    with pytest.raises(ConfigError, match="no language model of its own"):
        Recognizer.load(sharing, Decoding(lm="general"))
