"""Training pairs for the converter of `asr.inverse_normalisation.writer`, and its evaluation.

The split is by value: a number of dev or test is in no pair of train, in any form. Only numbers of
one word ("twelve", "forty") are in all parts, because all other numbers consist of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from asr.base.progress import track
from asr.inverse_normalisation import spoken_forms
from asr.inverse_normalisation.phrases import Phrase, PhraseSampler
from asr.inverse_normalisation.spans import CLOSE, OPEN, spans, target_of, tokens_of
from asr.inverse_normalisation.writer import NumberWriter

PAIRS_PER_BATCH = 256


@dataclass(frozen=True)
class WrittenPair:
    """A training pair.

    Attributes:
        kind: kind of its phrase, such as "date"; "several" if it has phrases of several kinds.
        source: source of the converter.
        target: target of the converter.
    """

    kind: str
    source: str
    target: str


def written_pairs(part: str, count: int, seed: int) -> list[WrittenPair]:
    """Make `count` different pairs of a part of `SPLITS`; the arguments determine them."""
    maker = PhraseSampler(part, seed)
    found: dict[str, WrittenPair] = {}
    while len(found) < count:
        for pair in pairs_of(maker.sentence()):
            found.setdefault(pair.source, pair)
    return list(found.values())[:count]


def pairs_of(sentence: Sequence[Phrase]) -> Iterator[WrittenPair]:
    """The pairs of a sentence: its spans, as `spans` finds them in transcripts."""
    words: list[str] = []
    starts = {}
    for phrase in sentence:
        starts[len(words)] = phrase
        words += phrase.spoken.split()
    for span in spans(words):
        inside = [phrase for at, phrase in starts.items() if span.first <= at < span.last]
        spoken, target = words[span.first : span.last], " ".join(p.written for p in inside).split()
        # Leave out pairs that the check of the writer would refuse: "two hundred and" before
        # "five percent".
        if spoken_forms.align_written(spoken, target) is not None:
            kinds = {phrase.kind for phrase in inside} - {""}
            kind = kinds.pop() if len(kinds) == 1 else "several"
            yield WrittenPair(kind, span.source, target_of(target))


@dataclass
class Exactness:
    """Counts of pairs by outcome.

    Attributes:
        kind: kind of the pairs, or "all".
        pairs: number of pairs.
        best: the converter's best target equals the pair's target.
        exact: the checked output equals the pair's target.
        refused: the check left the words, where the pair's target has digits.
        wrong: the check accepted another target with the same spoken form.
    """

    kind: str
    pairs: int = 0
    best: int = 0
    exact: int = 0
    refused: int = 0
    wrong: int = 0


def exactness(
    writer: NumberWriter, pairs: Sequence[WrittenPair]
) -> tuple[list[Exactness], list[tuple[WrittenPair, str]]]:
    """Evaluate a writer on pairs.

    Returns:
        Counts for all pairs and for each kind; and each pair that is not exact, with the output.
    """
    found: dict[str, Exactness] = {"all": Exactness("all")}
    missed = []
    starts = range(0, len(pairs), PAIRS_PER_BATCH)
    for start in track(starts, len(starts), "writing"):
        part = pairs[start : start + PAIRS_PER_BATCH]
        best = writer.propose([pair.source for pair in part], 1)
        spoken = [(pair.source, _inside(pair.source)) for pair in part]
        settled = writer.settle(spoken)
        for pair, (likeliest, *_), key in zip(part, best, spoken, strict=True):
            written, wanted = [piece.text for piece in settled[key]], tokens_of(pair.target)
            outcome = (
                "exact" if written == wanted else "refused" if (*written,) == key[1] else "wrong"
            )
            if outcome != "exact":
                missed.append((pair, " ".join(written)))
            for kind in ("all", pair.kind):
                counts = found.setdefault(kind, Exactness(kind))
                counts.pairs += 1
                counts.best += likeliest == pair.target
                setattr(counts, outcome, getattr(counts, outcome) + 1)
    return [found["all"], *(found[kind] for kind in sorted(found.keys() - {"all"}))], missed


def _inside(source: str) -> tuple[str, ...]:
    """The words of the span of a source."""
    symbols = source.split()
    return tuple(symbols[symbols.index(OPEN) + 1 : symbols.index(CLOSE)])


def exactness_text(rows: Sequence[Exactness]) -> str:
    """The counts as a table in Markdown."""
    lines = ["| kind | pairs | network exact | exact | left in words | wrong |"]
    lines += ["|---|---|---|---|---|---|"]
    lines += [
        f"| {row.kind} | {row.pairs} | {row.best / row.pairs:.2%} | {row.exact / row.pairs:.2%} "
        f"| {row.refused} | {row.wrong} |"
        for row in rows
    ]
    return "\n".join(lines)


def exactness_record(rows: Sequence[Exactness]) -> dict[str, Any]:
    """The counts as plain values for JSON."""
    return {row.kind: {key: v for key, v in asdict(row).items() if key != "kind"} for row in rows}
