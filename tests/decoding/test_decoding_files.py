"""The language model and the lexicon that a recogniser has, or shares with a shipped one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from asr.decoding.decoding_files import decoding_files, general_lm, lexicon_file
from asr.decoding.decoding_options import Decoding
from asr.decoding.lm_record import LmRecord, LmWeights
from asr.errors import ConfigError, ModelError
from asr.evaluation.tuning import save_best, tune
from asr.models import MODELS
from asr.recognizer import Recognizer

SMALL = MODELS / "en-small"


@pytest.fixture
def sharing(tmp_path: Path) -> Path:
    """A recogniser with weights of its own for the language model of en-small."""
    for name in ("model.json", "weights.npz", "README.md"):
        shutil.copyfile(SMALL / name, tmp_path / name)
    record = LmRecord(LmWeights(alpha=0.7, beam=20), files_of="en-small")
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


def test_files_of_its_own_come_first(sharing: Path) -> None:
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
    assert (record.files_of, record.weights.alpha) == ("en-small", 0.3)


def test_an_unknown_model_is_named(sharing: Path) -> None:
    LmRecord(files_of="en-gone").write(sharing / "lm.ngrams")
    with pytest.raises(ModelError, match="en-gone: no model directory"):
        Recognizer.load(sharing)


def test_without_files_there_is_no_language_model(sharing: Path) -> None:
    (sharing / "lm.json").unlink()
    assert general_lm(sharing) is None
    assert lexicon_file(sharing) == sharing / "lexicon.txt.gz"
    with pytest.raises(ConfigError, match="no language model of its own"):
        Recognizer.load(sharing, Decoding(lm="general"))
