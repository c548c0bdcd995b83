"""How well language models predict a text: bits per character, perplexity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.base.progress import track
from asr.language.mixture import Mixture
from asr.language.ngram import NgramModel
from asr.language.recurrent_lm import RecurrentLM

CHUNK = 512
"""Sentences between two moves of the progress bar."""
SPELLING_BITS = math.log2(28)
"""What a character of a word that the n-gram model does not know costs: any of 26 letters, the
apostrophe and the word's end."""


@dataclass(frozen=True)
class Prediction:
    """What a model makes of a text; a sentence's end counts as a character, and as a word.

    bits_per_character: of the whole text; a word that an n-gram model does not know costs its
    <unk> and `SPELLING_BITS` for each of its characters and its end. known_bits_per_character: of
    the sentences alone of which the n-gram model knows all words. perplexity: by word, of these.
    """

    model: str
    bits_per_character: float
    known_bits_per_character: float
    perplexity: float


@dataclass(frozen=True)
class Comparison:
    """Predictions of one text.

    sentences, words, characters: in the text. unknown: its words that the n-gram model does not
    know. known_sentences: those without such a word; all where there is no n-gram model.
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
    """Measure one model, or both, and their `Mixture`, on normalised sentences."""
    unknown = np.array(
        [sum(word not in ngram.ids for word in words) if ngram else 0 for words in sentences]
    )
    characters = np.array([len(" ".join(words)) + 1 for words in sentences])
    words = np.array([len(words) + 1 for words in sentences])
    bits: dict[str, np.ndarray] = {}
    counted: list[np.ndarray] = []
    said: list[np.ndarray] = []
    if ngram is not None:
        counted = ngram.word_scores(sentences)
        spelled = [
            sum(len(word) + 1 for word in words if word not in ngram.ids) for words in sentences
        ]
        bits["n-gram"] = _bits(counted) + SPELLING_BITS * np.array(spelled)
    if recurrent is not None:
        said = [
            row
            for start in track(range(0, len(sentences), CHUNK), -(-len(sentences) // CHUNK), "rnn")
            for row in recurrent.word_scores(sentences[start : start + CHUNK])
        ]
        bits["recurrent"] = _bits(said)
    if ngram is not None and recurrent is not None:
        # The n-gram model's characters of unknown words stay: the mean is of words.
        mixture = Mixture(ngram, recurrent, share)
        gains = [mixture.gain(*both) for both in zip(counted, said, strict=True)]
        bits["mixture"] = bits["n-gram"] - math.log2(10) * np.array(gains)
    known = unknown == 0
    predictions = tuple(
        Prediction(
            name, float(found.sum() / characters.sum()),
            float(found[known].sum() / max(characters[known].sum(), 1)),
            float(2 ** (found[known].sum() / max(words[known].sum(), 1))),
        )
        for name, found in bits.items()
    )  # fmt: skip
    return Comparison(
        predictions, len(sentences), int(words.sum()) - len(sentences), int(characters.sum()),
        int(unknown.sum()), int(known.sum()),
    )  # fmt: skip


def _bits(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Bits of each sentence, of its words' log10 probabilities."""
    return -math.log2(10) * np.array([row.sum() for row in scores])
