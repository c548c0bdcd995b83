"""Viterbi forced alignment of a known text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from asr.ctc.best_path import Path, frames_needed
from asr.errors import TextError
from asr.text.tokenizers import BLANK


def align(log_probabilities: np.ndarray, labels: Sequence[int]) -> Path:
    """Find the most probable path that collapses to `labels`, by the Viterbi algorithm.

    Time grows with frames × labels, memory with √frames × labels: the forward pass keeps the scores
    of every √frames-th frame, and the backward pass computes those between again (checkpoints, as
    in Tarnas & Hughey, 1998).

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
    # A label may follow another label without a blank between them, unless they are equal.
    skip = np.where(ids[1:] != ids[:-1], 0.0, -np.inf)

    def advance(
        blank: np.ndarray, label: np.ndarray, frame: np.ndarray, steps: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Best scores after one more frame, of the blanks [labels + 1] and of the labels [labels].

        The states are blank, label, blank, …. If `steps` is given, writes into it by how many
        states the best path to each state has moved: 0, 1 or 2.
        """
        skipped = label[:-1] + skip
        after_blank = np.maximum(label, blank[:-1])
        if steps is not None:
            steps[2::2] = label > blank[1:]
            steps[1::2] = blank[:-1] > label
            steps[3::2][skipped > after_blank[1:]] = 2
        blank = blank + frame[BLANK]
        np.maximum(blank[1:], label + frame[BLANK], out=blank[1:])
        np.maximum(after_blank[1:], skipped, out=after_blank[1:])
        return blank, after_blank + frame[ids]

    block = max(1, math.isqrt(frames))
    steps = np.zeros([block, 2 * len(ids) + 1], np.int8)
    # Start in the first blank: the first frame may stay in it or enter the first label.
    score = np.full(len(ids) + 1, -np.inf), np.full(len(ids), -np.inf)
    score[0][0] = 0.0
    kept = []
    for t, frame in enumerate(log_probabilities):
        if t % block == 0:
            kept.append(score)
        score = advance(*score, frame)
    state, total = 2 * len(ids), float(score[0][-1])
    if len(ids) and score[1][-1] > total:
        state, total = state - 1, float(score[1][-1])
    path = np.empty(frames, int)
    while kept:
        first, score = block * (len(kept) - 1), kept.pop()
        ahead = log_probabilities[first : first + block]
        for i, frame in enumerate(ahead):
            score = advance(*score, frame, steps[i])
        for i in range(len(ahead) - 1, -1, -1):
            path[first + i] = state
            state -= int(steps[i, state])
    # The path never goes back to a state, so the frames of a label are one run.
    states = 2 * np.arange(len(ids)) + 1
    starts, ends = np.searchsorted(path, states), np.searchsorted(path, states, side="right")
    scores = [
        float(log_probabilities[a:b, label].mean())
        for label, a, b in zip(labels, starts, ends, strict=True)
    ]
    return Path(tuple(labels), tuple(starts.tolist()), tuple(ends.tolist()), tuple(scores), total)
