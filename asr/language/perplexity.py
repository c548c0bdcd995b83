"""How well language models predict a text: bits per character and perplexity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.base.progress import track
from asr.language.mixture import Mixture
from asr.language.ngram import NgramModel
from asr.language.recurrent_lm import RecurrentLM
from asr.language.word_lm import END

CHUNK = 512
"""Sentences between two updates of the progress bar."""
SPELLING_BITS = math.log2(28)
"""Bits for each character of a word that the n-gram model does not know: one of 26 letters, the
apostrophe, and the end of the word are equally likely."""


@dataclass(frozen=True)
class Prediction:
    """Scores of one model on a text. The end of a sentence counts as a character and as a word.

    Attributes:
        model: "n-gram", "recurrent" or "mixture".
        bits_per_character: over the whole text. A word that an n-gram model does not know costs
            its <unk> and `SPELLING_BITS` for each character and the end of the word.
        known_bits_per_character: over the sentences whose words the n-gram model all knows.
        perplexity: per word, over the same sentences.
    """

    model: str
    bits_per_character: float
    known_bits_per_character: float
    perplexity: float


@dataclass(frozen=True)
class Comparison:
    """Scores of several models on one text.

    Attributes:
        predictions: one for each model.
        sentences: sentences of the text.
        words: words of the text.
        characters: characters of the text, with the end of each sentence.
        unknown: words of the text that the n-gram model does not know.
        known_sentences: sentences without such a word; all without an n-gram model.
    """

    predictions: tuple[Prediction, ...]
    sentences: int
    words: int
    characters: int
    unknown: int
    known_sentences: int


def compare(
    sentences: Sequence[Sequence[str]],
    ngram: NgramModel | None = None,
    recurrent: RecurrentLM | None = None,
    share: float = 0.5,
) -> Comparison:
    """Measure an n-gram model, a recurrent model, or both and their `Mixture`.

    Args:
        sentences: normalised words of each sentence.
        ngram: the n-gram model, if any.
        recurrent: the recurrent model, if any.
        share: interpolation weight of the recurrent model in the mixture, 0…1. Default 0.5.
    """
    unknown = np.array(
        [sum(word not in ngram.ids for word in words) if ngram else 0 for words in sentences]
    )
    characters = np.array([len(" ".join(words)) + 1 for words in sentences])
    words = np.array([len(words) + 1 for words in sentences])
    bits: dict[str, np.ndarray] = {}
    by_ngram: list[np.ndarray] = []
    by_recurrent: list[np.ndarray] = []
    if ngram is not None:
        by_ngram = ngram.word_scores(sentences)
        spelled = [
            sum(len(word) + 1 for word in words if word not in ngram.ids) for words in sentences
        ]
        bits["n-gram"] = _bits(by_ngram) + SPELLING_BITS * np.array(spelled)
    if recurrent is not None:
        by_recurrent = _score_with_progress(recurrent, sentences)
        bits["recurrent"] = _bits(by_recurrent)
    if ngram is not None and recurrent is not None:
        # The interpolation is of words, so the spelling of unknown words costs the same.
        mixture = Mixture(ngram, recurrent, share)
        gains = [mixture.gain(*rows) for rows in zip(by_ngram, by_recurrent, strict=True)]
        bits["mixture"] = bits["n-gram"] - math.log2(10) * np.array(gains)
    known = unknown == 0
    predictions = tuple(
        Prediction(
            model=name,
            bits_per_character=float(found.sum() / characters.sum()),
            known_bits_per_character=float(found[known].sum() / max(characters[known].sum(), 1)),
            perplexity=float(2 ** (found[known].sum() / max(words[known].sum(), 1))),
        )
        for name, found in bits.items()
    )
    return Comparison(
        predictions=predictions,
        sentences=len(sentences),
        words=int(words.sum()) - len(sentences),
        characters=int(characters.sum()),
        unknown=int(unknown.sum()),
        known_sentences=int(known.sum()),
    )


def known_word_perplexity(model: NgramModel, sentences: Sequence[Sequence[str]]) -> float:
    """Perplexity per word and end of sentence, without the words that the model does not know.

    Args:
        model: the model.
        sentences: words of each sentence.
    """
    scores = np.concatenate(model.word_scores(sentences))
    known = [word in model.ids for words in sentences for word in (*words, END)]
    return float(10 ** -scores[known].mean())


def _score_with_progress(
    model: RecurrentLM, sentences: Sequence[Sequence[str]]
) -> list[np.ndarray]:
    starts = range(0, len(sentences), CHUNK)
    scores: list[np.ndarray] = []
    for start in track(starts, len(starts), "rnn"):
        scores += model.word_scores(sentences[start : start + CHUNK])
    return scores


def _bits(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Bits of each sentence, from the log10 probabilities of its words."""
    return -math.log2(10) * np.array([row.sum() for row in scores])
