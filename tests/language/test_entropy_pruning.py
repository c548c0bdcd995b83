from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import ConfigError
from asr.language.entropy_pruning import context_frequencies, prune, relative_entropies
from asr.language.kneser_ney import estimate
from asr.language.ngram import NgramModel
from asr.language.ngram_table import NgramTable
from asr.language.word_lm import END, START, UNKNOWN

WORDS = ("go", "back", "ten", "stop")
SENTENCES = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=12)
TEXT = [["go", "back", "ten"], ["go", "stop"], ["ten", "go"], ["go", "back"], ["back"], ["ten"]]


def ngrams(model: NgramModel) -> set[str]:
    return {
        " ".join(model.words[i] for i in row)
        for grams in model.ngrams()[1:]
        for row in grams.words.tolist()
    }


@settings(max_examples=40, deadline=None)
@given(SENTENCES.filter(any), st.integers(1, 3), st.integers(0, 30))
def test_pruned_models_have_the_size_and_sum_to_one(
    sentences: list[list[str]], order: int, size: int
) -> None:
    model = estimate(sentences, order)
    pruned = prune(model, size, context_frequencies(model, [sentences], [1.0]))
    kept = ngrams(pruned)
    assert len(kept) <= size and kept <= ngrams(model)
    assert pruned.words == model.words
    # The context of every n-gram stays.
    assert all(n.rpartition(" ")[0] in kept for n in kept if n.count(" ") > 1)
    words = (*model.vocabulary, END, UNKNOWN)
    for context in ((START,), ("never",), *product(WORDS[:3], repeat=2)):
        total = sum(10 ** pruned.score(word, context) for word in words)
        assert total == pytest.approx(1, abs=1e-4)


def test_relative_entropy_is_that_of_the_model_without_the_ngram() -> None:
    model = estimate(TEXT, 2)
    [frequencies] = context_frequencies(model, [TEXT], [1.0])
    table = NgramTable.from_model(model)
    found = relative_entropies(table, 2, frequencies)
    words = [word for word in model.words if word != START]
    for i, (context, last) in enumerate(table.rows(2).tolist()):
        others = np.arange(len(found)) != i
        without = NgramTable.from_probabilities(
            table.words,
            [table.keys[0], table.keys[1][others]],
            [table.probabilities[0], table.probabilities[1][others]],
        ).to_model()
        before = model.words[context]
        expected = sum(
            10**p * math.log(10) * (p - without.score(word, (before,)))
            for word, p in ((word, model.score(word, (before,))) for word in words)
        )
        assert found[i] == pytest.approx(frequencies[context] * expected, abs=1e-5), last


def test_contexts_count_as_often_as_they_occur() -> None:
    model = estimate(TEXT, 3)
    other = [["stop", "stop", "stop"]]
    words, pairs = context_frequencies(model, [TEXT, other], [0.75, 0.25])
    tokens = sum(len(sentence) + 2 for sentence in TEXT)
    of_go = 0.75 * 4 / tokens
    assert words[model.ids["go"]] == pytest.approx(of_go)
    assert words[model.ids["stop"]] == pytest.approx(0.75 * 1 / tokens + 0.25 * 3 / 5)
    table = NgramTable.from_model(model)
    place = table.rows(2).tolist().index([model.ids["go"], model.ids["back"]])
    assert pairs[place] == pytest.approx(0.75 * 2 / tokens)


def test_the_ngrams_that_matter_least_go_first() -> None:
    sentences = [["go", "back"]] * 20 + [["ten", "stop"], ["stop", "ten"], ["stop"], ["ten"]]
    model = estimate(sentences, 2)
    frequencies = context_frequencies(model, [sentences], [1.0])
    assert ngrams(prune(model, 10**6, frequencies)) == ngrams(model)
    assert "go back" in ngrams(prune(model, 3, frequencies))
    assert ngrams(prune(model, 0, frequencies)) == set()
    losses = [
        -prune(model, size, frequencies).sentence(["go", "back"]) for size in (0, 2, 4, 10**6)
    ]
    assert losses == sorted(losses, reverse=True) and losses[0] > losses[-1] + 0.5


def test_wrong_arguments_are_errors() -> None:
    model = estimate(TEXT, 2)
    with pytest.raises(ConfigError, match="found -1"):
        prune(model, -1, context_frequencies(model, [TEXT], [1.0]))
    with pytest.raises(ConfigError, match="one frequency for each context"):
        prune(model, 5, [])
