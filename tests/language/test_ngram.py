from __future__ import annotations

import gzip
import itertools
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kneser_ney_by_definition import by_definition

from asr.errors import ConfigError, ModelError
from asr.language.arpa import read_arpa, write_arpa
from asr.language.kneser_ney import estimate, parse_prune_counts
from asr.language.ngram import NgramModel, Ngrams
from asr.language.word_lm import END, START, UNKNOWN

FIXTURES = Path(__file__).parents[1] / "fixtures"
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


def arpa(path: Path, text: str = ARPA) -> Path:
    path.write_text(text, encoding="latin-1")
    return path


def test_scores_and_back_off_by_hand(tmp_path: Path) -> None:
    model = read_arpa(arpa(tmp_path / "x.arpa"))
    assert model.order == 2 and model.vocabulary == {"go", "ten"}
    assert model.score("go", (START,)) == pytest.approx(-0.1)
    assert model.score("ten", (START,)) == pytest.approx(-0.3 - 1.0)
    assert model.score("ten", ("ten", "go")) == pytest.approx(-0.2 - 1.0)
    assert model.score("go", ("ten",)) == pytest.approx(-0.7)
    assert model.sentence(["go"]) == pytest.approx(-0.5)
    assert model.score("stop", ()) == -99
    assert model.score("go", ("stop",)) == pytest.approx(-0.7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("-0.7 go -0.2", "-0.7 go -0.2 x y"), r"x\.arpa, line 8: .*'-0.7 go -0.2 x y'"),
        (("-0.1 <s> go", "minus <s> go"), r"x\.arpa, line 12: 'minus'"),
        (("-0.1 <s> go", "nan <s> go"), r"x\.arpa, line 12: .*'nan <s> go'"),
        (("-0.1 <s> go", "0.1 <s> go"), r"x\.arpa, line 12: .*'0.1 <s> go'"),
        (("-0.1 <s> go", "-0.1 <s> stop"), r"x\.arpa, line 12: 'stop'"),
        (("-1.0 ten", "-1.0 go"), r"x\.arpa, line 9: .*'-1.0 go'"),
        (("-1.0 ten", "-1.0 \xff"), r"x\.arpa, line 9: 'utf-8'"),
        (("-0.4 go </s>", "-0.4 <s> go"), r"x\.arpa: .*'<s> go'"),
        (("-0.5 </s>", "-0.5 stop"), r"x\.arpa: </s>"),
        (("ngram 2=2", "ngram 2=3"), r"x\.arpa: expected 3 2-grams, found 2"),
        (("ngram 2=2", "ngram 3=2"), r"x\.arpa, line 3: .*'ngram 2=COUNT'"),
        (("ngram 2=2", "ngram 2=two"), r"x\.arpa, line 3: .*'ngram 2=COUNT'"),
        (("\\2-grams:", "\\3-grams:"), r"x\.arpa: .*\\1-grams:, \\2-grams:"),
        (("\\end\\", ""), r"x\.arpa: .*\\end\\"),
        (("\\data\\", ""), r"x\.arpa: .*\\data\\"),
    ],
)
def test_broken_line_or_section_is_named(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = arpa(tmp_path / "x.arpa", ARPA.replace(*change))
    with pytest.raises(ModelError, match=message):
        read_arpa(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"x\.arpa: .*No such file"):
        read_arpa(tmp_path / "x.arpa")


def test_text_before_data_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    # The format allows text before \data\, empty lines, tabs and Windows line ends.
    text = "made by hand\n\n" + ARPA.replace(" ", "\t").replace("ngram\t", "ngram ")
    read = read_arpa(arpa(tmp_path / "x.arpa", text.replace("\n", "\r\n")))
    plain = read_arpa(arpa(tmp_path / "y.arpa"))
    assert read.words == plain.words == [START, END, "go", "ten"]
    for words in (["go"], ["ten", "go"], [], ["go", "go"]):
        assert read.sentence(words) == plain.sentence(words)
    assert plain.ngrams()[0].back_offs.tolist() == pytest.approx([-0.3, 0.0, -0.2, 0.0])


def test_scores_equal_kenlm() -> None:
    """Golden values by kenlm (tests/fixtures/make_lm_golden.py)."""
    golden = json.loads((FIXTURES / "lm_golden.json").read_text())
    model = read_arpa(FIXTURES / "lm_golden.arpa.gz")
    assert model.order == 4 and len(golden) >= 150
    for sentence in golden:
        words = [*sentence["words"], END]
        context: list[str] = [START]
        for word, expected in zip(words, sentence["log10"], strict=True):
            # Both score an unknown word as <unk>.
            assert model.score(word, context) == pytest.approx(expected, abs=1e-4)
            context.append(word)
        assert model.sentence(sentence["words"]) == pytest.approx(sum(sentence["log10"]), abs=1e-3)


@given(SENTENCES.filter(any), st.integers(1, 4), st.sampled_from([(0,), (0, 1), (0, 0, 1), (1, 2)]))
def test_estimates_sum_to_one(
    sentences: list[list[str]], order: int, prune: tuple[int, ...]
) -> None:
    try:
        model = estimate(sentences, order, prune[:order])
    except ConfigError:
        assert prune[0] == 1  # every word was pruned
        return
    words = [*model.vocabulary, END, UNKNOWN]
    contexts = [(START,), ("never",), *((a, b) for a in WORDS[:2] for b in WORDS[:2])]
    for context in contexts:
        total = sum(10 ** model.score(word, context) for word in words)
        assert total == pytest.approx(1, abs=1e-5)


@settings(max_examples=50)
@example([[], ["go"], ["go"], ["go"], ["forward", "forward", "go"]], 3)
@given(SENTENCES.filter(any), st.integers(1, 4))
def test_estimates_equal_the_definition(sentences: list[list[str]], order: int) -> None:
    model, expected = estimate(sentences, order), by_definition(sentences, order)
    assert len(model) == len(expected)
    for ngram, (probability, back_off) in expected.items():
        if ngram != (START,):
            assert model.score(ngram[-1], ngram[:-1]) == pytest.approx(probability, abs=1e-5)
        unseen = model.score("never", ngram)
        shorter = model.score("never", ngram[1:])
        if len(ngram) < order:
            assert 10 ** (unseen - shorter) == pytest.approx(10**back_off, abs=1e-4)


def test_pruning_drops_rare_ngrams() -> None:
    sentences = [["go", "forward"], ["go", "forward", "ten"], ["go", "back", "stop"], ["go"]]
    full, small = estimate(sentences, 3), estimate(sentences, 3, (0, 1))
    counts = [len(grams.words) for grams in small.ngrams()]
    assert counts[0] == len(full.ngrams()[0].words) and counts[1:] == [2, 1]
    assert {" ".join(small.words[i] for i in g) for g in small.ngrams()[1].words} == {
        "<s> go",
        "go forward",
    }
    words = estimate(sentences, 2, (1,))
    assert words.vocabulary == {"go", "forward"}
    assert words.score("ten", ("forward",)) == words.score(UNKNOWN, ("forward",))
    for prune, message in (((2, 1), "prune 2,1"), ((-1,), "prune -1"), ((0, 0, 0), "at most 2")):
        with pytest.raises(ConfigError, match=message):
            estimate(sentences, 2, prune)
    assert parse_prune_counts("0,1,2") == (0, 1, 2)
    with pytest.raises(ConfigError, match="prune 1;2"):
        parse_prune_counts("1;2")


def test_seen_sentence_is_likelier_than_its_permutations() -> None:
    model = estimate([["go", "forward", "ten", "meters"], ["go", "back"]] * 3, 3)
    seen = model.sentence(["go", "forward", "ten", "meters"])
    orders = [model.sentence(p) for p in itertools.permutations(["go", "forward", "ten", "meters"])]
    assert seen == max(orders) and sorted(orders)[-2] < seen - 0.5


@pytest.mark.parametrize("name", ["x.arpa", "x.arpa.gz"])
def test_written_model_is_read_back(tmp_path: Path, name: str) -> None:
    model = estimate([["go", "forward"], ["go"], ["ten", "meters", "go"]], 3)
    write_arpa(model, tmp_path / name)
    assert (tmp_path / name).read_bytes()[:2] == (b"\x1f\x8b" if name.endswith("gz") else b"\\d")
    read = read_arpa(tmp_path / name)
    assert read.order == 3 and len(read) == len(model)
    assert sorted(read.words) == sorted(model.words)
    for grams in model.ngrams():
        for ngram in grams.words:
            words = [model.words[i] for i in ngram]
            expected = model.score(words[-1], words[:-1])
            assert read.score(words[-1], words[:-1]) == pytest.approx(expected, abs=1e-5)
    write_arpa(model, tmp_path / f"again-{name}", digits=6)
    assert (tmp_path / f"again-{name}").read_bytes() == (tmp_path / name).read_bytes()
    if name.endswith("gz"):
        (tmp_path / name).write_bytes(gzip.compress(ARPA.encode())[:40])
        with pytest.raises(ModelError, match=re.escape(name)):
            read_arpa(tmp_path / name)


def test_few_digits_round_the_scores(tmp_path: Path) -> None:
    model = estimate([["go", "forward"], ["go"], ["ten", "meters", "go"]], 2)
    write_arpa(model, tmp_path / "x.arpa", digits=2)
    lines = (tmp_path / "x.arpa").read_text().splitlines()
    assert "-0.65\t</s>\t0" in lines and "ngram 2=7" in lines
    read = read_arpa(tmp_path / "x.arpa")
    assert read.sentence(["go", "forward"]) == pytest.approx(
        model.sentence(["go", "forward"]), abs=0.1
    )


def test_invalid_models_are_errors() -> None:
    with pytest.raises(ConfigError, match=r"order .*0"):
        estimate([["go"]], 0)
    with pytest.raises(ConfigError, match="no words"):
        estimate([[]], 2)
    words = [START, END, "go"]
    values = [np.zeros(3, np.float32), np.zeros(2, np.float32)]
    grams = [np.arange(3)[:, None], np.array([[0, 2], [0, 2]])]
    orders = [Ngrams(*fields) for fields in zip(grams, values, values, strict=True)]
    with pytest.raises(ModelError, match="2-gram '<s> go'"):
        NgramModel.from_ngrams(words, orders)
    with pytest.raises(ModelError, match="1-gram 'go'"):
        NgramModel.from_ngrams([START, "go", "go"], orders[:1])
    assert math.isclose(NgramModel.from_ngrams(words, orders[:1]).score("go", ()), 0.0)
