"""Pairs that the converter of `asr.inverse_normalisation.writer` learns from, and how exact it is on those whose
values it has not seen.

The split is by value: a number that dev or test have is in no pair of train, in whatever form. Only
numbers that are one word ("twelve", "forty") are everywhere, for they cannot be made of others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from asr.base.progress import track
from asr.inverse_normalisation import spoken_forms
from asr.inverse_normalisation.phrases import Maker, Phrase
from asr.inverse_normalisation.spans import CLOSE, OPEN, spans, target_of, tokens_of
from asr.inverse_normalisation.writer import Writer

TOGETHER = 256
"""Pairs between two moves of the progress bar."""


@dataclass(frozen=True)
class WrittenPair:
    """A pair of the converter's; `kind` is of what it holds, or "several"."""

    kind: str
    source: str
    target: str


def written_pairs(part: str, count: int, seed: int) -> list[WrittenPair]:
    """So many pairs of a part of `SPLITS`, none twice; a function of the arguments alone."""
    maker = Maker(part, seed)
    found: dict[str, WrittenPair] = {}
    while len(found) < count:
        for pair in cut(maker.sentence()):
            found.setdefault(pair.source, pair)
    return list(found.values())[:count]


def cut(sentence: Sequence[Phrase]) -> Iterator[WrittenPair]:
    """A sentence's pairs: its stretches, as they will be found in transcripts."""
    words: list[str] = []
    starts = {}
    for phrase in sentence:
        starts[len(words)] = phrase
        words += phrase.said.split()
    for span in spans(words):
        inside = [phrase for at, phrase in starts.items() if span.first <= at < span.last]
        said, target = words[span.first : span.last], " ".join(p.written for p in inside).split()
        # What would be refused later is not to be learnt: "two hundred and" before "five percent".
        if spoken_forms.align(said, target) is not None:
            kinds = {phrase.kind for phrase in inside} - {""}
            kind = kinds.pop() if len(kinds) == 1 else "several"
            yield WrittenPair(kind, span.source, target_of(target))


@dataclass
class Exactness:
    """Counts of pairs.

    best: the converter's first target is exactly the pair's. exact: what comes through the check
    is. refused: left in words by the check, where digits were wanted. wrong: the rest: the check
    let through what says the same words, but is not the pair's.
    """

    kind: str
    pairs: int = 0
    best: int = 0
    exact: int = 0
    refused: int = 0
    wrong: int = 0


def exactness(
    writer: Writer, pairs: Sequence[WrittenPair]
) -> tuple[list[Exactness], list[tuple[WrittenPair, str]]]:
    """Of each kind of pair, all of them first; and each pair that is not exact, with what became of
    it."""
    found: dict[str, Exactness] = {"all": Exactness("all")}
    missed = []
    starts = range(0, len(pairs), TOGETHER)
    for start in track(starts, len(starts), "writing"):
        part = pairs[start : start + TOGETHER]
        best = writer.propose([pair.source for pair in part], 1)
        said = [(pair.source, _inside(pair.source)) for pair in part]
        settled = writer.settle(said)
        for pair, (likeliest, *_), key in zip(part, best, said, strict=True):
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
    """The words of a source that are to be written."""
    symbols = source.split()
    return tuple(symbols[symbols.index(OPEN) + 1 : symbols.index(CLOSE)])


def exactness_text(rows: Sequence[Exactness]) -> str:
    """A table in Markdown."""
    lines = ["| kind | pairs | network exact | exact | left in words | wrong |"]
    lines += ["|---|---|---|---|---|---|"]
    lines += [
        f"| {row.kind} | {row.pairs} | {row.best / row.pairs:.2%} | {row.exact / row.pairs:.2%} "
        f"| {row.refused} | {row.wrong} |"
        for row in rows
    ]
    return "\n".join(lines)


def exactness_record(rows: Sequence[Exactness]) -> dict[str, Any]:
    """The same for a program."""
    return {row.kind: {key: v for key, v in asdict(row).items() if key != "kind"} for row in rows}
