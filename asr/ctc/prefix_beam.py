"""Prefix beam search over the log-probabilities of CTC, with an optional scorer.

`asr.decoding.word_scorer` and `asr.decoding.lexicon_scorer` have scorers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from asr.text.tokenizers import BLANK


@dataclass(frozen=True)
class Hypothesis:
    """A label sequence that a beam search found.

    Attributes:
        labels: the labels, without blanks.
        score: `acoustic` plus the scorer's score, in nats.
        acoustic: log-probability of all alignments that survived pruning, in nats.
        state: state of the scorer after the last label.
        phones: the phones by which the labels were found; empty if the search was over the labels.
    """

    labels: tuple[int, ...]
    score: float
    acoustic: float
    state: Any = field(default=None, compare=False)
    phones: tuple[int, ...] = ()


class Scorer(Protocol):
    """A language model or lexicon in the beam search, which adds its scores, in nats, to prefixes.

    A score of −inf forbids a prefix. A label may have several readings, such as homophones; the
    search then continues the prefix with each of them.
    """

    def start(self) -> Any:
        """The state before the first label."""

    def extend(self, state: Any, label: int) -> Sequence[tuple[float, Any]]:
        """The score of one more label and the state after it, for each reading of the label."""

    def finish(self, state: Any) -> float:
        """The score of ending the sequence in this state."""


class _Tree:
    """All prefixes that the search has met, as a tree whose nodes are numbers.

    Each node has a parent, a last label, the scorer's score and the scorer's state. They are in
    lists by node, not in one object for each prefix: Python's garbage collector would spend more
    time on the many objects than the search takes.
    """

    def __init__(self, width: int, scorer: Scorer | None) -> None:
        self.width, self.scorer = width, scorer
        self.parent, self.label, self.score = [-1], [BLANK], [0.0]
        self.state = [scorer.start() if scorer else None]
        self.children: dict[int, range] = {}

    def add(self, node: int, label: int) -> range:
        """Add the children of a node for one label, one for each reading that the scorer gives."""
        ways = [(0.0, None)] if self.scorer is None else self.scorer.extend(self.state[node], label)
        first = len(self.parent)
        for gain, state in ways:
            self.parent.append(node)
            self.label.append(label)
            self.score.append(self.score[node] + gain)
            self.state.append(state)
        children = self.children[node * self.width + label] = range(first, len(self.parent))
        return children

    def labels(self, node: int) -> tuple[int, ...]:
        path = []
        while node:
            path.append(self.label[node])
            node = self.parent[node]
        return tuple(reversed(path))

    def hypothesis(self, node: int, acoustic: float) -> Hypothesis:
        """The hypothesis of a prefix, or of its longest part that the scorer allows to end."""
        end = self.end(node)
        while end == -math.inf and node:
            node = self.parent[node]
            end = self.end(node)
        score = acoustic + self.score[node] + end
        return Hypothesis(self.labels(node), score, acoustic, self.state[node])

    def end(self, node: int) -> float:
        return self.scorer.finish(self.state[node]) if self.scorer else 0.0


def beam_search(
    log_probabilities: np.ndarray,
    beam: int = 16,
    token_min: float = -7.0,
    margin: float = 15.0,
    scorer: Scorer | None = None,
) -> list[Hypothesis]:
    """Decode one utterance by prefix beam search (Hannun et al., 2014).

    Args:
        log_probabilities: float [frames, labels], in nats, without padding.
        beam: number of prefixes to keep after each frame, and the most hypotheses to return.
        token_min: lowest log-probability, in nats, with which a label extends a prefix in a frame;
            the best label of a frame always may.
        margin: distance to the score of the best prefix, in nats, beyond which a prefix is dropped.
        scorer: language model or lexicon; None for none.

    Returns:
        At least one hypothesis, best first, all with a score above −inf. If the scorer allows no
        prefix of the beam to end, such as within a word of a lexicon, returns the longest parts of
        the prefixes that it does allow.

    >>> log_probabilities = np.log([[0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    >>> best, *_ = beam_search(log_probabilities, beam=4)
    >>> best.labels
    (1, 2)
    """
    tree = _Tree(log_probabilities.shape[1], scorer)
    last_label, score, children, width = tree.label, tree.score, tree.children, tree.width
    # Probabilities of the alignments of each prefix: those that end in a blank, all of them, and
    # those that end in its last label in the current frame.
    blanks, totals, lasts, seen = [1.0], [1.0], [0.0], [-1]
    ranks: dict[int, float] = {}
    active, scale = [0], 0.0
    log, exp, inf = math.log, math.exp, math.inf
    for t, (frame, likely) in enumerate(_frames(log_probabilities, token_min)):
        blank = frame[BLANK]
        # Prefixes that stay the same, by a blank or by a repetition of the last label.
        top = -inf
        for node in active:
            seen[node] = t
            lasts[node] *= frame[last_label[node]]
            staying = totals[node] * blank + lasts[node]
            if staying > 0.0:
                top = max(top, log(staying) + score[node])
        # No prefix below this can survive the frame, so the scorer need not be called for it.
        floor = top - margin
        candidates = active[:]
        for node in active:
            # The smallest probability that reaches the floor. exp overflows beyond about 709.
            least = exp(min(floor - score[node], 700.0))
            total, own, base = totals[node], last_label[node], node * width
            for label, value in likely:
                # Without a blank in between, a repeated label does not extend the prefix.
                gain = (blanks[node] if label == own else total) * value
                if gain < least or gain == 0.0:
                    if label == own:
                        continue
                    break  # the labels that follow are less likely
                following = children.get(base + label)
                if following is None:
                    following = tree.add(node, label)
                    for values in (blanks, totals, lasts):
                        values.extend([0.0] * len(following))
                    seen.extend([-1] * len(following))
                for child in following:
                    if seen[child] == t:
                        lasts[child] += gain
                    elif score[child] > -inf:
                        # Probabilities from before the prefix left the beam no longer count.
                        seen[child], totals[child], lasts[child] = t, 0.0, gain
                        candidates.append(child)
        ranks.clear()
        for node in candidates:
            blanks[node] = ended = totals[node] * blank
            totals[node] = total = ended + lasts[node]
            ranks[node] = log(total) + score[node] if total > 0.0 else -inf
        candidates.sort(key=ranks.__getitem__, reverse=True)
        floor = ranks[candidates[0]] - margin
        active = [node for node in candidates[:beam] if ranks[node] >= floor and totals[node] > 0.0]
        # The probability of a whole utterance would underflow: divide by the largest one as needed.
        largest = max(totals[node] for node in active)
        if largest < 1e-30:
            scale += log(largest)
            for node in active:
                blanks[node] /= largest
                lasts[node] /= largest
                totals[node] /= largest
    # If no prefix may end, such as within a word of a lexicon, use the parts that may.
    ending = [node for node in active if tree.end(node) > -inf] or active
    found = [tree.hypothesis(node, log(totals[node]) + scale) for node in ending]
    return sorted(found, key=lambda h: (-h.score, h.labels))


def _frames(log_probabilities: np.ndarray, token_min: float) -> Any:
    """For each frame, its probabilities, and the labels that extend prefixes, the most probable
    first, as pairs of label and probability."""
    labels = np.delete(np.arange(log_probabilities.shape[1]), BLANK)
    order = labels[np.argsort(-log_probabilities[:, labels], axis=1, kind="stable")]
    ranked = np.take_along_axis(log_probabilities, order, axis=1)
    counts = np.maximum((ranked >= token_min).sum(axis=1), 1).tolist()
    probabilities = np.exp(log_probabilities).tolist()
    for row, values, names, count in zip(
        probabilities, np.exp(ranked).tolist(), order.tolist(), counts, strict=True
    ):
        yield row, list(zip(names[:count], values[:count], strict=True))
