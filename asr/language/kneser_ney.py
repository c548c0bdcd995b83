"""Estimation of n-gram models: interpolated modified Kneser-Ney smoothing, in numpy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from asr.errors import ConfigError
from asr.language.ngram import NgramModel, Ngrams
from asr.language.word_lm import END, NEVER, START, UNKNOWN


class NgramCounts(NamedTuple):
    """The n-grams of one order that occur in a text, sorted by context and last word.

    Attributes:
        context: place of the n-gram's first n − 1 words in the table of the order below: [count].
        suffix: place of its last n − 1 words in the same table: [count].
        last: number of its last word: [count].
        first: number of its first word: [count].
        occurrences: how often it occurs: [count].
    """

    context: np.ndarray
    suffix: np.ndarray
    last: np.ndarray
    first: np.ndarray
    occurrences: np.ndarray


def estimate(
    sentences: Sequence[Sequence[str]],
    order: int,
    prune: Sequence[int] = (),
    vocabulary: Collection[str] | None = None,
) -> NgramModel:
    """Estimate a model with interpolated modified Kneser-Ney smoothing (Chen & Goodman, 1998).

    Args:
        sentences: words of each sentence.
        order: number of words in the longest n-grams.
        prune: for each order, n-grams with this many occurrences or fewer are left out, and the
            back-off gets their probability. Pruned words (order 1) become <unk>. The last number
            applies to all higher orders: (0, 1) keeps all words, and the longer n-grams that occur
            twice or more. Default: no pruning.
        vocabulary: words of the model, some of which the text may lack; all others become <unk>.
            Models that are interpolated need the same one. Default: the words of the text.

    Raises:
        ConfigError: the order is below 1, the text has no words, or the prune counts are negative
            or decrease.
    """
    if order < 1:
        raise ConfigError(f"language model: order must be 1 or more, found {order}")
    limits = [*prune, *[prune[-1] if prune else 0] * order][:order]
    if any(a > b for a, b in zip([0, *limits], limits, strict=False)) or len(prune) > order:
        raise ConfigError(
            f"language model: prune {','.join(map(str, prune))}: expected at most {order} numbers "
            "of 0 or more that do not decrease"
        )
    if vocabulary is None:
        counter = Counter(word for sentence in sentences for word in sentence)
        vocabulary = {word for word, count in counter.items() if count > limits[0]}
    frequent = set(vocabulary) - {START, END, UNKNOWN}
    if not frequent:
        raise ConfigError("language model: the text has no words, or prune leaves none")
    words = [START, END, UNKNOWN, *sorted(frequent)]
    tables = count_ngrams(sentences, words, order)
    kept = [np.arange(len(words))]
    grams, probabilities, weights = [kept[0][:, None]], [], [np.zeros(len(words))]
    lower = np.empty(0)
    for n, table in enumerate(tables, 1):
        counts = _adjusted_counts(table, tables[n] if n < order else None)
        if n == 1:
            counts[words.index(START)] = 0
        discounts = _discounts(counts)
        share = np.maximum(counts - discounts[np.minimum(counts, 3)], 0.0)
        if n > 1:
            share[table.occurrences <= limits[n - 1]] = 0.0
        contexts = len(tables[n - 2].last) if n > 1 else 1
        totals = np.bincount(table.context, counts, contexts)
        share /= np.maximum(totals, 1)[table.context]
        # Probability left for the back-off: the discounts, and the pruned n-grams.
        rest = 1 - np.bincount(table.context, share, contexts)
        below = lower[table.suffix] if n > 1 else np.full(len(words), 1 / (len(words) - 1))
        lower = share + rest[table.context] * below
        if n > 1:
            # A kept n-gram's context is kept as well: it occurs at least as often.
            chosen = np.flatnonzero(table.occurrences > limits[n - 1])
            place = np.full(contexts, -1)
            place[kept[-1]] = np.arange(len(kept[-1]))
            weights[-1] = np.where(totals > 0, rest, 1.0)[kept[-1]]
            contexts_of = grams[-1][place[table.context[chosen]]]
            grams.append(np.column_stack([contexts_of, table.last[chosen]]))
            kept.append(chosen)
            weights.append(np.ones(len(chosen)))
        probabilities.append(lower[kept[-1]])
    probabilities[0][words.index(START)] = 0.0
    return NgramModel.from_ngrams(
        words, [*map(Ngrams, grams, map(_log10, probabilities), map(_log10, weights))]
    )


def parse_prune_counts(text: str) -> tuple[int, ...]:
    """Parse the option `prune`, whole numbers separated by commas.

    Raises:
        ConfigError: the text is not of this form.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"prune {text}: expected whole numbers, such as 0,1,2") from None


def _log10(values: np.ndarray) -> np.ndarray:
    return np.log10(np.maximum(values, 10.0**NEVER)).astype(np.float32)


def count_ngrams(
    sentences: Sequence[Sequence[str]], words: Sequence[str], order: int
) -> list[NgramCounts]:
    """The n-grams of each order up to `order`, in the sentences with <s> and </s> around them."""
    ids = {word: i for i, word in enumerate(words)}
    start, end, unknown = ids[START], ids[END], ids[UNKNOWN]
    numbers: list[int] = []
    for sentence in sentences:
        numbers.append(start)
        numbers.extend([ids.get(word, unknown) for word in sentence])
        numbers.append(end)
    tokens = np.array(numbers, np.int64)
    starts = np.flatnonzero(tokens == start)
    # Words of the sentence before each word: an n-gram must not begin before <s>.
    before = np.arange(len(tokens)) - np.repeat(starts, np.diff([*starts, len(tokens)]))
    size = len(words)
    numbered = np.arange(size)
    zeros = np.zeros(size, np.int64)
    tables = [NgramCounts(zeros, zeros, numbered, numbered, np.bincount(tokens, minlength=size))]
    places = tokens  # place of the n-gram that ends at each token, in the table of its order
    for n in range(2, order + 1):
        ends = np.flatnonzero(before >= n - 1)
        keys, example, inverse, occurrences = np.unique(
            places[ends - 1] * size + tokens[ends],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        context = keys // size
        tables.append(
            NgramCounts(
                context=context,
                suffix=places[ends[example]],
                last=keys % size,
                first=tables[-1].first[context],
                occurrences=occurrences,
            )
        )
        places = np.full(len(tokens), -1)
        places[ends] = inverse
    return tables


def _adjusted_counts(table: NgramCounts, longer: NgramCounts | None) -> np.ndarray:
    """Counts for Kneser-Ney: occurrences for the highest order, else continuation counts.

    The continuation count of an n-gram is the number of different words before it. An n-gram that
    begins with <s> has no word before it and keeps its occurrences.
    """
    if longer is None:
        return table.occurrences.copy()
    continuations = np.bincount(longer.suffix, minlength=len(table.occurrences))
    return np.where(table.first == 0, table.occurrences, continuations)


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Discounts of counts of 0, 1, 2, and 3 or more."""
    n1, n2, n3, n4 = (int((counts == c).sum()) for c in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return np.array([0.0, 0.5, 1.0, 1.5])  # too little text to estimate them
    y = n1 / (n1 + 2 * n2)
    values = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    return np.array([0.0, *(min(max(value, 0.0), i + 1.0) for i, value in enumerate(values))])
