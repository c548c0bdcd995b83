"""`WindowJoiner`: the emissions of a recording's windows, joined and decoded into one path."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np

from asr import ctc
from asr.decoding.windowing import Window
from asr.networks.head_layout import HeadLayout
from asr.text.tokenizers import BLANK

CLEARANCE = 3
"""Distance of a cut from the nearest label, in output frames, above which more is no better."""
Decode = Callable[[np.ndarray], ctc.Path]


class _PathLabel(NamedTuple):
    """One label of the joined path, with its frames in the recording and its score."""

    label: int
    start: int
    end: int
    score: float


class _Emissions(NamedTuple):
    """Logits [frames', labels], and the number in the recording of each of their frames."""

    logits: np.ndarray
    numbers: np.ndarray


class WindowJoiner:
    """Joins the emissions of one recording's windows, cuts them at pauses, and decodes the parts.

    Two windows that overlap are cut in their overlap, where neither is inside a word.

    Args:
        decode: logits [frames', labels] → path; called once for each part between two cuts.
        space: label of the space, which is put between the words around a pause; None for none.
        layout: heads of the logits. The tokenizer's labels decide where to cut.

    Attributes:
        frames: output frames that have been decoded.
        windows: windows whose emissions have been joined.
    """

    def __init__(self, decode: Decode, space: int | None, layout: HeadLayout) -> None:
        self.decode, self.space, self.layout = decode, space, layout
        self.frames = self.windows = 0
        self._early: dict[int, tuple[Window, np.ndarray]] = {}
        self._last: _Emissions | None = None
        self._labels: list[_PathLabel] = []
        self._alternatives: ctc.Alternatives = ()
        self._score = 0.0

    def add(self, number: int, window: Window, logits: np.ndarray) -> None:
        """Add the emissions of a window. Windows may come in any order.

        Args:
            number: the window's number in the recording, from 0.
            window: the window.
            logits: its emissions, [frames', labels].
        """
        self._early[number] = (window, logits)
        while self.windows in self._early:
            self._append(*self._early.pop(self.windows))
            self.windows += 1

    def finish(self) -> ctc.Path:
        """The path of all windows, in output frames of the recording."""
        if self._last is not None:
            self._decode(self._last)
            self._last = None
        return ctc.Path(
            labels=tuple(item.label for item in self._labels),
            starts=tuple(item.start for item in self._labels),
            ends=tuple(item.end for item in self._labels),
            scores=tuple(item.score for item in self._labels),
            score=self._score,
            alternatives=self._alternatives,
        )

    def _append(self, window: Window, logits: np.ndarray) -> None:
        numbers, overlap = window.numbers, window.overlap
        if self._last is not None:
            before = self._last
            shared = len(before.logits) - overlap
            cut = find_cut(
                self.layout.split(before.logits[shared:]).labels,
                self.layout.split(logits[:overlap]).labels,
                self.space,
            )
            keep = shared + cut
            self._decode(_Emissions(before.logits[:keep], before.numbers[:keep]))
            logits, numbers = logits[cut:], numbers[cut:]
            if not overlap and self.space is not None:
                self._add_space(self.space, int(numbers[0]))
        self._last = _Emissions(logits, numbers)

    def _decode(self, emissions: _Emissions) -> None:
        path = self.decode(emissions.logits)
        numbers = emissions.numbers
        self._score += path.score
        self._alternatives = combine_alternatives(self._alternatives, path.alternatives, self.space)
        self.frames += len(emissions.logits)
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

    def _add_space(self, space: int, end: int) -> None:
        """Put a space where a pause was, unless there is one already.

        Args:
            space: the label.
            end: first output frame behind the pause.
        """
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


def find_cut(before: np.ndarray, after: np.ndarray, space: int | None) -> int:
    """Frame of an overlap at which to go over from one window to the next, 0…overlap.

    The best cut is behind a space in both windows; then far from any label; then near the middle.

    Args:
        before: emissions of the first window in the overlap, float [overlap, labels].
        after: emissions of the second window in the same frames, float [overlap, labels].
        space: label of the space; None for none.
    """
    frames = len(before)
    if not frames:
        return 0
    best = np.stack([before.argmax(axis=1), after.argmax(axis=1)])
    # Distance of each cut from the nearest label on either side, in either window.
    labelled = np.flatnonzero((best != BLANK).any(axis=0))
    cuts = np.arange(frames + 1)
    distance = np.full(frames + 1, CLEARANCE)
    for frame in labelled:
        distance = np.minimum(distance, np.where(cuts > frame, cuts - 1 - frame, frame - cuts))
    # Whether the last label before each cut is a space, in each window.
    behind_space = np.zeros([2, frames + 1], bool)
    for row, labels in zip(behind_space, best, strict=True):
        for i, label in enumerate(labels):
            row[i + 1] = row[i] if label == BLANK else label == space
    behind_both = behind_space[0] & behind_space[1]
    ranks = zip(behind_both, distance, -np.abs(2 * cuts - frames), cuts, strict=True)
    return int(max(ranks)[-1])
