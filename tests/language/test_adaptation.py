"""An n-gram model with the words and phrases of further texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import ConfigError
from asr.language.adaptation import adapted
from asr.language.kneser_ney import estimate
from asr.language.ngram import NgramModel

GENERAL = [s.split() for s in ("the cat sat", "the dog sat on the mat", "a dog ran", "go on")] * 5
TALK = [s.split() for s in ("restart the kubernetes pod", "the pod sat on the node")] * 6


def probability(model: NgramModel, word: str, *context: str) -> float:
    return float(10 ** model.score(word, context))


def test_it_knows_the_words_and_phrases_of_both() -> None:
    base = estimate(GENERAL, 3)
    made = adapted(base, TALK)
    assert made.new_words == ("kubernetes", "node", "pod", "restart")
    assert 0.5 < made.share < 1  # every held-out sentence occurs in the others, too
    assert made.model.vocabulary == base.vocabulary | set(made.new_words)
    assert probability(made.model, "pod", "the", "kubernetes") > 0.3
    assert probability(base, "cat", "the") > probability(made.model, "cat", "the") > 0.01


def test_probabilities_are_the_weighted_means_of_both_models() -> None:
    base = estimate(GENERAL, 2)
    made = adapted(base, TALK)
    words = set(base.words) | set(made.new_words)
    own = estimate(TALK, 2, (), words)
    for context, word in (("the", "dog"), ("sat", "on"), ("the", "pod")):
        known = probability(base, word, context) if word in base.ids else 0.0
        expected = made.share * probability(own, word, context) + (1 - made.share) * known
        # N-grams of two words or more are rounded to steps of 7 %.
        assert probability(made.model, word, context) == pytest.approx(expected, rel=0.05)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["the", "dog", "cat", "pod", "mat", "x"]), min_size=1), min_size=2
    )
)
def test_the_probabilities_after_any_word_sum_to_one(sentences: list[list[str]]) -> None:
    model = adapted(estimate(GENERAL, 2), sentences).model
    following = [w for w in model.words if w != "<s>"]
    for context in ("<s>", "the", "dog", "x"):
        total = sum(probability(model, word, context) for word in following)
        assert total == pytest.approx(1, abs=0.05)  # the rounding, again


def test_texts_of_another_kind_weigh_little() -> None:
    rng = np.random.default_rng(1)
    alien = [[f"w{i}" for i in rng.integers(0, 10_000, 5)] for _ in range(20)]
    mixed = adapted(estimate(GENERAL, 3), [*alien, *GENERAL[:4]])
    familiar = adapted(estimate(GENERAL, 3), TALK)
    assert mixed.share < familiar.share


def test_the_order_of_the_words_does_not_matter() -> None:
    base = estimate(GENERAL, 2)
    orders = base.ngrams()
    turned = [*reversed(base.words)]
    back = np.arange(len(turned))[::-1].astype(np.int32)
    foreign = NgramModel.from_ngrams(
        turned,
        [
            orders[0]._replace(
                probabilities=orders[0].probabilities[back], back_offs=orders[0].back_offs[back]
            ),
            *(grams._replace(words=back[grams.words]) for grams in orders[1:]),
        ],
    )
    first, second = adapted(base, TALK), adapted(foreign, TALK)
    assert first.share == second.share
    for sentence in (*TALK[:2], *GENERAL[:3]):
        assert first.model.sentence(sentence) == pytest.approx(second.model.sentence(sentence))


def test_one_sentence_is_too_few() -> None:
    with pytest.raises(ConfigError, match="two sentences or more"):
        adapted(estimate(GENERAL, 2), TALK[:1])
