"""Prefix beam search over CTC's log-probabilities, alone or with a scorer such as `asr.decoding.word_scorer`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from asr.text.tokenizers import BLANK


@dataclass(frozen=True)
class Hypothesis:
    """A label sequence of a beam search.

    `acoustic` is the log-probability of all its alignments that survived pruning; `score` adds what
    the scorer gave. In nats. `state` is the scorer's, behind the last label.
    """

    labels: tuple[int, ...]
    score: float
    acoustic: float
    state: Any = field(default=None, compare=False)


class Scorer(Protocol):
    """What a language model is to the beam search: scores in nats are added to a prefix.

    A score of −inf forbids. One label may be read in more ways than one, such as homophones: then
    the prefix goes on in each of them.
    """

    def start(self) -> Any:
        """State before the first label."""

    def extend(self, state: Any, label: int) -> Sequence[tuple[float, Any]]:
        """Score of one more label and the state behind it, for each way to read it."""

    def finish(self, state: Any) -> float:
        """Score of ending here."""


class _Tree:
    """All prefixes met, as numbers: of each its parent, last label, score and scorer's state.

    Lists of numbers and one dictionary, not an object a prefix: those are many, and Python's
    garbage collector would spend more time on them than the search does.
    """

    def __init__(self, width: int, scorer: Scorer | None) -> None:
        self.width, self.scorer = width, scorer
        self.parent, self.label, self.score = [-1], [BLANK], [0.0]
        self.state = [scorer.start() if scorer else None]
        self.children: dict[int, range] = {}

    def add(self, node: int, label: int) -> range:
        """The new children by a label; the scorer is asked."""
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
        """Of the whole prefix, or the longest part of it that the scorer lets end."""
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
    """Prefix beam search (Hannun et al., 2014) of one utterance, best first.

    Args:
        log_probabilities: [frames, labels] in nats, no padding.
        beam: prefixes kept after each frame, and hypotheses returned at most.
        token_min: labels below this log-probability in a frame do not extend a prefix there; its
            best label always does.
        margin: prefixes so far below the best are dropped.
        scorer: a language model; None for none.

    Returns:
        At least one hypothesis, of a score above −inf: where the scorer forbids all prefixes of
        the beam to end (in half a word of a lexicon), the longest parts of them that may.
    """
    tree = _Tree(log_probabilities.shape[1], scorer)
    last_label, score, children, width = tree.label, tree.score, tree.children, tree.width
    # Of each prefix, the probability of its alignments: of those that end in a blank, of all, and,
    # in the frame that is being looked at, of those that end in its last label.
    blanks, totals, lasts, seen = [1.0], [1.0], [0.0], [-1]
    ranks: dict[int, float] = {}
    active, scale = [0], 0.0
    log, exp, inf = math.log, math.exp, math.inf
    for t, (frame, likely) in enumerate(_frames(log_probabilities, token_min)):
        blank = frame[BLANK]
        # What stays as it is: by a blank, or by the last label going on.
        top = -inf
        for node in active:
            seen[node] = t
            lasts[node] *= frame[last_label[node]]
            staying = totals[node] * blank + lasts[node]
            if staying > 0.0:
                top = max(top, log(staying) + score[node])
        # Nothing below this will be kept, whatever else there is: the scorer need not be asked.
        floor = top - margin
        candidates = active[:]
        for node in active:
            # The least probability that reaches it; exp of more is beyond the largest number.
            least = exp(min(floor - score[node], 700.0))
            total, own, base = totals[node], last_label[node], node * width
            for label, value in likely:
                # Without a blank between, a repeated label is the same one going on.
                gain = (blanks[node] if label == own else total) * value
                if gain < least or gain == 0.0:
                    if label == own:
                        continue
                    break  # The others are less likely.
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
                        # What it was before it left the beam is over.
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
        # Probabilities of a whole utterance would be too small for numbers: now and then all are
        # taken over the largest.
        largest = max(totals[node] for node in active)
        if largest < 1e-30:
            scale += log(largest)
            for node in active:
                blanks[node] /= largest
                lasts[node] /= largest
                totals[node] /= largest
    # In half a word of a lexicon nothing may end: then what is whole of it has to do.
    ending = [node for node in active if tree.end(node) > -inf] or active
    found = [tree.hypothesis(node, log(totals[node]) + scale) for node in ending]
    return sorted(found, key=lambda h: (-h.score, h.labels))


def _frames(log_probabilities: np.ndarray, token_min: float) -> Any:
    """For each frame its probabilities, and (label, probability) of those that extend prefixes.

    The likeliest first.
    """
    labels = np.delete(np.arange(log_probabilities.shape[1]), BLANK)
    order = labels[np.argsort(-log_probabilities[:, labels], axis=1, kind="stable")]
    ranked = np.take_along_axis(log_probabilities, order, axis=1)
    counts = np.maximum((ranked >= token_min).sum(axis=1), 1).tolist()
    probabilities = np.exp(log_probabilities).tolist()
    for row, values, names, count in zip(
        probabilities, np.exp(ranked).tolist(), order.tolist(), counts, strict=True
    ):
        yield row, list(zip(names[:count], values[:count], strict=True))
