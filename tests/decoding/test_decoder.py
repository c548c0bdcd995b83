from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from asr.cli.app import main
from asr.data.manifest import Utterance, write_manifest
from asr.decoding.decoder import Decoder
from asr.decoding.decoding_options import Decoding
from asr.decoding.lm_record import LmRecord, LmWeights
from asr.decoding.word_lists import read_phrases, read_words
from asr.errors import AsrWarning, ConfigError, TextError
from asr.evaluation import tuning
from asr.evaluation.calibration import MIN_WORDS
from asr.evaluation.tuning import save_best, tune, tune_near
from asr.language.arpa import write_arpa
from asr.language.kneser_ney import estimate
from asr.language.text_corpus import read_sentences
from asr.recognizer import Recognizer
from asr.text.tokenizers import Tokenizer, TokenizerConfig

CHARACTERS = Tokenizer(TokenizerConfig())


@pytest.fixture
def lm(tmp_path: Path) -> Path:
    path = tmp_path / "x.arpa"
    write_arpa(estimate([["go", "forward", "ten", "meters"], ["go", "back"]], 2), path)
    return path


def logits(text: str, confusion: tuple[str, str]) -> np.ndarray:
    """Two frames a letter; where `text` has confusion[0], confusion[1] is as likely, nearly."""
    ids = CHARACTERS.encode(text)
    values = np.zeros([2 * len(ids), len(CHARACTERS)])
    for i, label in enumerate(ids):
        values[2 * i, label], values[2 * i + 1, 0] = 9, 9
    wrong, right = (CHARACTERS.encode(c)[0] for c in confusion)
    values[:, right] = np.where(values[:, wrong] > 0, 8.8, values[:, right])
    return values


def test_language_model_corrects_the_text_and_keeps_the_times(lm: Path) -> None:
    values = logits("go forbard ten", ("b", "w"))
    greedy = Decoder(CHARACTERS, Decoding())(values)
    fused = Decoder(CHARACTERS, Decoding(8, lm))(values)
    assert CHARACTERS.decode(greedy.labels) == "go forbard ten"
    assert CHARACTERS.decode(fused.labels) == "go forward ten"
    assert fused.starts == greedy.starts == tuple(range(0, 28, 2))
    assert Decoder(CHARACTERS, Decoding(8))(values).labels == greedy.labels


def test_silence_has_no_labels(lm: Path) -> None:
    assert Decoder(CHARACTERS, Decoding(8, lm))(np.zeros([0, 29])).labels == ()
    silence = np.zeros([10, 29])
    silence[:, 0] = 20
    assert Decoder(CHARACTERS, Decoding(8, lm))(silence).labels == ()


def test_invalid_options_are_named(lm: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.arpa.*--beam"):
        Decoding(0, lm)
    with pytest.raises(ConfigError, match=r"hot word.*--beam"):
        Decoding(0, hot_words=("go",))
    with pytest.raises(ConfigError, match=r"n-best.*--beam"):
        Decoding(0, nbest=3)
    with pytest.raises(ConfigError, match=r"beam.*-1"):
        Decoding(-1)
    with pytest.raises(ConfigError, match=r"nbest.*-1"):
        Decoding(nbest=-1)
    with pytest.raises(ConfigError, match=r"alpha.*nan"):
        Decoding(lm=lm, alpha=math.nan)
    with pytest.raises(ConfigError, match=r"hot_weight.*inf"):
        Decoding(hot_words=("go",), hot_weight=math.inf)
    for given in ({"alpha": 0.5}, {"beta": 0.0}, {"unknown": -5.0}):
        with pytest.raises(ConfigError, match=r"alpha, beta, unknown, spelling .*--lm"):
            Decoding(lm="none", hot_words=("go",), **given)
        with pytest.raises(ConfigError, match=r"alpha, beta, unknown, spelling .*--lm"):
            Decoding(**given).resolve(tmp_path)  # a recogniser without a language model
    with pytest.raises(ConfigError, match=r"x\.arpa: .*can spell none of its words"):
        Decoder(Tokenizer(TokenizerConfig("jamo", "korean", "")), Decoding(8, lm))
    with pytest.raises(ConfigError, match="--lm general"):
        Decoder(CHARACTERS, Decoding(lm="general"), tmp_path)
    with pytest.raises(ConfigError, match=r"none\.txt"):
        Decoder(CHARACTERS, Decoding(lexicon=tmp_path / "none.txt"))


def test_options_left_open_have_the_tuned_values(lm: Path, tmp_path: Path) -> None:
    assert Decoding().resolve() == Decoding(0, "none")
    assert Decoding(nbest=3).resolve().beam == 16 and Decoding(nbest=30).resolve().beam == 30
    plain = Decoding(lm=lm).resolve()
    assert (plain.beam, plain.alpha, plain.beta, plain.unknown) == (16, 0.5, 1.0, -5.0)
    record = LmRecord(LmWeights(0.8, 2.0, -9.0, 12), made={"text": "two sentences"})
    assert record.write(lm) == tmp_path / "x.json"
    tuned = Decoding(lm=str(lm), beta=0.0).resolve()
    assert (tuned.beam, tuned.alpha, tuned.beta, tuned.unknown) == (12, 0.8, 0.0, -9.0)
    # "general" is the recogniser's own, with its own record.
    write_arpa(estimate([["go"]], 1), tmp_path / "lm.arpa.gz")
    own = Decoder(CHARACTERS, Decoding(lm="general"), tmp_path).decoding
    assert (own.lm, own.alpha) == ("general", 0.5)
    # It is the default, but for greedy decoding and where a lexicon states the words.
    lexicon = tmp_path / "words.txt"
    assert Decoding().resolve(tmp_path) == own == own.resolve(tmp_path)
    assert Decoding(hot_words=("go",)).resolve(tmp_path).lm == "general"
    assert Decoding(beam=0).resolve(tmp_path) == Decoding(0, "none")
    assert Decoding(lexicon=lexicon).resolve(tmp_path) == Decoding(16, "none", lexicon=lexicon)
    assert Decoding(lm="none").resolve(tmp_path) == Decoding(0, "none")
    (tmp_path / "x.json").write_text('{"weights": {"gamma": 1}}')
    with pytest.raises(ConfigError, match=r"x\.json: weights\.gamma"):
        Decoding(lm=lm).resolve()


def test_n_best_list_has_different_texts_by_falling_score(lm: Path) -> None:
    values = logits("go forbard ten", ("b", "w"))
    path = Decoder(CHARACTERS, Decoding(nbest=4))(values)
    texts = [CHARACTERS.decode(labels) for labels, _ in path.alternatives]
    assert texts[:2] == ["go forbard ten", "go forward ten"] and len(set(texts)) == 4
    scores = [score for _, score in path.alternatives]
    assert scores == sorted(scores, reverse=True) and scores[0] < 0
    assert Decoder(CHARACTERS, Decoding(8))(values).alternatives == ()
    fused = Decoder(CHARACTERS, Decoding(8, lm, nbest=2))(values)
    assert CHARACTERS.decode(fused.alternatives[0][0]) == "go forward ten"
    assert fused.alternatives[0][0] == fused.labels


def test_words_of_a_lexicon_that_cannot_be_spelled_are_named(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeffgo\nжук Zürich!\nна --- 10\n".encode())
    with pytest.warns(AsrWarning, match=r"words\.txt: 3 of its words .*: жук, на, ---$"):
        assert read_words(path, CHARACTERS) == {"go", "жук", "zurich", "на", "ten"}
    path.write_text("go forward\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_words(path, CHARACTERS) == {"go", "forward"}


@pytest.mark.parametrize("name", ["names.txt", "NAMES.TXT", "lists/names", "names.csv"])
def test_a_missing_file_of_hot_words_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"hot words '{name}': no such file"):
        read_phrases(name)
    (tmp_path / "lists").mkdir()
    (tmp_path / name).write_text("ten\ngo forward\n")
    assert read_phrases(name) == ("ten", "go forward")


def test_hot_words_may_be_long_and_hold_marks(tmp_path: Path) -> None:
    assert read_phrases("AC/DC, U.S.") == ("AC/DC", "U.S.")
    words = tuple(f"word{i}" for i in range(500))
    assert read_phrases(",".join(words)) == words


def test_hot_words_and_lexicon_correct_the_text(tmp_path: Path) -> None:
    values = logits("go forbard ten", ("b", "w"))
    hot = Decoder(CHARACTERS, Decoding(hot_words=("forward",)))(values)
    assert CHARACTERS.decode(hot.labels) == "go forward ten"
    (tmp_path / "words.txt").write_text("Go\nten\nforward\n")
    only = Decoder(CHARACTERS, Decoding(lexicon=tmp_path / "words.txt"))(values)
    assert CHARACTERS.decode(only.labels) == "go forward ten"


def test_hot_words_come_from_a_list_or_a_file(tmp_path: Path) -> None:
    assert read_phrases(None) == ()
    assert read_phrases("Kubernetes, New York") == ("Kubernetes", "New York")
    (tmp_path / "hot.txt").write_text("New York\n\nKubernetes\n")
    assert read_phrases(str(tmp_path / "hot.txt")) == ("New York", "Kubernetes")
    with pytest.raises(ConfigError, match="hot words ' , '"):
        read_phrases(" , ")


def test_tuning_ranks_trials_and_saves_the_best_of_enough_words(
    tiny: Recognizer,
    goforward: Path,
    lm: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tiny.save(tmp_path / "tiny", "")
    text = "go forward ten meters " * (MIN_WORDS // 4 + 1)
    write_manifest(tmp_path / "m.jsonl", [Utterance(text, 2.786, goforward)])
    model, manifest = str(tmp_path / "tiny"), tmp_path / "m.jsonl"
    trials = tune(
        model, [manifest, manifest], Decoding(4, lm), (0.2, 2.0), (0.0, 3.0), (-3.0, -9.0)
    )
    tried = {(t.weights.alpha, t.weights.beta, t.weights.unknown) for t in trials}
    assert tried > {(a, b, -9.0) for a in (0.2, 2.0) for b in (0.0, 3.0)}
    assert any(u == -3.0 for _, _, u in tried) and len(trials) == len(tried) > 5
    assert [(t.wer, t.cer) for t in trials] == sorted((t.wer, t.cer) for t in trials)
    from asr.evaluation.error_rates import evaluate_manifest

    LmRecord(made={"text": "two sentences"}).write(lm)
    before = (tmp_path / "x.json").read_bytes()
    few = tmp_path / "few.jsonl"
    write_manifest(few, [Utterance("go forward 10 meters", 2.786, goforward)])
    with pytest.raises(TextError, match=rf"few\.jsonl: 4 words, {MIN_WORDS} needed"):
        save_best(trials, model, [few], Decoding(4, lm))
    monkeypatch.setattr(tuning, "tune", None)  # the command does not search before it refuses
    monkeypatch.setattr(sys, "argv", ["asr", "tune", model, str(few), "--lm", str(lm), "--save"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1 and "4 words" in capsys.readouterr().err
    assert (tmp_path / "x.json").read_bytes() == before
    assert save_best(trials, model, [manifest], Decoding(4, lm)) == tmp_path / "x.json"
    kept = LmRecord.read(lm)
    assert kept.weights == trials[0].weights and kept.made == {"text": "two sentences"}
    assert kept.tuned["wer"] == trials[0].wer and kept.tuned["manifests"] == [str(manifest)]
    found, record = evaluate_manifest(model, manifest, Decoding(lm=lm))
    assert found.wer == trials[0].wer
    assert record["decoding"]["alpha"] == kept.weights.alpha and record["decoding"]["beam"] == 4


def test_tuning_near_the_present_weights_ends_where_no_step_is_better(
    tiny: Recognizer, goforward: Path, lm: Path, tmp_path: Path
) -> None:
    tiny.save(tmp_path / "tiny", "")
    write_manifest(tmp_path / "m.jsonl", [Utterance("go forward ten meters", 2.786, goforward)])
    decoding = Decoding(4, lm, alpha=0.05, beta=1.0, unknown=-7.0)
    trials = tune_near(str(tmp_path / "tiny"), [tmp_path / "m.jsonl"], decoding)
    tried = {(t.weights.alpha, t.weights.beta): t.wer for t in trials}
    assert len(trials) == len(tried)
    assert {t.weights.unknown for t in trials} == {-7.0}
    assert {t.weights.beam for t in trials} == {4}
    best = trials[0].weights
    for alpha, beta in ((0.1, 0.0), (-0.1, 0.0), (0.0, 0.25), (0.0, -0.25)):
        step = (round(best.alpha + alpha, 4), round(best.beta + beta, 4))
        assert step[0] < 0 or tried[step] >= trials[0].wer
    assert (0.05, 1.0) in tried and min(alpha for alpha, _ in tried) >= 0


@pytest.mark.parametrize(("spelling", "tried"), [(0.05, {0.05, 0.15}), (0.5, {0.4, 0.5, 0.6})])
def test_tuning_near_the_limit_of_a_weight_stays_within(
    spelling: float, tried: set[float], goforward: Path, tmp_path: Path
) -> None:
    write_manifest(tmp_path / "m.jsonl", [Utterance("go forward ten meters", 2.786, goforward)])
    decoding = Decoding(8, alpha=0.05, beta=0.0, spelling=spelling)
    trials = tune_near("en-base", [tmp_path / "m.jsonl"], decoding)
    assert tried <= {t.weights.spelling for t in trials}
    assert min(min(t.weights.spelling, t.weights.alpha) for t in trials) >= 0


def test_sentences_come_from_text_files_and_manifests(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Go forward, 10 meters!\n\n...\n")
    write_manifest(tmp_path / "m.jsonl", [Utterance("Go back.", 1.0, tmp_path / "x.wav")])
    paths = [tmp_path / "a.txt", tmp_path / "m.jsonl"]
    assert read_sentences(paths, "english") == [["go", "forward", "ten", "meters"], ["go", "back"]]
    with pytest.raises(ConfigError, match=r"b\.txt"):
        read_sentences([tmp_path / "b.txt"], "english")
    with pytest.raises(ConfigError, match="normaliser klingon"):
        read_sentences(paths, "klingon")


def test_language_model_with_another_alphabet_is_named(tmp_path: Path) -> None:
    lm = tmp_path / "korean.arpa"
    write_arpa(estimate([["안녕", "세계"]], 2), lm)
    with pytest.raises(ConfigError, match=r"korean\.arpa: .*세계"):
        Decoder(CHARACTERS, Decoding(lm=lm))
