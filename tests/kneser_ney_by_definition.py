"""Modified Kneser-Ney smoothing by its definition, in dictionaries of tuples of words.

A slow reference for the tests of `asr.language.kneser_ney`, which works on arrays.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

START, END, UNKNOWN, NEVER = "<s>", "</s>", "<unk>", -99.0
Ngram = tuple[str, ...]


def back_off(weight: float | None) -> float:
    """Log10 of a back-off weight: 0 for an n-gram that is no context, NEVER for a weight of 0."""
    if weight is None:
        return 0.0
    return math.log10(weight) if weight > 0 else NEVER


def by_definition(
    sentences: Iterable[Sequence[str]], order: int
) -> dict[Ngram, tuple[float, float]]:
    """Log10 probability and back-off weight of every n-gram (Chen & Goodman, 1998)."""
    counts = _adjusted_counts(sentences, order)
    vocabulary = {n[0] for n in counts[0]} - {START} | {UNKNOWN}
    probabilities: dict[Ngram, float] = {}
    weights: dict[Ngram, float] = {}
    for grams in counts:
        discounts = _discounts(grams)
        totals: dict[Ngram, int] = defaultdict(int)
        held: dict[Ngram, float] = defaultdict(float)
        for ngram, count in grams.items():
            totals[ngram[:-1]] += count
            held[ngram[:-1]] += discounts[min(count, 3)]
        for context, total in totals.items():
            weights[context] = held[context] / total
        for ngram, count in grams.items():
            context = ngram[:-1]
            lower = probabilities[ngram[1:]] if context else 1 / len(vocabulary)
            kept = count - discounts[min(count, 3)]
            probabilities[ngram] = kept / totals[context] + weights[context] * lower
        if grams is counts[0]:
            probabilities[(UNKNOWN,)] = weights[()] / len(vocabulary)
    table = {
        ngram: (math.log10(p), back_off(weights.get(ngram))) for ngram, p in probabilities.items()
    }
    table[(START,)] = (NEVER, back_off(weights.get((START,))))
    return table


def _adjusted_counts(sentences: Iterable[Sequence[str]], order: int) -> list[Counter[Ngram]]:
    """Counts of each order: occurrences for the highest order, else continuation counts.

    An n-gram that begins with <s> has no word before it and keeps its occurrences.
    """
    raw: list[Counter[Ngram]] = [Counter() for _ in range(order)]
    for words in sentences:
        marked = (START, *words, END)
        for n in range(1, order + 1):
            raw[n - 1].update(marked[i : i + n] for i in range(len(marked) - n + 1))
    del raw[0][(START,)]
    adjusted = [raw[-1]]
    for n in range(order - 1, 0, -1):
        grams: Counter[Ngram] = Counter(ngram[1:] for ngram in raw[n])
        grams.update({g: c for g, c in raw[n - 1].items() if g[0] == START})
        adjusted.insert(0, grams)
    return adjusted


def _discounts(grams: Counter[Ngram]) -> tuple[float, float, float, float]:
    """Discounts of counts of 0, 1, 2, and 3 or more."""
    n = Counter(grams.values())
    if not (n[1] and n[2] and n[3]):
        return (0.0, 0.5, 1.0, 1.5)  # too little text to estimate them
    y = n[1] / (n[1] + 2 * n[2])
    values = (1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3])
    bounded = [min(max(value, 0.0), i + 1.0) for i, value in enumerate(values)]
    return (0.0, bounded[0], bounded[1], bounded[2])
