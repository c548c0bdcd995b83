"""Viterbi forced alignment of a known text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from asr.ctc.best_path import Path, frames_needed
from asr.errors import TextError
from asr.text.tokenizers import BLANK


def align(log_probabilities: np.ndarray, labels: Sequence[int]) -> Path:
    """Viterbi forced alignment: the likeliest path [frames] that collapses to `labels`.

    Time grows with frames × labels. Memory grows with √frames × labels: scores are kept every
    √frames frames, and what lies between is computed again on the way back (checkpoints, as in
    Tarnas & Hughey, 1998).

    Raises:
        TextError: fewer frames than `frames_needed(labels)`.
    """
    frames, needed = len(log_probabilities), frames_needed(labels)
    if frames < needed:
        raise TextError(f"{len(labels)} labels need {needed} frames, the audio has {frames}")
    ids = np.array(labels, int)
    # A label may follow another one without a blank between, unless they are equal.
    skip = np.where(ids[1:] != ids[:-1], 0.0, -np.inf)

    def advance(
        blank: np.ndarray, label: np.ndarray, frame: np.ndarray, came: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Best scores one frame on, of the blanks [labels + 1] around and of the labels.

        `came`, if asked for, gets how many states back each was; states are blank, label, blank, …
        """
        skipped = label[:-1] + skip
        after_blank = np.maximum(label, blank[:-1])
        if came is not None:
            came[2::2] = label > blank[1:]
            came[1::2] = blank[:-1] > label
            came[3::2][skipped > after_blank[1:]] = 2
        blank = blank + frame[BLANK]
        np.maximum(blank[1:], label + frame[BLANK], out=blank[1:])
        np.maximum(after_blank[1:], skipped, out=after_blank[1:])
        return blank, after_blank + frame[ids]

    block = max(1, math.isqrt(frames))
    came = np.zeros([block, 2 * len(ids) + 1], np.int8)
    # Before the first frame is the first blank: from it, itself and the first label are one step.
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
            score = advance(*score, frame, came[i])
        for i in range(len(ahead) - 1, -1, -1):
            path[first + i] = state
            state -= int(came[i, state])
    # A state is passed once: its frames are a run, found where the path first and last has it.
    wanted = 2 * np.arange(len(ids)) + 1
    starts, ends = np.searchsorted(path, wanted), np.searchsorted(path, wanted, side="right")
    scores = [
        float(log_probabilities[a:b, label].mean())
        for label, a, b in zip(labels, starts, ends, strict=True)
    ]
    return Path(tuple(labels), tuple(starts.tolist()), tuple(ends.tolist()), tuple(scores), total)
