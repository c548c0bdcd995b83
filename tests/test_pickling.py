"""Recognisers in other processes: pickle, multiprocessing and joblib."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import pickle
import shutil
from pathlib import Path

import pytest

from asr.decoding.decoding_options import Decoding
from asr.decoding.lm_record import LmWeights
from asr.decoding.windowing import Windowing
from asr.errors import ConfigError, ModelError
from asr.models import MODELS
from asr.recognizer import Recognizer

ARPA = "\\data\\\nngram 1=4\n\n\\1-grams:\n-1\t<s>\n-1\t</s>\n-1\tgo\n-1\tforward\n\n\\end\\\n"


def round_trip(recognizer: Recognizer) -> Recognizer:
    return pickle.loads(pickle.dumps(recognizer))


@pytest.fixture
def saved(tiny: Recognizer, tmp_path: Path) -> Path:
    tiny.save(tmp_path / "tiny", "# tiny\n")
    return tmp_path / "tiny"


def test_a_pickle_is_a_directory_and_settings(goforward: Path) -> None:
    recognizer = Recognizer.load("en-small")
    data = pickle.dumps(recognizer)
    assert len(data) < 5000
    assert str(MODELS).encode() not in data  # a shipped model may be elsewhere on another machine
    again = pickle.loads(data)
    assert again is not recognizer
    assert again.transcribe(goforward) == recognizer.transcribe(goforward)


@pytest.mark.parametrize("runtime", ["onnx", "tensorflow"])
def test_settings_survive(saved: Path, tmp_path: Path, goforward: Path, runtime) -> None:  # type: ignore[no-untyped-def]
    lm = tmp_path / "my.arpa"
    lm.write_text(ARPA)
    decoding = Decoding(lm=lm, alpha=0.7, hot_words=("go forward",), nbest=2)
    # TensorFlow's threads can be set before its first use only, which may be another test's.
    threads = 1 if runtime == "onnx" else 0
    recognizer = Recognizer.load(saved, decoding, runtime, threads)
    recognizer.windowing = Windowing(longest=7.0)
    recognizer.decoder.set_weights(LmWeights(alpha=0.9, beta=0.25))
    again = round_trip(recognizer)
    assert again.windowing == Windowing(longest=7.0)
    assert again.decoder.decoding == recognizer.decoder.decoding
    assert (again.decoder.decoding.alpha, again.decoder.decoding.beta) == (0.9, 0.25)
    assert type(again.network) is type(recognizer.network)
    assert again.origin is not None and again.origin.options == {
        "runtime": runtime,
        "threads": threads,
    }
    found = again.transcribe(goforward)
    assert found == recognizer.transcribe(goforward) and len(found.alternatives) == 2


def test_paths_are_absolute(
    saved: Path, tmp_path: Path, goforward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.arpa").write_text(ARPA)
    (tmp_path / "words.txt").write_text("go\nforward\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    decoding = Decoding(lm="my.arpa", lexicon=Path("words.txt"))
    recognizer = Recognizer.load("tiny", decoding)
    expected = recognizer.transcribe(goforward)
    data = pickle.dumps(recognizer)
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = pickle.loads(data)
    assert again.folder == saved
    assert again.decoder.decoding.lm == tmp_path / "my.arpa"
    assert again.transcribe(goforward) == expected


def test_a_recogniser_without_a_directory_refuses(tiny: Recognizer) -> None:
    for dump in (pickle.dumps, copy.deepcopy):
        with pytest.raises(ModelError, match=r"tiny: .*Recognizer\.save.*Recognizer\.load"):
            dump(tiny)
    assert copy.copy(tiny).network is tiny.network


def test_changed_weights_refuse(saved: Path) -> None:
    recognizer = Recognizer.load(saved, runtime="tensorflow")
    assert round_trip(recognizer).folder == saved
    name, variable = next(iter(recognizer.acoustic_model.named_weights().items()))
    variable.assign(variable.numpy() + 1)
    with pytest.raises(ModelError, match=rf"{saved}.*\({name}\).*Recognizer\.save"):
        pickle.dumps(recognizer)


def test_a_directory_with_other_weights_refuses(saved: Path, tiny: Recognizer) -> None:
    data = pickle.dumps(Recognizer.load(saved))
    tiny.save(saved, "", half=False)
    with pytest.raises(ModelError, match=f"{saved}: .*weights"):
        pickle.loads(data)
    shutil.rmtree(saved)
    with pytest.raises(ModelError, match=str(saved)):
        pickle.loads(data)


def test_a_calibration_survives(saved: Path) -> None:
    recognizer = Recognizer.load("en-small")
    assert recognizer.curve is not None and round_trip(recognizer).curve == recognizer.curve
    recognizer.curve = None
    assert round_trip(recognizer).curve is None


def test_the_model_is_loaded_once_in_a_worker(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps(Recognizer.load(saved))
    first = pickle.loads(data)
    network = first.network
    second = pickle.loads(data)
    assert second is not first and second.network is not network  # both are in use
    network = second.network
    del second
    assert pickle.loads(data).network is network  # nobody else held it
    third = pickle.loads(data)
    third.windowing = Windowing(longest=9.0)
    del third
    assert pickle.loads(data).windowing == Windowing()  # a changed one is not used again


def _transcribe(recognizer: Recognizer, path: str) -> tuple[int, str, float]:
    transcript = recognizer.transcribe(path)
    return os.getpid(), transcript.text, transcript.score


def test_spawned_processes_transcribe(saved: Path, goforward: Path) -> None:
    recognizer = Recognizer.load(saved, Decoding(beam=4))
    expected = recognizer.transcribe(goforward)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        by_function = pool.starmap(_transcribe, [(recognizer, str(goforward))] * 3, chunksize=1)
        by_method = pool.map(recognizer.transcribe, [str(goforward)] * 2, chunksize=1)
    assert os.getpid() not in {pid for pid, _, _ in by_function}
    assert [(text, score) for _, text, score in by_function] == [
        (expected.text, expected.score)
    ] * 3
    assert by_method == [expected, expected]


def test_joblib_transcribes(saved: Path, goforward: Path) -> None:
    joblib = pytest.importorskip("joblib")
    recognizer = Recognizer.load(saved)
    expected = recognizer.transcribe(goforward)
    tasks = (joblib.delayed(recognizer.transcribe)(path) for path in [goforward] * 3)
    assert joblib.Parallel(n_jobs=2)(tasks) == [expected] * 3


def test_an_error_in_a_worker_names_the_folder(saved: Path) -> None:
    data = pickle.dumps(Recognizer.load(saved))
    values = json.loads((saved / "model.json").read_text())
    (saved / "model.json").write_text(json.dumps(values | {"colour": "red"}))
    with pytest.raises(ConfigError, match=r"tiny/model\.json: colour"):
        pickle.loads(data)
