from __future__ import annotations

import pytest

from asr.decoding.weighted_lm import WeightedLM
from asr.language.kneser_ney import estimate

TEXTS = [["a", "b", "c", "d"], ["b", "a", "d"], ["a", "c"]]


@pytest.mark.parametrize("order", [1, 3])
def test_scores_without_the_cache_are_those_with_it(order: int) -> None:
    model = estimate(TEXTS, order)
    lm = WeightedLM(model, model.vocabulary, alpha=0.7, beta=0.3, unknown=-5.0)
    context = model.start()
    for said in ["a", "b", "x", "d"]:
        words = ["a", "b", "c", "d", "x", "y"]
        expected = [lm.score(context, word, is_hot=False) for word in words]
        assert lm.uncached_scores(context, words) == expected
        context = model.step(context, said)[1]
