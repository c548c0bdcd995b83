"""`adapted`: an n-gram model that also knows your texts (language model adaptation)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from asr.errors import ConfigError
from asr.language.interpolation import best_weights, interpolate
from asr.language.kneser_ney import estimate
from asr.language.ngram import NgramModel, Ngrams
from asr.language.ngram_table import coarse
from asr.language.word_lm import NEVER

HELD_OUT = 10
"""One sentence of this many decides how much the texts weigh."""
SHARES = (0.1, 0.9)
"""Least and largest weight of the texts. Even in a room where all sentences are known, people say
others; and a new word needs some probability."""
STEP = 0.03
"""Log10 probabilities of n-grams of two words or more are multiples of this."""


class Adapted(NamedTuple):
    """An adapted model.

    Attributes:
        model: the model.
        share: interpolation weight of the texts, 0…1; that of the base is the rest.
        new_words: words that the base does not know, in alphabetical order.
    """

    model: NgramModel
    share: float
    new_words: tuple[str, ...]


def adapted(base: NgramModel, sentences: Sequence[Sequence[str]]) -> Adapted:
    """Mix a model of some texts into a general one, by linear interpolation.

    A model of the texts alone knows few words; the base alone knows neither the names nor the
    phrases of the texts. The weight is the one with which every tenth sentence is likeliest, by
    expectation-maximisation, when the texts' model has not seen it (Jelinek & Mercer, 1980;
    Bellegarda, 2004).

    Args:
        base: a general model.
        sentences: words of each sentence of the texts.

    Raises:
        ConfigError: there are fewer than two sentences, or the ones that are left for the model
            have no words.
    """
    if len(sentences) < 2:
        raise ConfigError("language model: two sentences or more are needed to adapt one")
    new_words = sorted({word for words in sentences for word in words} - set(base.ids))
    vocabulary = base.vocabulary | set(new_words)

    def own(chosen: Sequence[Sequence[str]]) -> NgramModel:
        return estimate(chosen, base.order, (), vocabulary)

    every = min(HELD_OUT, len(sentences))
    seen = own([words for i, words in enumerate(sentences) if i % every])
    wide = _with_words(base, seen.words)
    best = best_weights([wide, seen], [sentences[::every]])[1]
    share = float(best.clip(*SHARES).round(4))
    mixed = interpolate([wide, own(sentences)], [1 - share, share])
    return Adapted(coarse(mixed, STEP), share, tuple(new_words))


def _with_words(model: NgramModel, words: Sequence[str]) -> NgramModel:
    """The model with these words in this order; those that it does not know have `NEVER`."""
    numbers = {word: i for i, word in enumerate(words)}
    places = np.array([numbers[word] for word in model.words], np.int32)
    unigrams, *longer = model.ngrams()
    probabilities = np.full(len(words), NEVER, np.float32)
    back_offs = np.zeros(len(words), np.float32)
    probabilities[places], back_offs[places] = unigrams.probabilities, unigrams.back_offs
    rows = np.arange(len(words), dtype=np.int32)[:, None]
    return NgramModel.from_ngrams(
        words,
        [
            Ngrams(rows, probabilities, back_offs),
            *(grams._replace(words=places[grams.words]) for grams in longer),
        ],
    )
