"""Beam search over a decoder that says one symbol after the other, for a batch of sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from asr.seq2seq.pairs import END


class StepDecoder(Protocol):
    """A decoder with its state; see `converter.Decoder`."""

    def step(self, last: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Last symbols [sources, hypotheses], None before the first, of which there is one
        hypothesis a source → log-probabilities [sources, hypotheses, vocabulary], attention
        [sources, hypotheses, source symbols]."""

    def select(self, sources: np.ndarray, hypotheses: np.ndarray) -> None:
        """Go on with these sources [n] and, of each, hypotheses [n, k], as of the last step."""


@dataclass(frozen=True, eq=False)
class FinishedTarget:
    """A target that ended: its score is its log-probability in nats."""

    ids: tuple[int, ...]
    score: float
    attention: np.ndarray
    """[symbols + 1, source symbols]: what each looked at, and in the last row their end."""

    def ranked(self, length_penalty: float) -> float:
        """The score that counts."""
        return self.score / _penalty(len(self.ids), length_penalty)


def _penalty(length: int, power: float) -> float:
    return float(((5 + length) / 6) ** power)


Hypothesis = tuple[Any, int, np.ndarray]
"""A hypothesis: what was before its last symbol (None: nothing), this, and what it looked at."""


def search_targets(
    decoder: StepDecoder,
    sources: int,
    beam: int,
    nbest: int,
    longest: int,
    length_penalty: float = 0.0,
) -> list[list[FinishedTarget]]:
    """Targets of each source, best first, at most `nbest`; at least one.

    After each step the `beam` likeliest hypotheses stay (Graves, 2012; Sutskever et al., 2014);
    those of them that end leave the beam. A source is done when none can still get among the
    `nbest`, not when so many have ended: the first to end are short, and may be unlikely. A beam of
    1 is greedy decoding; a wider one mostly, but not always, finds a likelier target, and one that
    holds everything finds the likeliest.

    Args:
        longest: symbols of a target at most: then it ends.
        length_penalty: see `Converter.convert`.
    """
    ended: list[list[FinishedTarget]] = [[] for _ in range(sources)]
    active = np.arange(sources)
    live: list[list[Hypothesis | None]] = [[None] for _ in range(sources)]
    scores, last = np.zeros((sources, 1)), None
    for length in range(longest + 1):
        logs, attention = decoder.step(last)
        if length == longest:
            logs[:, :, np.arange(logs.shape[2]) != END] = -np.inf
        vocabulary = logs.shape[2]
        totals = (scores[:, :, None] + logs).reshape(len(active), -1)
        going: list[int] = []
        chosen: list[np.ndarray] = []
        # Each hypothesis can end in one way only: among twice as many, `beam` can go on.
        for row, places in enumerate(_largest(totals, 2 * beam)):
            places = places[totals[row, places] > -np.inf]
            ending = places % vocabulary == END
            found = ended[active[row]]
            for place in places[:beam][ending[:beam]]:
                parent = place // vocabulary
                node = (live[row][parent], END, attention[row, parent])
                found.append(_finished(node, float(totals[row, place])))
            found.sort(key=lambda f: (-f.ranked(length_penalty), f.ids))
            places = places[~ending][:beam]
            if len(places) == 0:
                continue
            # Scores only fall, and a penalty raises those of the longest most.
            reachable = totals[row, places[0]] / _penalty(longest, length_penalty)
            if len(found) < nbest or reachable > found[nbest - 1].ranked(length_penalty):
                going.append(row)
                chosen.append(places)
        if not going:
            break
        # At first some sources may have fewer: one of theirs is repeated, and forbidden.
        width = max(len(places) for places in chosen)
        rows = np.array(going)
        picked = np.array([np.resize(places, width) for places in chosen])
        spare = np.array([np.arange(width) >= len(places) for places in chosen])
        scores = np.where(spare, -np.inf, totals[rows[:, None], picked])
        parents, last = picked // vocabulary, picked % vocabulary
        live = [
            [(live[row][p], symbol, attention[row, p]) for p, symbol in zip(*columns, strict=True)]
            for row, *columns in zip(going, parents.tolist(), last.tolist(), strict=True)
        ]
        decoder.select(rows, parents)
        active = active[rows]
    return [found[:nbest] for found in ended]


def _finished(node: Hypothesis | None, score: float) -> FinishedTarget:
    ids, attention = [], []
    while node is not None:
        node, symbol, looked = node
        ids.append(symbol)
        attention.append(looked)
    return FinishedTarget(tuple(ids[:0:-1]), score, np.array(attention[::-1]))


def _largest(totals: np.ndarray, count: int) -> np.ndarray:
    """Places of the `count` largest of each row, the largest first."""
    if count < totals.shape[1]:
        places = np.sort(np.argpartition(-totals, count - 1, axis=1)[:, :count], axis=1)
    else:
        places = np.broadcast_to(np.arange(totals.shape[1]), totals.shape)
    values = np.take_along_axis(totals, places, axis=1)
    return np.take_along_axis(places, np.argsort(-values, axis=1, kind="stable"), axis=1)
