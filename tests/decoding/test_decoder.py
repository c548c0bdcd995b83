from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from asr.data.manifest import Utterance, write_manifest
from asr.decoding.decoder import Decoder, Decoding, LmRecord, Weights, read_phrases
from asr.errors import ConfigError
from asr.evaluation.tuning import save_best, tune
from asr.language.kneser_ney import estimate
from asr.language.ngram import read_sentences, write_arpa
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


def test_a_language_model_corrects_and_keeps_times(lm: Path) -> None:
    values = logits("go forbard ten", ("b", "w"))
    greedy = Decoder(CHARACTERS, Decoding())(values)
    fused = Decoder(CHARACTERS, Decoding(8, lm))(values)
    assert CHARACTERS.decode(greedy.labels) == "go forbard ten"
    assert CHARACTERS.decode(fused.labels) == "go forward ten"
    assert fused.starts == greedy.starts == tuple(range(0, 28, 2))
    assert Decoder(CHARACTERS, Decoding(8))(values).labels == greedy.labels


def test_nothing_is_decoded_to_nothing(lm: Path) -> None:
    assert Decoder(CHARACTERS, Decoding(8, lm))(np.zeros([0, 29])).labels == ()
    silence = np.zeros([10, 29])
    silence[:, 0] = 20
    assert Decoder(CHARACTERS, Decoding(8, lm))(silence).labels == ()


def test_impossible_decodings_are_errors(lm: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.arpa: a language model needs a beam"):
        Decoding(0, lm)
    with pytest.raises(ConfigError, match="a hot word needs a beam"):
        Decoding(0, hot_words=("go",))
    with pytest.raises(ConfigError, match="n-best needs a beam"):
        Decoding(0, nbest=3)
    with pytest.raises(ConfigError, match="beam must be 0"):
        Decoding(-1)
    with pytest.raises(ConfigError, match="nbest must be 0"):
        Decoding(nbest=-1)
    with pytest.raises(ConfigError, match="alpha must be a finite number, found nan"):
        Decoding(lm=lm, alpha=math.nan)
    with pytest.raises(ConfigError, match="hot_weight must be a finite number, found inf"):
        Decoding(hot_words=("go",), hot_weight=math.inf)
    for given in ({"alpha": 0.5}, {"beta": 0.0}, {"unknown": -5.0}):
        with pytest.raises(
            ConfigError, match="alpha, beta, unknown, spelling weigh a language model"
        ):
            Decoding(hot_words=("go",), **given)
    with pytest.raises(ConfigError, match="this recogniser's is jamo"):
        Decoder(Tokenizer(TokenizerConfig("jamo", "korean", "")), Decoding(8, lm))
    with pytest.raises(ConfigError, match="--lm general: this recogniser has no language model"):
        Decoder(CHARACTERS, Decoding(lm="general"), tmp_path)
    with pytest.raises(ConfigError, match=r"none\.txt: cannot be read"):
        Decoder(CHARACTERS, Decoding(lexicon=tmp_path / "none.txt"))


def test_what_is_not_said_is_as_tuned_and_what_is_said_wins(lm: Path, tmp_path: Path) -> None:
    assert Decoding().settle() == Decoding(0)
    assert Decoding(nbest=3).settle().beam == 16 and Decoding(nbest=30).settle().beam == 30
    plain = Decoding(lm=lm).settle()
    assert (plain.beam, plain.alpha, plain.beta, plain.unknown) == (16, 0.5, 1.0, -5.0)
    record = LmRecord(Weights(0.8, 2.0, -9.0, 12), made={"text": "two sentences"})
    assert record.write(lm) == tmp_path / "x.json"
    tuned = Decoding(lm=str(lm), beta=0.0).settle()
    assert (tuned.beam, tuned.alpha, tuned.beta, tuned.unknown) == (12, 0.8, 0.0, -9.0)
    # "general" is the recogniser's own, with its own record.
    write_arpa(estimate([["go"]], 1), tmp_path / "lm.arpa.gz")
    own = Decoder(CHARACTERS, Decoding(lm="general"), tmp_path).decoding
    assert (own.lm, own.alpha) == ("general", 0.5)
    (tmp_path / "x.json").write_text('{"weights": {"gamma": 1}}')
    with pytest.raises(ConfigError, match=r"x\.json: weights\.gamma: unknown key"):
        Decoding(lm=lm).settle()


def test_n_best_are_different_texts_with_scores(lm: Path) -> None:
    values = logits("go forbard ten", ("b", "w"))
    path = Decoder(CHARACTERS, Decoding(nbest=4))(values)
    texts = [CHARACTERS.decode(labels) for labels, _ in path.others]
    assert texts[:2] == ["go forbard ten", "go forward ten"] and len(set(texts)) == 4
    scores = [score for _, score in path.others]
    assert scores == sorted(scores, reverse=True) and scores[0] < 0
    assert Decoder(CHARACTERS, Decoding(8))(values).others == ()
    fused = Decoder(CHARACTERS, Decoding(8, lm, nbest=2))(values)
    assert CHARACTERS.decode(fused.others[0][0]) == "go forward ten"
    assert fused.others[0][0] == fused.labels


def test_hot_words_and_a_lexicon_correct(tmp_path: Path) -> None:
    values = logits("go forbard ten", ("b", "w"))
    hot = Decoder(CHARACTERS, Decoding(hot_words=("forward",)))(values)
    assert CHARACTERS.decode(hot.labels) == "go forward ten"
    (tmp_path / "words.txt").write_text("Go\nten\nforward\n")
    only = Decoder(CHARACTERS, Decoding(lexicon=tmp_path / "words.txt"))(values)
    assert CHARACTERS.decode(only.labels) == "go forward ten"


def test_hot_words_are_given_in_a_line_or_a_file(tmp_path: Path) -> None:
    assert read_phrases(None) == ()
    assert read_phrases("Kubernetes, New York") == ("Kubernetes", "New York")
    (tmp_path / "hot.txt").write_text("New York\n\nKubernetes\n")
    assert read_phrases(str(tmp_path / "hot.txt")) == ("New York", "Kubernetes")
    with pytest.raises(ConfigError, match="hot words ' , ': none in it"):
        read_phrases(" , ")


def test_tuning_tries_and_ranks_and_keeps(
    tiny: Recognizer, goforward: Path, lm: Path, tmp_path: Path
) -> None:
    tiny.save(tmp_path / "tiny", "")
    write_manifest(tmp_path / "m.jsonl", [Utterance("go forward ten meters", 2.786, goforward)])
    model, manifest = str(tmp_path / "tiny"), tmp_path / "m.jsonl"
    trials = tune(model, manifest, Decoding(4, lm), (0.2, 2.0), (0.0, 3.0), (-3.0, -9.0))
    tried = {(t.weights.alpha, t.weights.beta, t.weights.unknown) for t in trials}
    assert tried > {(a, b, -9.0) for a in (0.2, 2.0) for b in (0.0, 3.0)}
    assert any(u == -3.0 for _, _, u in tried) and len(trials) == len(tried) > 5
    assert [(t.wer, t.cer) for t in trials] == sorted((t.wer, t.cer) for t in trials)
    from asr.evaluation.error_rates import evaluate_manifest

    LmRecord(made={"text": "two sentences"}).write(lm)
    assert save_best(trials, model, manifest, Decoding(4, lm)) == tmp_path / "x.json"
    kept = LmRecord.read(lm)
    assert kept.weights == trials[0].weights and kept.made == {"text": "two sentences"}
    assert kept.tuned["wer"] == trials[0].wer and kept.tuned["manifest"] == str(manifest)
    found, record = evaluate_manifest(model, manifest, Decoding(lm=lm))
    assert found.wer == trials[0].wer
    assert record["decoding"]["alpha"] == kept.weights.alpha and record["decoding"]["beam"] == 4


def test_sentences_come_from_text_and_manifests(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Go forward, 10 meters!\n\n...\n")
    write_manifest(tmp_path / "m.jsonl", [Utterance("Go back.", 1.0, tmp_path / "x.wav")])
    paths = [tmp_path / "a.txt", tmp_path / "m.jsonl"]
    assert read_sentences(paths, "english") == [["go", "forward", "ten", "meters"], ["go", "back"]]
    with pytest.raises(ConfigError, match=r"b\.txt: cannot be read"):
        read_sentences([tmp_path / "b.txt"], "english")
    with pytest.raises(ConfigError, match="normaliser klingon"):
        read_sentences(paths, "klingon")


def test_a_language_model_of_another_alphabet_is_named(tmp_path: Path) -> None:
    lm = tmp_path / "korean.arpa"
    write_arpa(estimate([["안녕", "세계"]], 2), lm)
    with pytest.raises(ConfigError, match=r"language model .*korean\.arpa: none of its words"):
        Decoder(CHARACTERS, Decoding(lm=lm))
