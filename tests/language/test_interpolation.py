from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import ConfigError, ModelError
from asr.language.interpolation import best_weights, interpolate
from asr.language.kneser_ney import estimate
from asr.language.ngram import NgramModel, Ngrams
from asr.language.word_lm import END, START, UNKNOWN

WORDS = ("go", "back", "ten", "stop")
SENTENCES = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=12)
TALK = [["go", "back"], ["go", "go", "stop"], ["stop"], ["go", "back", "now"]] * 2
BOOKS = [["ten", "go", "back"], ["ten", "stop"], ["back", "ten"], ["ten", "go", "ten"]] * 2
VOCABULARY = sorted({word for text in (TALK, BOOKS) for sentence in text for word in sentence})


def perplexity(model: NgramModel, text: list[list[str]]) -> float:
    scores = np.concatenate(model.word_scores(text))
    return float(10 ** -scores.mean())


@settings(max_examples=40, deadline=None)
@given(SENTENCES, SENTENCES, st.integers(1, 3), st.integers(1, 3), st.floats(0, 1))
def test_probabilities_sum_to_one(
    first: list[list[str]], second: list[list[str]], order: int, other: int, share: float
) -> None:
    models = [estimate(first, order, (), WORDS), estimate(second, other, (), WORDS)]
    mixed = interpolate(models, (share, 1 - share))
    for context in ((START,), ("never",), *product(WORDS, repeat=2), (START, "go")):
        total = sum(10 ** mixed.score(word, context) for word in (*WORDS, END, UNKNOWN))
        assert total == pytest.approx(1, abs=1e-4)


def test_probability_of_a_known_ngram_is_the_weighted_mean() -> None:
    models = [estimate(text, 3, (), VOCABULARY) for text in (TALK, BOOKS)]
    mixed = interpolate(models, (0.3, 0.7))
    for word, context in (("back", (START, "go")), ("stop", ("ten",)), ("ten", ())):
        means = [10 ** model.score(word, context) for model in models]
        assert 10 ** mixed.score(word, context) == pytest.approx(0.3 * means[0] + 0.7 * means[1])
    kept = {tuple(row) for model in models for row in model.ngrams()[2].words.tolist()}
    assert {tuple(row) for row in mixed.ngrams()[2].words.tolist()} == kept


def test_a_weight_of_one_gives_the_model_itself() -> None:
    models = [estimate(text, 2, (), VOCABULARY) for text in (TALK, BOOKS)]
    mixed = interpolate(models, (1.0, 0.0))
    for word, context in product((*VOCABULARY, END), ((START,), ("go",), ("ten",))):
        assert mixed.score(word, context) == pytest.approx(models[0].score(word, context), abs=1e-4)


@pytest.mark.parametrize("text", [TALK, BOOKS, TALK[:2] + BOOKS[:1]])
def test_found_weights_are_at_least_as_good_as_the_best_model(text: list[list[str]]) -> None:
    models = [estimate(t, 2, (), VOCABULARY) for t in (TALK, BOOKS)]
    weights = best_weights(models, [text])
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
    best = min(perplexity(model, text) for model in models)
    assert perplexity(interpolate(models, weights.tolist()), text) <= best + 1e-3


def test_weights_follow_the_text_and_texts_count_alike() -> None:
    models = [estimate(text, 2, (), VOCABULARY) for text in (TALK, BOOKS)]
    assert best_weights(models, [TALK])[0] > 0.9 and best_weights(models, [BOOKS])[1] > 0.9
    both = best_weights(models, [TALK, BOOKS])
    assert best_weights(models, [TALK * 20, BOOKS]) == pytest.approx(both, abs=1e-3)
    assert 0.3 < both[0] < 0.7


def test_what_cannot_be_interpolated_is_an_error() -> None:
    models = [estimate(TALK, 2), estimate(BOOKS, 2)]
    with pytest.raises(ConfigError, match="same vocabulary"):
        interpolate(models, (0.5, 0.5))
    with pytest.raises(ConfigError, match="weights that sum to 1"):
        interpolate(models[:1], (0.5,))
    with pytest.raises(ConfigError, match="text 2 of 2"):
        best_weights(models[:1], [TALK, []])
    words = [START, END, "go"]
    zeros = np.zeros(3, np.float32)
    grams = [np.arange(3)[:, None], np.array([[0, 2]]), np.array([[2, 2, 1]])]
    orders = [Ngrams(g, zeros[: len(g)], zeros[: len(g)]) for g in grams]
    with pytest.raises(ModelError, match="3-grams without their context"):
        interpolate([NgramModel.from_ngrams(words, orders)], (1.0,))
