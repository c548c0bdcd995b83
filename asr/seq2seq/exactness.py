"""How often a converter of `asr.seq2seq.written` is right, on pairs whose values it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from asr.progress import track
from asr.seq2seq.written import CLOSE, OPEN, Propose, checked, tokens_of
from asr.seq2seq.written_pairs import WrittenPair

TOGETHER = 256
"""Pairs between two moves of the progress bar."""


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
    propose: Propose, pairs: Sequence[WrittenPair]
) -> tuple[list[Exactness], list[tuple[WrittenPair, str]]]:
    """Of each kind of pair, all of them first; and each pair that is not exact, with what became of
    it."""
    found: dict[str, Exactness] = {"all": Exactness("all")}
    missed = []
    starts = range(0, len(pairs), TOGETHER)
    for start in track(starts, len(starts), "writing"):
        part = pairs[start : start + TOGETHER]
        for pair, targets in zip(part, propose([pair.source for pair in part]), strict=True):
            symbols = pair.source.split()
            words = symbols[symbols.index(OPEN) + 1 : symbols.index(CLOSE)]
            written = [piece.text for piece in checked(words, targets)]
            wanted = tokens_of(pair.target)
            outcome = (
                "exact" if written == wanted else "refused" if written == words else "wrong"
            )
            if outcome != "exact":
                missed.append((pair, " ".join(written)))
            for kind in ("all", pair.kind):
                counts = found.setdefault(kind, Exactness(kind))
                counts.pairs += 1
                counts.best += targets[0] == pair.target
                setattr(counts, outcome, getattr(counts, outcome) + 1)
    return [found["all"], *(found[kind] for kind in sorted(found.keys() - {"all"}))], missed


def exactness_text(rows: Sequence[Exactness]) -> str:
    """A table in Markdown."""
    lines = ["| kind | pairs | network exact | exact | left in words | wrong |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.kind} | {row.pairs} | {row.best / row.pairs:.2%} | {row.exact / row.pairs:.2%} "
        f"| {row.refused} | {row.wrong} |"
        for row in rows
    ]
    return "\n".join(lines)


def exactness_record(rows: Sequence[Exactness]) -> dict[str, Any]:
    """The same for a program."""
    return {row.kind: {key: v for key, v in asdict(row).items() if key != "kind"} for row in rows}
