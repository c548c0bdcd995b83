"""German, Russian, Korean and Turkish from recordings to transcripts, as in docs/languages.md."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml
from no_augmentation import NO_AUGMENTATION
from spoken_languages import SENTENCES

from asr.base.config import parse, to_dict
from asr.data.corpora import prepare
from asr.data.manifest import Utterance, read_manifest
from asr.data.manifest_check import check_manifests, read_manifests, tokenizer_for
from asr.decoding.decoding_options import Decoding, general_lm
from asr.errors import AsrWarning, ConfigError, TextError
from asr.evaluation.error_rates import evaluate_manifest
from asr.language.arpa import write_arpa
from asr.language.kneser_ney import estimate
from asr.models import MODELS
from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.model_directory import RecognizerConfig
from asr.recognizer import Recognizer
from asr.text.tokenizers import BLANK, Tokenizer, TokenizerConfig
from asr.training.from_yaml import train_from_yaml
from asr.training.train_recognizer import RecognizerExperimentConfig
from asr.training.training_language import check_training_language

CLIPS = Path(__file__).parents[1] / "fixtures" / "languages"


def recordings(folder: Path, language: str) -> Path:
    """A folder with the clips of a language and their texts."""
    folder.mkdir(parents=True)
    for number, sentence in enumerate(SENTENCES[language]):
        shutil.copy(CLIPS / f"{language}{number}.ogg", folder)
        (folder / f"{language}{number}.txt").write_text(sentence.text, encoding="utf-8")
    return folder


def train(folder: Path, manifest: Path, **keys: object) -> Path:
    """Train on a manifest with `keys` in the YAML file; returns the model directory."""
    values = {
        "name": "mine",
        "data": {"train": [manifest.name], "dev": [manifest.name]},
        "acoustic": {"units": 48, "layers": 1, "dropout": 0.0},
        "augment": {"join": 0.0},
        "training": {"epochs": 1, "batch_size": 2, "threads": 0},
    }
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(values | keys, allow_unicode=True), encoding="utf-8")
    return train_from_yaml(file, manifest.parent, folder / "run")


class Trained(NamedTuple):
    """A model that was trained for one epoch on the clips of a language."""

    language: str
    model: Path
    manifest: Path
    said: str


@pytest.fixture(scope="module", params=list(SENTENCES))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder, said = tmp_path_factory.mktemp(request.param), io.StringIO()
    clips = recordings(folder / "clips", request.param)
    manifest = prepare("folder", clips, folder, request.param).manifests["train"]
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        model = train(folder, manifest, language=request.param)
    return Trained(request.param, model, manifest, said.getvalue())


def test_manifests_have_the_language_and_pass_the_check(trained: Trained) -> None:
    assert {u.language for u in read_manifest(trained.manifest)} == {trained.language}
    tokenizer = tokenizer_for(read_manifests([trained.manifest]))
    assert tokenizer.language == trained.language
    report = check_manifests(
        read_manifests([trained.manifest]), tokenizer.encode, lambda s: int(50 * s)
    )
    assert report.findings == ()


def test_the_alphabet_is_in_the_model_the_card_and_the_output(trained: Trained) -> None:
    tokenizer = json.loads((trained.model / "model.json").read_text(encoding="utf-8"))["tokenizer"]
    assert (tokenizer["language"], tokenizer["normaliser"]) == (trained.language, "neutral")
    card = (trained.model / "README.md").read_text(encoding="utf-8")
    said = "".join(trained.said.split())
    assert f"({trained.language})" in said and f"({trained.language})" in card
    letters = "".join(sorted(set("".join(s.words for s in SENTENCES[trained.language])) - {" "}))
    if trained.language == "ko":
        assert (tokenizer["kind"], tokenizer["alphabet"]) == ("jamo", "")
    else:
        assert tokenizer["alphabet"] == " " + letters
        assert letters in said and f"`{letters}`" in card


def test_transcripts_alignments_and_scores_have_the_letters(trained: Trained) -> None:
    recognizer = Recognizer.load(trained.model)
    sentences = SENTENCES[trained.language]
    for utterance, sentence in zip(read_manifest(trained.manifest), sentences, strict=True):
        ids = recognizer.tokenizer.encode(utterance.text)
        assert recognizer.tokenizer.decode(ids) == sentence.words
        assert recognizer.tokenizer.unknown(recognizer.transcribe(utterance).text) == {}
        aligned = recognizer.align(utterance, utterance.text)
        assert [word.text for word in aligned.words] == sentence.text.split()
        assert not any("English" in warning for warning in aligned.warnings)
    result, _ = evaluate_manifest(str(trained.model), trained.manifest)
    assert [s.reference for s in result.scored] == [s.words for s in sentences]


def test_hot_words_a_lexicon_and_a_language_model_have_the_letters(
    trained: Trained, tmp_path: Path
) -> None:
    sentences = SENTENCES[trained.language]
    words = [s.words.split() for s in sentences]
    write_arpa(estimate(words, 2), tmp_path / "x.arpa")
    text = "\n".join(s.text for s in sentences)
    (tmp_path / "words.txt").write_text(text, encoding="utf-8")
    decoding = Decoding(
        8, tmp_path / "x.arpa", lexicon=tmp_path / "words.txt", hot_words=(sentences[0].text,)
    )
    recognizer = Recognizer.load(trained.model, decoding)
    tokenizer = recognizer.tokenizer
    labels = tokenizer.encode(sentences[0].text)
    logits = np.full([2 * len(labels), recognizer.heads.size], -9.0, np.float32)
    logits[:, BLANK] = 0.0
    logits[range(0, len(logits), 2), labels] = 9.0
    assert tokenizer.decode(recognizer.decoder(logits).labels) == sentences[0].words
    known = {word for sentence in words for word in sentence}
    for utterance in read_manifest(trained.manifest):
        assert set(recognizer.transcribe(utterance).text.split()) <= known


@pytest.mark.slow
@pytest.mark.parametrize("language", list(SENTENCES))
def test_a_small_model_learns_the_clips_by_heart(language: str, tmp_path: Path) -> None:
    prepared = prepare("folder", recordings(tmp_path / "clips", language), tmp_path, language)
    name = prepared.manifests["train"].name
    data = {"train": [name], "dev": [name], "repeat": {name: 15}}  # 15 steps per epoch are quicker
    training = {"epochs": 10, "batch_size": 2, "threads": 0}
    training |= {"learning_rate": 5e-3, "weight_decay": 0.0}
    model = train(
        tmp_path,
        prepared.manifests["train"],
        language=language,
        data=data,
        augment=to_dict(NO_AUGMENTATION),
        training=training,
    )
    recognizer = Recognizer.load(model)
    found = [recognizer.transcribe(u).text for u in read_manifest(prepared.manifests["train"])]
    assert found == [sentence.words for sentence in SENTENCES[language]]


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
def test_digits_of_clips_made_here_are_read_in_their_language(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    command = ["espeak-ng", "-v", "de", "-w", str(folder / "a.wav"), "Es sind 21 Äpfel."]
    subprocess.run(command, check=True)
    (folder / "a.txt").write_text("Es sind 21 Äpfel.", encoding="utf-8")
    manifest = prepare("folder", folder, tmp_path, "German").manifests["train"]
    tokenizer = tokenizer_for(read_manifests([manifest]))
    (utterance,) = read_manifest(manifest)
    assert tokenizer.decode(tokenizer.encode(utterance.text)) == "es sind einundzwanzig äpfel"


@pytest.mark.parametrize("language", list(SENTENCES))
def test_english_by_default_refuses_other_texts_and_names_the_line(
    language: str, tmp_path: Path
) -> None:
    prepared = prepare("folder", recordings(tmp_path / "clips", language), tmp_path)
    manifest = prepared.manifests["train"]
    assert f"`language: {language}`" in prepared.hints[-1] and "--language" in prepared.hints[-1]
    for initial in ({}, {"initial_model": "en-small", "acoustic": {}}):
        with pytest.raises(TextError, match=f"not English.*`language: {language}`"):
            train(tmp_path, manifest, **initial)
    with pytest.warns(AsrWarning, match="not English") as warned:
        evaluate_manifest("en-small", manifest)
    messages = " ".join(str(w.message) for w in warned)
    latin = language in ("de", "tr")
    assert ("accents" in messages, "of another script" in messages) == (latin, not latin)
    assert latin or "cannot write" in messages  # not instead of the other warning
    labelled = prepare("folder", tmp_path / "clips", tmp_path / "b", language).manifests["train"]
    with pytest.raises(TextError, match=f"lang {language}.*English.*`language: {language}`"):
        train(tmp_path, labelled)
    tokenizer = tokenizer_for(read_manifests([manifest]))
    found = check_manifests(
        read_manifests([manifest]), tokenizer.encode, lambda s: 999, tokenizer.language
    ).findings
    assert any(f.level == "warning" and f"`language: {language}`" in f.message for f in found)


def test_english_that_is_asked_for_removes_accents() -> None:
    said: list[str] = []
    german = [Utterance("Müller und Köhler grüßen", 2.0)]
    check_training_language(TokenizerConfig(), True, german, said.append)
    labelled = [replace(german[0], language="en-US")]
    check_training_language(TokenizerConfig(), False, labelled, said.append)
    assert said == []
    cafe = [*[Utterance("go on", 1.0)] * 99, Utterance("the café", 1.0)]
    check_training_language(TokenizerConfig(), False, cafe, said.append)
    (message,) = said
    assert "'é' (U+00E9) × 1" in message and "`language: en`" in message


def test_another_language_starts_from_english_weights_without_its_letters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = prepare("folder", recordings(tmp_path / "clips", "de"), tmp_path, "de")
    # A small model with the parts of en-small: a phone head, a language model and its weights.
    acoustic = AcousticConfig(units=4, layers=1, phones=True)
    english = RecognizerConfig("english", acoustic=acoustic)
    labels = len(Tokenizer(english.tokenizer))
    Recognizer(english, AcousticModel(acoustic, 39, labels)).save(tmp_path / "english", "")
    for name in ("lm.ngrams", "lm.json"):
        (tmp_path / "english" / name).symlink_to(MODELS / "en-small" / name)
    keys = {"initial_model": str(tmp_path / "english"), "acoustic": {}, "language": "de"}
    model = train(tmp_path, prepared.manifests["train"], **keys)
    recognizer = Recognizer.load(model)
    assert not recognizer.config.acoustic.phones and "ß" in recognizer.tokenizer.config.alphabet
    assert general_lm(model) is None
    assert "its output layer" in " ".join(capsys.readouterr().err.split())


def test_characters_that_only_dev_has_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = prepare("folder", recordings(tmp_path / "clips", "de"), tmp_path, "de")
    manifest = prepared.manifests["train"]
    dev = manifest.with_name("dev.jsonl")
    dev.write_text(
        manifest.read_text(encoding="utf-8").replace("Grüße", "Äpfel à"), encoding="utf-8"
    )
    data = {"train": [manifest.name], "dev": [dev.name]}
    model = train(tmp_path, manifest, language="de", data=data)
    said = " ".join(capsys.readouterr().err.split())
    assert "'ä' (U+00E4) × 1" in said and "'à' (U+00E0) × 1" in said
    with pytest.warns(AsrWarning, match=r"dev\.jsonl: the model cannot write .*'ä'"):
        evaluate_manifest(str(model), dev)
    findings = check_manifests(
        read_manifests([dev]), tokenizer_for(read_manifests([manifest, dev])).encode, lambda s: 999
    ).findings
    assert any("'ä' (U+00E4) × 1" in f.message for f in findings)


def test_configurations_name_the_language_once(tmp_path: Path) -> None:
    manifest = tmp_path / "train.jsonl"
    with pytest.raises(ConfigError, match=r"language: de and tokenizer\.language: tr differ"):
        train(tmp_path, manifest, language="de", tokenizer={"language": "tr"})
    with pytest.raises(ConfigError, match="expected an ISO 639 code, such as de"):
        train(tmp_path, manifest, language="Kölsch")


def test_norwegian_needs_no_quotes() -> None:
    values = yaml.safe_load("{name: x, data: {train: [a], dev: [b]}, language: no}")
    assert values["language"] is False
    assert parse(RecognizerExperimentConfig, values, "x.yaml").tokenizer.language == "no"


def test_a_model_without_the_key_is_english_as_before(tmp_path: Path) -> None:
    source = Recognizer.load("en-small").folder
    assert source is not None
    shutil.copytree(source, tmp_path / "old")
    values = json.loads((tmp_path / "old" / "model.json").read_text())
    assert "language" not in values["tokenizer"]
    old = Recognizer.load(tmp_path / "old")
    assert (old.tokenizer.language, old.tokenizer.normalise("Café 2")) == ("en", "cafe two")
