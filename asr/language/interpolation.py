"""Linear interpolation of n-gram models into one n-gram model (Jelinek & Mercer, 1980)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from asr.errors import ConfigError
from asr.language.ngram import NgramModel
from asr.language.ngram_table import NgramTable, make_keys

_ROUNDS = 200
_ENOUGH = 1e-6


def best_weights(
    models: Sequence[NgramModel], texts: Sequence[Sequence[Sequence[str]]]
) -> np.ndarray:
    """The interpolation weights with which the texts are likeliest, by expectation-maximisation.

    The texts count alike, however long they are.

    Args:
        models: models with the same words.
        texts: words of each sentence of each text.

    Returns:
        float64 [models], which sum to 1.

    Raises:
        ConfigError: a text has no sentence.
    """
    columns, shares = [], []
    for number, text in enumerate(texts, 1):
        if not text:
            raise ConfigError(f"interpolation: text {number} of {len(texts)} has no sentence")
        scores = [np.concatenate(model.word_scores(text)) for model in models]
        columns.append(10 ** np.array(scores))
        shares.append(np.full(len(scores[0]), 1 / len(scores[0]) / len(texts)))
    return _maximise(np.concatenate(columns, axis=1), np.concatenate(shares))


def interpolate(models: Sequence[NgramModel], weights: Sequence[float]) -> NgramModel:
    """The n-gram model whose probabilities are the weighted means of the models' probabilities.

    The result has every n-gram of the models. For other n-grams, it backs off, so their
    probabilities are near the weighted means, not equal to them (Stolcke, 2002).

    Args:
        models: models with the same words, in the same order.
        weights: interpolation weight of each model; they sum to 1.

    Raises:
        ConfigError: the weights do not sum to 1, or the models' words differ.
        ModelError: a model lacks the context of one of its n-grams.
    """
    if len(weights) != len(models) or not math.isclose(sum(weights), 1, abs_tol=1e-4):
        raise ConfigError(
            f"interpolation: expected {len(models)} weights that sum to 1, found {list(weights)}"
        )
    words = models[0].words
    if any(model.words != words for model in models):
        raise ConfigError("interpolation: estimate all models with the same vocabulary")
    tables = [NgramTable.from_model(model) for model in models]
    keys: list[np.ndarray] = []
    probabilities: list[np.ndarray] = []
    for n in range(1, max(table.order for table in tables) + 1):
        found = [make_keys(keys, t.rows(n), len(words)) for t in tables if n <= t.order]
        keys.append(np.unique(np.concatenate(found)))
        rows = NgramTable(words, keys, [], []).rows(n)
        mean = np.zeros(len(rows))
        for table, weight in zip(tables, weights, strict=True):
            if weight:
                mean += weight * 10 ** table.scores(rows)
        probabilities.append(np.log10(np.maximum(mean, 1e-99)))
    return NgramTable.from_probabilities(words, keys, probabilities).to_model()


def _maximise(probabilities: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Expectation-maximisation of the weights of a mixture.

    Args:
        probabilities: of each word by each model, [models, words].
        shares: how much each word counts, [words]; they sum to 1.
    """
    weights = np.full(len(probabilities), 1 / len(probabilities))
    for _ in range(_ROUNDS):
        parts = weights[:, None] * probabilities
        new = (parts / parts.sum(axis=0)) @ shares
        done = np.abs(new - weights).max() < _ENOUGH
        weights = new
        if done:
            break
    return weights / weights.sum()
