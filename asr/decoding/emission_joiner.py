"""`EmissionJoiner`: joins the emissions of a recording's windows, cut outside of words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from asr.decoding.windowing import Window
from asr.networks.head_layout import HeadLayout
from asr.text.tokenizers import BLANK

CLEARANCE = 3
"""Distance of a cut from the nearest label, in output frames, above which more is no better."""


class Emissions(NamedTuple):
    """Logits [frames', labels], and the number in the recording of each of their frames."""

    logits: np.ndarray
    numbers: np.ndarray


class EmissionJoiner(ABC):
    """Joins the emissions of one recording's windows, and passes each part between two cuts on.

    Two windows that overlap are cut in their overlap, where neither is inside a word.

    Args:
        space: label of the space, behind which a cut is best; None for none.
        layout: heads of the logits. The tokenizer's labels decide where to cut.

    Attributes:
        windows: windows whose emissions have been joined.
    """

    def __init__(self, space: int | None, layout: HeadLayout) -> None:
        self.space, self.layout = space, layout
        self.windows = 0
        self._early: dict[int, tuple[Window, np.ndarray]] = {}
        self._last: Emissions | None = None

    @abstractmethod
    def _add_part(self, part: Emissions) -> None:
        """Take the emissions between two cuts."""

    @abstractmethod
    def _add_pause(self, end: int) -> None:
        """Take the pause behind the last part; `end` is the first output frame behind it."""

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

    def _add_last_part(self) -> None:
        """Pass the emissions behind the last cut on, when all windows have been added."""
        if self._last is not None:
            self._add_part(self._last)
            self._last = None

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
            self._add_part(Emissions(before.logits[:keep], before.numbers[:keep]))
            logits, numbers = logits[cut:], numbers[cut:]
            if not overlap:
                self._add_pause(int(numbers[0]))
        self._last = Emissions(logits, numbers)


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
