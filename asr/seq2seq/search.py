"""Beam search with a decoder that predicts one symbol after the other, for a batch of sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from asr.seq2seq.pairs import END


class StepDecoder(Protocol):
    """A decoder that keeps its state between steps, such as `converter.AttentionDecoder`."""

    def step(self, last: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Predict the next symbol of each hypothesis.

        Args:
            last: last symbol of each hypothesis, [sources, hypotheses]; None in the first step,
                when each source has one empty hypothesis.

        Returns:
            Log-probabilities of the next symbol, [sources, hypotheses, vocabulary], and attention,
            [sources, hypotheses, source symbols].
        """

    def select(self, sources: np.ndarray, hypotheses: np.ndarray) -> None:
        """Keep only some sources and hypotheses.

        Args:
            sources: numbers of the sources to keep, int [n].
            hypotheses: numbers of the hypotheses to keep of each, as of the last step, int [n, k].
        """


@dataclass(frozen=True, eq=False)
class FinishedTarget:
    """A target that the search has finished.

    Attributes:
        ids: symbols of the target, without the end.
        score: log-probability in nats.
        attention: attention of each symbol and, in the last row, of the end, to the source's
            symbols, [symbols + 1, source symbols].
    """

    ids: tuple[int, ...]
    score: float
    attention: np.ndarray

    def penalised_score(self, length_penalty: float) -> float:
        """The score by which targets are ranked."""
        return self.score / _penalty(len(self.ids), length_penalty)


def _penalty(length: int, power: float) -> float:
    return float(((5 + length) / 6) ** power)


class PartialTarget(NamedTuple):
    """A target that has not ended, as a linked list of its symbols.

    Attributes:
        before: the target without its last symbol; None if that is empty.
        symbol: the last symbol.
        attention: attention of the last symbol, [source symbols].
    """

    before: PartialTarget | None
    symbol: int
    attention: np.ndarray


def search_targets(
    decoder: StepDecoder,
    sources: int,
    beam: int,
    nbest: int,
    longest: int,
    length_penalty: float = 0.0,
) -> list[list[FinishedTarget]]:
    """Find the most probable targets of each source by beam search.

    After each step the search keeps the `beam` most probable hypotheses (Graves, 2012; Sutskever et
    al., 2014); hypotheses that end leave the beam. The search of a source stops when no hypothesis
    can still become one of the `nbest`. It does not stop as soon as `nbest` have ended, because the
    first ones to end are short and may be improbable. A beam of 1 is greedy decoding. A wider beam
    usually, but not always, finds a more probable target.

    Args:
        decoder: predicts the symbols.
        sources: number of sources.
        beam: number of hypotheses to keep after each step.
        nbest: the most targets to return for a source.
        longest: the most symbols of a target.
        length_penalty: see `Converter.convert`.

    Returns:
        For each source one to `nbest` targets, best first.
    """
    ended: list[list[FinishedTarget]] = [[] for _ in range(sources)]
    active = np.arange(sources)
    live: list[list[PartialTarget | None]] = [[None] for _ in range(sources)]
    scores, last = np.zeros((sources, 1)), None
    for length in range(longest + 1):
        logs, attention = decoder.step(last)
        if length == longest:
            logs[:, :, np.arange(logs.shape[2]) != END] = -np.inf
        vocabulary = logs.shape[2]
        totals = (scores[:, :, None] + logs).reshape(len(active), -1)
        going: list[int] = []
        chosen: list[np.ndarray] = []
        # A hypothesis can end in one way only, so among 2 × beam candidates `beam` do not end.
        for row, places in enumerate(_largest(totals, 2 * beam)):
            places = places[totals[row, places] > -np.inf]
            ending = places % vocabulary == END
            found = ended[active[row]]
            for place in places[:beam][ending[:beam]]:
                parent = place // vocabulary
                node = PartialTarget(live[row][parent], END, attention[row, parent])
                found.append(_finished(node, float(totals[row, place])))
            found.sort(key=lambda f: (-f.penalised_score(length_penalty), f.ids))
            places = places[~ending][:beam]
            if len(places) == 0:
                continue
            # Scores only fall, and the length penalty raises the score of the longest targets most.
            reachable = totals[row, places[0]] / _penalty(longest, length_penalty)
            if len(found) < nbest or reachable > found[nbest - 1].penalised_score(length_penalty):
                going.append(row)
                chosen.append(places)
        if not going:
            break
        # Early on, some sources may have fewer hypotheses than others: pad with repetitions
        # whose score is −inf.
        width = max(len(places) for places in chosen)
        rows = np.array(going)
        picked = np.array([np.resize(places, width) for places in chosen])
        spare = np.array([np.arange(width) >= len(places) for places in chosen])
        scores = np.where(spare, -np.inf, totals[rows[:, None], picked])
        parents, last = picked // vocabulary, picked % vocabulary
        live = [
            [
                PartialTarget(live[row][parent], symbol, attention[row, parent])
                for parent, symbol in zip(*columns, strict=True)
            ]
            for row, *columns in zip(going, parents.tolist(), last.tolist(), strict=True)
        ]
        decoder.select(rows, parents)
        active = active[rows]
    return [found[:nbest] for found in ended]


def _finished(node: PartialTarget | None, score: float) -> FinishedTarget:
    ids, attention = [], []
    while node is not None:
        node, symbol, looked = node
        ids.append(symbol)
        attention.append(looked)
    return FinishedTarget(tuple(ids[:0:-1]), score, np.array(attention[::-1]))


def _largest(totals: np.ndarray, count: int) -> np.ndarray:
    """Column numbers of the `count` largest values of each row, the largest first."""
    if count < totals.shape[1]:
        places = np.sort(np.argpartition(-totals, count - 1, axis=1)[:, :count], axis=1)
    else:
        places = np.broadcast_to(np.arange(totals.shape[1]), totals.shape)
    values = np.take_along_axis(totals, places, axis=1)
    return np.take_along_axis(places, np.argsort(-values, axis=1, kind="stable"), axis=1)
