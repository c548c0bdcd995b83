from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asr.decoding import Decoder, Decoding
from asr.errors import ConfigError
from asr.lm import estimate, read_sentences, write_arpa
from asr.manifest import Utterance, write_manifest
from asr.recognizer import Recognizer
from asr.text import Tokenizer, TokenizerConfig
from asr.tuning import tune

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


def test_impossible_decodings_are_errors(lm: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.arpa: a language model needs a beam"):
        Decoding(0, lm)
    with pytest.raises(ConfigError, match="beam must be 0"):
        Decoding(-1)
    with pytest.raises(ConfigError, match="this recogniser's is jamo"):
        Decoder(Tokenizer(TokenizerConfig("jamo", "korean", "")), Decoding(8, lm))


def test_tuning_tries_every_pair_and_ranks(
    tiny: Recognizer, goforward: Path, lm: Path, tmp_path: Path
) -> None:
    tiny.save(tmp_path / "tiny", "")
    write_manifest(tmp_path / "m.jsonl", [Utterance("go forward ten meters", 2.786, goforward)])
    model = str(tmp_path / "tiny")
    trials = tune(model, tmp_path / "m.jsonl", lm, 4, alphas=(0.1, 2.0), betas=(0.0, 3.0))
    assert {(t.decoding.alpha, t.decoding.beta) for t in trials} == {
        (0.1, 0.0), (0.1, 3.0), (2.0, 0.0), (2.0, 3.0),
    }  # fmt: skip
    assert [t.wer for t in trials] == sorted(t.wer for t in trials)
    best = trials[0].decoding
    from asr.batch import evaluate_manifest

    assert evaluate_manifest(model, tmp_path / "m.jsonl", best)[0].wer == trials[0].wer


def test_sentences_come_from_text_and_manifests(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Go forward, 10 meters!\n\n...\n")
    write_manifest(tmp_path / "m.jsonl", [Utterance("Go back.", 1.0, tmp_path / "x.wav")])
    paths = [tmp_path / "a.txt", tmp_path / "m.jsonl"]
    assert read_sentences(paths, "english") == [["go", "forward", "ten", "meters"], ["go", "back"]]
    with pytest.raises(ConfigError, match=r"b\.txt: cannot be read"):
        read_sentences([tmp_path / "b.txt"], "english")
    with pytest.raises(ConfigError, match="normaliser klingon"):
        read_sentences(paths, "klingon")
