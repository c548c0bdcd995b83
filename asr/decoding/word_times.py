"""Times of words: from the spikes of a CTC path to where each word begins and ends.

A CTC network shows a label for a frame or two somewhere inside its sound, and the blank around it.
Spikes therefore say which word is where, and the energy says where it begins and ends.
benchmarks/alignment.py measures the error on recordings whose word times are known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asr import ctc
from asr.audio.features import DIGITAL_SILENCE_NATS

QUIET = 0.2
"""Of the way from low to high energy: below is no speech."""
LOW, HIGH = 5, 99
"""Percentiles that stand for low and high: a recording may hold one short word."""
AROUND = 5.0
"""Seconds on either side that these are taken from: the level changes in a long recording."""
PAUSE = 0.08
"""Seconds; a shorter dip between two words may be a stop consonant's closure."""
REACH = 0.4
"""Seconds; a word goes on no further from its spikes, whatever noise is around it."""


def energy(loudness: np.ndarray, stride: int) -> np.ndarray:
    """The mean of each frame of logits: float [frames] → float64 [frames'].

    Args:
        loudness: the first cepstrum, which is the mean of the log mel spectrum (nats).
        stride: frames of features in one of logits.
    """
    padded = np.pad(loudness.astype(np.float64), (0, -len(loudness) % stride), mode="edge")
    return padded.reshape(-1, stride).mean(axis=1)


def settle(
    path: ctc.Path, spans: list[tuple[int, int]], energy: np.ndarray, seconds_per_frame: float
) -> ctc.Path:
    """Widen the spikes of `path` until each word reaches from its beginning to its end.

    Between two words a pause belongs to neither; without one they meet behind the quietest frame.
    Inside a word, neighbouring labels meet in the middle between their spikes. Labels that are in
    no word (spaces) fill what is between the words.

    Args:
        spans: labels [first, behind the last) of each word, as `Tokenizer.word_spans` gives them.
        energy: [frames], as `energy` gives it for the frames that `path` counts.

    Returns:
        The same labels and scores; a word's frames hold all its spikes, and none of a neighbour's.
    """
    if not spans:
        return path
    pause, reach, around = (
        max(1, round(seconds / seconds_per_frame)) for seconds in (PAUSE, REACH, AROUND)
    )
    starts, ends = list(path.starts), list(path.ends)
    for first, last in spans:
        for k in range(first, last - 1):
            ends[k] = starts[k + 1] = (ends[k] + starts[k + 1]) // 2
    # Labels and frames before the first word, between each two, and behind the last.
    labels = [0, *(edge for span in spans for edge in span), len(starts)]
    frames = [0, *(f for a, b in spans for f in (path.starts[a], path.ends[b - 1])), len(energy)]
    for i in range(len(spans) + 1):
        left, right = frames[2 * i : 2 * i + 2]
        length, middle = right - left, (left + right) // 2
        # What is heard near the words, however long nothing is said between them.
        near = np.concatenate([energy[max(0, left - around) : min(left + around, middle)],
                               energy[max(middle, right - around) : right + around]])  # fmt: skip
        high = np.percentile(near, HIGH)
        low = np.percentile(near[near >= high - DIGITAL_SILENCE_NATS], LOW)
        quiet = energy[left:right] < low + QUIET * (high - low)
        if 0 < i < len(spans) and length <= 2 * reach:
            begin, end = _longest_run(quiet)
            if end - begin < pause and length:
                # Decay is slower than onset: what follows the quietest frame is the next word's.
                begin = end = int(np.argmin(energy[left:right])) + 1
        else:  # far apart, or with a word on one side only: what is beyond reach says nothing
            ahead, behind = quiet[:reach], quiet[max(0, length - reach) :]
            begin, found = _longest_run(ahead)
            begin = begin if found else len(ahead)
            end = length - len(behind) + _longest_run(behind)[1]
        begin, end = left + min(begin, reach), max(left + end, right - reach)
        if i > 0:
            ends[labels[2 * i] - 1] = begin
        if i < len(spans):
            starts[labels[2 * i + 1]] = end
        between = (begin if i else 0), (end if i < len(spans) else right)
        for k in range(*labels[2 * i : 2 * i + 2]):  # the first space takes what words have left
            starts[k], ends[k] = between
            between = between[1], between[1]
    return replace(path, starts=tuple(starts), ends=tuple(ends))


def _longest_run(mask: np.ndarray) -> tuple[int, int]:
    """Begin and end of the longest run of true values; 0, 0 where there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    return max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
