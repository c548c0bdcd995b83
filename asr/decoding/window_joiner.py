"""`WindowJoiner`: the emissions of a recording's windows, joined and decoded into one path."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np

from asr import ctc
from asr.decoding.emission_joiner import EmissionJoiner, Emissions
from asr.decoding.windowing import Window
from asr.networks.head_layout import HeadLayout

Decode = Callable[[np.ndarray], ctc.Path]
Prepare = Callable[[np.ndarray, Window], np.ndarray]


class _PathLabel(NamedTuple):
    """One label of the joined path, with its frames in the recording and its score."""

    label: int
    start: int
    end: int
    score: float


class WindowJoiner(EmissionJoiner):
    """Decodes the emissions of one recording's windows, part by part, and joins the paths.

    Args:
        decode: logits [frames', labels] → path; called once for each part between two cuts.
        space: label of the space, which is put between the words around a pause; None for none.
        layout: heads of the logits.
        prepare: logits of a window, and the window → logits to decode. Default: the logits as they
            are.

    Attributes:
        frames: output frames that have been decoded.
    """

    def __init__(
        self,
        decode: Decode,
        space: int | None,
        layout: HeadLayout,
        prepare: Prepare = lambda logits, _: logits,
    ) -> None:
        super().__init__(space, layout)
        self.decode, self.prepare = decode, prepare
        self.frames = 0
        self._labels: list[_PathLabel] = []
        self._alternatives: ctc.Alternatives = ()
        self._score = 0.0

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels of the parts that have been decoded: the beginning of the path."""
        return tuple(item.label for item in self._labels)

    def add(self, number: int, window: Window, logits: np.ndarray) -> None:
        super().add(number, window, self.prepare(logits, window))

    def finish(self) -> ctc.Path:
        """The path of all windows, in output frames of the recording."""
        self._add_last_part()
        return ctc.Path(
            labels=tuple(item.label for item in self._labels),
            starts=tuple(item.start for item in self._labels),
            ends=tuple(item.end for item in self._labels),
            scores=tuple(item.score for item in self._labels),
            score=self._score,
            alternatives=self._alternatives,
        )

    def _add_part(self, part: Emissions) -> None:
        self._add_path(part, self.decode(part.logits))

    def _add_path(self, part: Emissions, path: ctc.Path) -> None:
        """Append the path of a part."""
        numbers = part.numbers
        self._score += path.score
        self._alternatives = combine_alternatives(self._alternatives, path.alternatives, self.space)
        self.frames += len(part.logits)
        for i, label in enumerate(path.labels):
            start, end = int(numbers[path.starts[i]]), int(numbers[path.ends[i] - 1]) + 1
            item = _PathLabel(label, start, end, path.scores[i])
            if i > 0 or not self._continues(item):
                self._labels.append(item)

    def _continues(self, item: _PathLabel) -> bool:
        """Whether the first label behind a cut continues the last label, or is a second space.

        A label that continues is merged into the last label.
        """
        if not self._labels or item.label != self._labels[-1].label:
            return False
        last = self._labels[-1]
        if item.start == last.end:
            # A cut between two frames of one label does not make two labels.
            old, new = item.start - last.start, item.end - item.start
            score = (last.score * old + item.score * new) / (old + new)
            self._labels[-1] = last._replace(end=item.end, score=score)
            return True
        return item.label == self.space

    def _add_pause(self, end: int) -> None:
        """Put a space where the pause was, unless there is one already."""
        space = self.space
        if space is None:
            return
        self._alternatives = tuple(
            ctc.ScoredLabels((*labels, space), score)
            if labels and labels[-1] != space
            else ctc.ScoredLabels(labels, score)
            for labels, score in self._alternatives
        )
        if self._labels and self._labels[-1].label != space:
            self._labels.append(_PathLabel(space, self._labels[-1].end, end, 0.0))


def combine_alternatives(
    first: ctc.Alternatives, second: ctc.Alternatives, space: int | None
) -> ctc.Alternatives:
    """Alternatives of two neighbouring parts together, as many as the longer list has.

    The parts were decoded independently, so scores add up.

    Args:
        first: alternatives of the first part, by falling score.
        second: alternatives of the second part, by falling score.
        space: label of the space: two spaces that meet become one. None for none.
    """
    if not (first and second):
        return first or second
    best: dict[tuple[int, ...], float] = {}
    pairs = sorted(product(first, second), key=lambda pair: -pair[0].score - pair[1].score)
    for before, after in pairs:
        two_spaces = before.labels[-1:] == after.labels[:1] == (space,)
        labels = before.labels + after.labels[two_spaces:]
        best.setdefault(labels, before.score + after.score)
    count = max(len(first), len(second))
    return tuple(ctc.ScoredLabels(*item) for item in list(best.items())[:count])
