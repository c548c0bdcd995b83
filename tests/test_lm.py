from __future__ import annotations

import gzip
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr import ctc
from asr.errors import ConfigError, ModelError
from asr.lm import END, START, NgramModel, WordScorer, estimate, read_arpa, write_arpa
from asr.text import Tokenizer, TokenizerConfig

ARPA = """\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-99 <s> -0.3
-0.5 </s>
-0.7 go -0.2
-1.0 ten

\\2-grams:
-0.1 <s> go
-0.4 go </s>

\\end\\
"""
WORDS = ["go", "forward", "ten", "meters"]
SENTENCES = st.lists(st.lists(st.sampled_from(WORDS), max_size=5), min_size=1, max_size=8)
CHARACTERS = Tokenizer(TokenizerConfig())


def arpa(path: Path, text: str = ARPA) -> Path:
    path.write_text(text)
    return path


def test_back_off_by_hand(tmp_path: Path) -> None:
    model = read_arpa(arpa(tmp_path / "x.arpa"))
    assert model.order == 2 and model.vocabulary == {"go", "ten"}
    assert model.score("go", (START,)) == -0.1
    assert model.score("ten", (START,)) == pytest.approx(-0.3 - 1.0)
    assert model.score("ten", ("ten", "go")) == pytest.approx(-0.2 - 1.0)
    assert model.score("go", ("ten",)) == -0.7
    assert model.sentence(["go"]) == pytest.approx(-0.5)
    assert model.score("stop", ()) == -99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("-0.7 go -0.2", "-0.7 go -0.2 x y"), r"x\.arpa, line 8: expected 1 words"),
        (("-0.1 <s> go", "minus <s> go"), r"x\.arpa, line 12: could not convert"),
        (("ngram 2=2", "ngram 2=3"), r"x\.arpa: 3 2-grams promised, 2 found"),
        (("\\end\\", ""), r"x\.arpa: not a whole ARPA file: \\end\\ is missing"),
        (("\\data\\", ""), r"x\.arpa: not a whole ARPA file: \\data\\ is missing"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = arpa(tmp_path / "x.arpa", ARPA.replace(*change))
    with pytest.raises(ModelError, match=message):
        read_arpa(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"x\.arpa: cannot be read"):
        read_arpa(tmp_path / "x.arpa")


@given(SENTENCES.filter(any), st.integers(1, 4))
def test_estimates_are_distributions(sentences: list[list[str]], order: int) -> None:
    model = estimate(sentences, order)
    words = [*model.vocabulary, END, "<unk>"]
    contexts = [(START,), ("never",), *((a, b) for a in WORDS[:2] for b in WORDS[:2])]
    for context in contexts:
        total = sum(10 ** model.score(word, context) for word in words)
        assert total == pytest.approx(1, abs=1e-6)


def test_a_seen_sentence_is_likelier_than_its_words_in_disorder() -> None:
    model = estimate([["go", "forward", "ten", "meters"], ["go", "back"]] * 3, 3)
    seen = model.sentence(["go", "forward", "ten", "meters"])
    others = [model.sentence(p) for p in itertools.permutations(["go", "forward", "ten", "meters"])]
    assert seen == max(others) and sorted(others)[-2] < seen - 0.5


@pytest.mark.parametrize("name", ["x.arpa", "x.arpa.gz"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    model = estimate([["go", "forward"], ["go"], ["ten", "meters", "go"]], 3)
    write_arpa(model, tmp_path / name)
    assert (tmp_path / name).read_bytes()[:2] == (b"\x1f\x8b" if name.endswith("gz") else b"\\d")
    read = read_arpa(tmp_path / name)
    assert read.order == 3 and read.table.keys() == model.table.keys()
    for ngram, values in model.table.items():
        assert read.table[ngram] == pytest.approx(values, abs=1e-6)
    if name.endswith("gz"):
        (tmp_path / name).write_bytes(gzip.compress(ARPA.encode())[:40])
        with pytest.raises(ModelError, match="cannot be read"):
            read_arpa(tmp_path / name)


def test_impossible_models_are_errors() -> None:
    with pytest.raises(ConfigError, match="order must be 1 or more"):
        estimate([["go"]], 0)
    with pytest.raises(ConfigError, match="no words"):
        estimate([[]], 2)
    with pytest.raises(ConfigError, match="can be spelled"):
        WordScorer(NgramModel(1, {("жук",): (-1.0, 0.0)}), CHARACTERS)


def total(scorer: WordScorer, text: str) -> float:
    state, score = scorer.start(), 0.0
    for label in CHARACTERS.encode(text):
        gain, state = scorer.extend(state, label)
        score += gain
    return score + scorer.finish(state)


def test_words_are_scored_as_the_model_scores_the_sentence() -> None:
    model = estimate([["go", "forward"], ["go", "back"]], 3)
    scorer = WordScorer(model, CHARACTERS, alpha=0.7, beta=0.4, unknown=-6.0)
    expected = 0.7 * math.log(10) * model.sentence(["go", "back"]) + 2 * 0.4
    assert total(scorer, "go back") == pytest.approx(expected)
    unknown = 0.7 * math.log(10) * model.sentence(["go", "beck"]) + 2 * 0.4 - 6.0
    assert total(scorer, "go beck") == pytest.approx(unknown)


def test_a_word_is_lost_once_and_as_early_as_can_be() -> None:
    scorer = WordScorer(estimate([["go", "back"]], 1), CHARACTERS, unknown=-6.0)
    state, gains = scorer.start(), []
    for label in CHARACTERS.encode("baxter"):
        gain, state = scorer.extend(state, label)
        gains.append(gain)
    assert gains == [0, 0, -6.0, 0, 0, 0]


def test_the_model_decides_what_the_network_leaves_open() -> None:
    labels = CHARACTERS.encode("go forward ten meters")
    likely = np.full([2 * len(labels), len(CHARACTERS)], 0.001)
    for i, label in enumerate(labels):
        likely[2 * i, label], likely[2 * i + 1, 0] = 0.97, 0.97
    wrong = CHARACTERS.encode("b")[0]
    likely[2 * labels.index(CHARACTERS.encode("w")[0])] = 0.001
    likely[2 * labels.index(CHARACTERS.encode("w")[0]), [wrong, CHARACTERS.encode("w")[0]]] = (
        0.5,
        0.4,
    )
    logs = np.log(likely / likely.sum(axis=1, keepdims=True))
    model = estimate([["go", "forward", "ten", "meters"], ["go", "back"]], 3)
    plain = ctc.beam_search(logs)[0]
    fused = ctc.beam_search(logs, scorer=WordScorer(model, CHARACTERS))[0]
    assert CHARACTERS.decode(plain.labels) == "go forbard ten meters"
    assert CHARACTERS.decode(fused.labels) == "go forward ten meters"
