"""Viterbi forced alignment of a known text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asr.ctc.best_path import Path, frames_needed
from asr.errors import TextError
from asr.text.tokenizers import BLANK

KEPT_STEPS = 1 << 24
"""Steps (frames × states, a byte each) that the backward pass of one part may keep."""


def align(log_probabilities: np.ndarray, labels: Sequence[int]) -> Path:
    """Find the most probable path that collapses to `labels`, by the Viterbi algorithm.

    Time grows with frames × labels, memory with frames + labels: a long recording is divided at the
    state in which the best path passes its middle frame, and both halves are aligned on their own
    (Hirschberg, 1975).

    Args:
        log_probabilities: float [frames, labels], in nats.
        labels: the labels to align, without blanks.

    Raises:
        TextError: there are fewer frames than `frames_needed(labels)`.

    >>> log_probabilities = np.log([[0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    >>> path = align(log_probabilities, [1, 2])
    >>> path.starts, path.ends
    ((0, 2), (2, 3))
    """
    frames, needed = len(log_probabilities), frames_needed(labels)
    if frames < needed:
        raise TextError(f"{len(labels)} labels need {needed} frames, the audio has {frames}")
    ids = np.array(labels, int)
    path = np.empty(frames, int)
    # The path is in the first blank before the first frame, and in the last blank after the last.
    _fill(path, log_probabilities, ids, 0, 2 * len(ids))
    symbols = np.full(2 * len(ids) + 1, BLANK)
    symbols[1::2] = ids
    total = sum(map(float, log_probabilities[np.arange(frames), symbols[path]]))
    # The path never goes back to a state, so the frames of a label are one run.
    states = 2 * np.arange(len(ids)) + 1
    starts, ends = np.searchsorted(path, states), np.searchsorted(path, states, side="right")
    scores = [
        float(log_probabilities[a:b, label].mean(dtype=np.float64))
        for label, a, b in zip(labels, starts, ends, strict=True)
    ]
    return Path(tuple(labels), tuple(starts.tolist()), tuple(ends.tolist()), tuple(scores), total)


def _fill(path: np.ndarray, frames: np.ndarray, ids: np.ndarray, first: int, last: int) -> None:
    """Write the states of the best path into `path`.

    The states of a text are blank, label, blank, …, from 0.

    Args:
        path: takes the state of each frame, int [frames].
        frames: log-probabilities, [frames, labels].
        ids: labels of the whole text.
        first: state of the frame before.
        last: state of the frame behind.
    """
    start, end = first // 2, (last + 1) // 2
    part, states = ids[start:end], 2 * (end - start) + 1
    first, last = first - 2 * start, last - 2 * start
    if len(frames) < 3 or len(frames) * states <= KEPT_STEPS:
        path[:] = _backtrack(frames, part, first, last) + 2 * start
        return
    middle = len(frames) // 2
    before = _Scores(part, first)
    for frame in frames[: middle + 1]:
        before.advance(frame)
    # Backwards in time, the states are the same in the opposite order.
    behind = _Scores(part[::-1], states - 1 - last)
    for frame in frames[:middle:-1]:
        behind.advance(frame)
    behind.advance(np.zeros_like(frames[0]))  # the frame in the middle is in `before`
    state = int(np.argmax(before.interleaved() + behind.interleaved()[::-1]))
    path[middle] = 2 * start + state
    _fill(path[:middle], frames[:middle], part, first, state)
    path[:middle] += 2 * start
    _fill(path[middle + 1 :], frames[middle + 1 :], part, state, last)
    path[middle + 1 :] += 2 * start


def _backtrack(frames: np.ndarray, ids: np.ndarray, first: int, last: int) -> np.ndarray:
    """The states of the best path, int [frames]; arguments as for `_fill`."""
    steps = np.zeros([len(frames) + 1, 2 * len(ids) + 1], np.int8)
    scores = _Scores(ids, first)
    for row, frame in zip(steps, frames, strict=False):
        scores.advance(frame, row)
    scores.advance(np.zeros(frames.shape[1]), steps[-1])
    path = np.empty(len(frames), int)
    state = last
    for i in range(len(frames), 0, -1):
        state -= int(steps[i, state])
        path[i - 1] = state
    return path


class _Scores:
    """Best scores of all states after some frames, in nats.

    Args:
        ids: labels of the text.
        state: the only state at the beginning.
    """

    def __init__(self, ids: np.ndarray, state: int) -> None:
        self.ids = ids
        self.blank, self.label = np.full(len(ids) + 1, -np.inf), np.full(len(ids), -np.inf)
        (self.label if state % 2 else self.blank)[state // 2] = 0.0
        # A label may follow another label without a blank between them, unless they are equal.
        self.skip = np.where(ids[1:] != ids[:-1], 0.0, -np.inf)

    def advance(self, frame: np.ndarray, steps: np.ndarray | None = None) -> None:
        """Take one more frame.

        Args:
            frame: its log-probabilities, [labels].
            steps: takes by how many states the best path to each state has moved: 0, 1 or 2.
        """
        blank, label = self.blank, self.label
        skipped = label[:-1] + self.skip
        after_blank = np.maximum(label, blank[:-1])
        if steps is not None:
            steps[2::2] = label > blank[1:]
            steps[1::2] = blank[:-1] > label
            steps[3::2][skipped > after_blank[1:]] = 2
        silence = float(frame[BLANK])
        self.blank = blank + silence
        np.maximum(self.blank[1:], label + silence, out=self.blank[1:])
        np.maximum(after_blank[1:], skipped, out=after_blank[1:])
        self.label = after_blank + frame[self.ids]

    def interleaved(self) -> np.ndarray:
        """The scores in the order of the states, float64 [states]."""
        scores = np.empty(len(self.blank) + len(self.label))
        scores[::2], scores[1::2] = self.blank, self.label
        return scores
