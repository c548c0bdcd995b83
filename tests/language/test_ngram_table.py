from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from asr.language.kneser_ney import estimate
from asr.language.ngram_file import read_ngrams, write_model
from asr.language.ngram_table import NgramTable, coarse, find
from asr.language.perplexity import known_word_perplexity
from asr.language.word_lm import END, START

TEXT = [["go", "back", "ten"], ["go", "stop"], ["ten", "go"], ["go", "back"], ["back"], ["ten"]]
MODEL = estimate(TEXT, 3)


def test_scores_of_many_ngrams_equal_the_models() -> None:
    table = NgramTable.from_model(MODEL)
    words = [word for word in MODEL.words if word != START]
    for size in (1, 2, 3, 4):
        grams = [(*context, word) for *context, word in product(words, repeat=size)]
        rows = np.array([[MODEL.ids[word] for word in gram] for gram in grams])
        expected = [MODEL.score(word, context) for *context, word in grams]
        assert table.scores(rows) == pytest.approx(expected, abs=1e-5)


def test_table_and_model_have_the_same_ngrams() -> None:
    again = NgramTable.from_model(MODEL).to_model()
    for a, b in zip(again.ngrams(), MODEL.ngrams(), strict=True):
        assert np.array_equal(a.words, b.words)
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-6)
        assert a.back_offs == pytest.approx(b.back_offs, abs=1e-6)


def test_ngrams_are_found_by_their_words() -> None:
    table = NgramTable.from_model(MODEL)
    rows = table.rows(2)
    assert find(table.keys, rows, len(MODEL.words)).tolist() == list(range(len(rows)))
    stop, go = MODEL.ids["stop"], MODEL.ids["go"]
    assert find(table.keys, np.array([[stop, go], [go, stop]]), len(MODEL.words))[0] == -1


def test_coarse_probabilities_take_one_byte(tmp_path: Path) -> None:
    words, *longer = coarse(MODEL, 0.03).ngrams()
    assert np.array_equal(words.probabilities, MODEL.ngrams()[0].probabilities)
    for before, after in zip(MODEL.ngrams()[1:], longer, strict=True):
        values = after.probabilities
        assert values == pytest.approx(before.probabilities, abs=0.0151)
        assert np.round(values / 0.03) * 0.03 == pytest.approx(values, abs=1e-6)
        assert np.array_equal(after.back_offs, before.back_offs)
    write_model(coarse(MODEL, 0.03), tmp_path / "x.ngrams", digits=2)
    level = read_ngrams(tmp_path / "x.ngrams").levels[2]
    assert level.leaf_codes.dtype == np.uint8
    assert level.leaf_probabilities[level.leaf_codes] == pytest.approx(values)


def test_perplexity_is_over_the_known_words_only() -> None:
    model = estimate([["go"], ["go", "back"]], 1)
    end, go = (10 ** model.score(word, ()) for word in (END, "go"))
    assert known_word_perplexity(model, [["go"]]) == pytest.approx((go * end) ** (-1 / 2))
    assert known_word_perplexity(model, [["halt", "go"]]) == pytest.approx((go * end) ** (-1 / 2))
