"""Pruning of n-gram models by relative entropy (Stolcke, 1998)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asr.errors import ConfigError
from asr.language.kneser_ney import count_ngrams
from asr.language.ngram import NgramModel
from asr.language.ngram_table import NgramTable, find, values_at

_SMALLEST = 1e-12


def prune(model: NgramModel, size: int, contexts: Sequence[np.ndarray]) -> NgramModel:
    """Leave out the n-grams without which the model changes least.

    The change is the relative entropy between the model with and without the n-gram. All words
    stay, and so do the contexts of n-grams that stay. The back-offs are computed again.

    The model's own probabilities of contexts would be wrong for a model with Kneser-Ney smoothing,
    whose lower orders are made for backing off (Chelba et al., 2010). `context_frequencies` gives
    those of a text.

    Args:
        model: the model.
        size: the most n-grams of two words or more that stay.
        contexts: probability of each n-gram of each order but the highest, in the order of
            `NgramModel.ngrams`.

    Raises:
        ConfigError: `size` is negative, or `contexts` is not for this model.
        ModelError: the model lacks the context of one of its n-grams.
    """
    if size < 0:
        raise ConfigError(f"pruning: the number of n-grams must be 0 or more, found {size}")
    table = NgramTable.from_model(model)
    if [len(p) for p in contexts] != [len(keys) for keys in table.keys[:-1]]:
        raise ConfigError("pruning: expected one frequency for each context of the model")
    changes = [relative_entropies(table, n, contexts[n - 2]) for n in range(2, table.order + 1)]
    kept = _kept(table, changes, _threshold(table, changes, size))
    keys, probabilities = table.keys[:1], table.probabilities[:1]
    places = np.arange(len(table.words))
    for n, chosen in enumerate(kept, 2):
        old_contexts, last = np.divmod(table.keys[n - 1][chosen], len(table.words))
        keys = [*keys, places[old_contexts] * len(table.words) + last]
        probabilities = [*probabilities, table.probabilities[n - 1][chosen]]
        places = np.cumsum(chosen) - 1
    return NgramTable.from_probabilities(table.words, keys, probabilities).to_model()


def context_frequencies(
    model: NgramModel, texts: Sequence[Sequence[Sequence[str]]], weights: Sequence[float]
) -> list[np.ndarray]:
    """Frequency of each n-gram of the model that can be a context, in a mixture of texts.

    Args:
        model: the model.
        texts: words of each sentence of each text.
        weights: weight of each text.

    Returns:
        For each order but the highest, float64 [n-grams of the order], as `prune` needs them.
    """
    table = NgramTable.from_model(model)
    rows = [table.rows(n) for n in range(1, table.order)]
    found = [np.zeros(len(r)) for r in rows]
    for text, weight in zip(texts, weights, strict=True):
        counts = count_ngrams(text, model.words, max(len(rows), 1))
        keys = [c.context * len(model.words) + c.last for c in counts]
        total = counts[0].occurrences.sum()
        for n, grams in enumerate(rows, 1):
            places = find(keys[:n], grams, len(model.words))
            found[n - 1] += values_at(counts[n - 1].occurrences, places) * (weight / total)
    return found


def relative_entropies(table: NgramTable, order: int, frequencies: np.ndarray) -> np.ndarray:
    """Relative entropy, in nats, by which the model changes if one n-gram is left out.

    Args:
        table: the n-grams.
        order: the order of the n-grams to leave out, 2 or more.
        frequencies: probability of each context, [n-grams of the order below].

    Returns:
        float64 [n-grams of the order].
    """
    contexts = table.keys[order - 1] // len(table.words)
    rows, own = table.rows(order), table.probabilities[order - 1]
    below = table.scores(rows[:, 1:])
    seen, seen_below = table.seen_mass(rows, contexts, own)
    left, left_below = 1 - seen[contexts], 1 - seen_below[contexts]
    p, q = 10**own, 10**below
    old = np.log(np.maximum(left, _SMALLEST) / np.maximum(left_below, _SMALLEST))
    new = np.log(np.maximum(left + p, _SMALLEST) / np.maximum(left_below + q, _SMALLEST))
    loss = p * ((below - own) * np.log(10) + new) + np.maximum(left, 0.0) * (new - old)
    return -frequencies[contexts] * loss


def _kept(table: NgramTable, changes: Sequence[np.ndarray], threshold: float) -> list[np.ndarray]:
    """Which n-grams of each order from 2 on stay: those that change the model by more than the
    threshold, and the contexts of those."""
    kept: list[np.ndarray] = []
    needed = np.zeros(len(table.keys[-1]), bool)
    for n in range(table.order, 1, -1):
        chosen = (changes[n - 2] > threshold) | needed
        kept.insert(0, chosen)
        needed = np.zeros(len(table.keys[n - 2]), bool)
        needed[table.keys[n - 1][chosen] // len(table.words)] = True
    return kept


def _threshold(table: NgramTable, changes: Sequence[np.ndarray], size: int) -> float:
    """The lowest of the changes that, as a threshold, leaves at most `size` n-grams."""
    values = np.unique(np.concatenate([[-np.inf], *changes]))
    low, high = 0, len(values) - 1
    while low < high:
        middle = (low + high) // 2
        if sum(int(k.sum()) for k in _kept(table, changes, values[middle])) <= size:
            high = middle
        else:
            low = middle + 1
    return float(values[low])
