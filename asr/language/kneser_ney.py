"""Estimation of word n-gram models: interpolated modified Kneser-Ney, in numpy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.errors import ConfigError
from asr.language.ngram import END, NEVER, START, UNKNOWN, NgramModel


@dataclass(frozen=True)
class _Grams:
    """The n-grams of one order that occur, each by its place in these arrays.

    context: place of its first n − 1 words in the order below; suffix: of its last n − 1; word:
    number of its last word; first: of its first; raw: occurrences.
    """

    context: np.ndarray
    suffix: np.ndarray
    word: np.ndarray
    first: np.ndarray
    raw: np.ndarray


def estimate(
    sentences: Sequence[Sequence[str]], order: int, prune: Sequence[int] = ()
) -> NgramModel:
    """Interpolated modified Kneser-Ney estimate (Chen & Goodman, 1998), in back-off form.

    Args:
        sentences: words of each.
        order: words of the longest n-grams.
        prune: for each order, n-grams that occur so often or less are left out, and their
            probability goes to the back-off; words (order 1) become <unk>. The last number holds
            for the orders behind it; (0, 1) keeps all words, and what occurs twice.

    Raises:
        ConfigError: an order below 1, no words, or prune counts that are negative or fall.
    """
    if order < 1:
        raise ConfigError(f"language model: order must be 1 or more, found {order}")
    limits = [*prune, *[prune[-1] if prune else 0] * order][:order]
    if any(a > b for a, b in zip([0, *limits], limits, strict=False)) or len(prune) > order:
        raise ConfigError(
            f"language model: prune {','.join(map(str, prune))}: expected at most {order} numbers, "
            "from 0 and none below the one before it"
        )
    frequent = {
        w for w, n in Counter(w for s in sentences for w in s).items() if n > limits[0]
    } - {START, END, UNKNOWN}  # fmt: skip
    if not frequent:
        raise ConfigError("language model: the text has no words (that occur often enough)")
    words = [START, END, UNKNOWN, *sorted(frequent)]
    tables = _count(sentences, words, order)
    kept = [np.arange(len(words))]
    grams, probabilities, weights = [kept[0][:, None]], [], [np.zeros(len(words))]
    lower = np.empty(0)
    for n, table in enumerate(tables, 1):
        counts = _adjusted(table, tables[n] if n < order else None)
        if n == 1:
            counts[words.index(START)] = 0
        discounts = _discounts(counts)
        share = np.maximum(counts - discounts[np.minimum(counts, 3)], 0.0)
        if n > 1:
            share[table.raw <= limits[n - 1]] = 0.0
        contexts = len(tables[n - 2].word) if n > 1 else 1
        totals = np.bincount(table.context, counts, contexts)
        share /= np.maximum(totals, 1)[table.context]
        # What the n-grams that are kept leave over: discounts, and all of those left out.
        rest = 1 - np.bincount(table.context, share, contexts)
        below = lower[table.suffix] if n > 1 else np.full(len(words), 1 / (len(words) - 1))
        lower = share + rest[table.context] * below
        if n > 1:
            # Words of the context (kept wherever the n-gram is: it occurs as often) and the last.
            chosen = np.flatnonzero(table.raw > limits[n - 1])
            place = np.full(contexts, -1)
            place[kept[-1]] = np.arange(len(kept[-1]))
            weights[-1] = np.where(totals > 0, rest, 1.0)[kept[-1]]
            contexts_of = grams[-1][place[table.context[chosen]]]
            grams.append(np.column_stack([contexts_of, table.word[chosen]]))
            kept.append(chosen)
            weights.append(np.ones(len(chosen)))
        probabilities.append(lower[kept[-1]])
    probabilities[0][words.index(START)] = 0.0
    return NgramModel(
        words, grams, [_log10(p) for p in probabilities], [_log10(w) for w in weights]
    )


def read_counts(text: str) -> tuple[int, ...]:
    """Numbers between commas, for `prune`.

    Raises:
        ConfigError: something else.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"prune {text}: expected whole numbers, such as 0,1,2") from None


def _log10(values: np.ndarray) -> np.ndarray:
    return np.log10(np.maximum(values, 10.0**NEVER)).astype(np.float32)


def _count(sentences: Sequence[Sequence[str]], words: Sequence[str], order: int) -> list[_Grams]:
    """The n-grams of each order up to `order` in the sentences, marked by <s> and </s>."""
    ids = {word: i for i, word in enumerate(words)}
    start, end, unknown = ids[START], ids[END], ids[UNKNOWN]
    numbers: list[int] = []
    for sentence in sentences:
        numbers.append(start)
        numbers.extend([ids.get(word, unknown) for word in sentence])
        numbers.append(end)
    tokens = np.array(numbers, np.int64)
    starts = np.flatnonzero(tokens == start)
    # How many words of the sentence stand before each: an n-gram must not begin before <s>.
    before = np.arange(len(tokens)) - np.repeat(starts, np.diff([*starts, len(tokens)]))
    size = len(words)
    everyone = np.arange(size)
    none = np.zeros(size, np.int64)
    tables = [_Grams(none, none, everyone, everyone, np.bincount(tokens, minlength=size))]
    places = tokens  # of the n-gram that ends at each token, in the table of its order
    for n in range(2, order + 1):
        ends = np.flatnonzero(before >= n - 1)
        found, one, which, raw = np.unique(
            places[ends - 1] * size + tokens[ends],
            return_index=True, return_inverse=True, return_counts=True,
        )  # fmt: skip
        context = found // size
        suffix = places[ends[one]]
        tables.append(_Grams(context, suffix, found % size, tables[-1].first[context], raw))
        places = np.full(len(tokens), -1)
        places[ends] = which
    return tables


def _adjusted(table: _Grams, longer: _Grams | None) -> np.ndarray:
    """Occurrences for the highest order, for the others in how many words' company.

    An n-gram at a sentence's start has nothing before it and keeps its occurrences.
    """
    if longer is None:
        return table.raw.copy()
    company = np.bincount(longer.suffix, minlength=len(table.raw))
    return np.where(table.first == 0, table.raw, company)


def _discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken from counts of 0, 1, 2 and 3 or more."""
    n1, n2, n3, n4 = (int((counts == c).sum()) for c in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return np.array([0.0, 0.5, 1.0, 1.5])  # too little text for its counts of counts to say
    y = n1 / (n1 + 2 * n2)
    values = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    return np.array([0.0, *(min(max(value, 0.0), i + 1.0) for i, value in enumerate(values))])
