"""Speech detection by level."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asr.audio.features import DIGITAL_SILENCE_NATS

BACKGROUND_PERCENTILE, SPEECH_PERCENTILE = 10, 95
"""Percentiles of the frames' level that stand for the background and for speech."""
THRESHOLD = 0.3
"""Frames are speech above this share of the way from the background's level to speech's."""
MIN_LEVEL_RANGE = 2.0
"""Smallest difference between background and speech, in nats. A stretch with less is all background
or all speech."""


class Run(NamedTuple):
    """Frames of a mask that are true without a gap, from `start` up to but without `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Number of frames."""
        return self.end - self.start


def true_runs(mask: np.ndarray) -> list[Run]:
    """The runs of true values in a mask, bool [frames], in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))).tolist()
    return [Run(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def longest_run(mask: np.ndarray) -> Run:
    """The longest run of true values in a mask, bool [frames]; an empty one at 0 if there is none.

    The first one of equally long runs.
    """
    return max(true_runs(mask), key=lambda run: run.length, default=Run(0, 0))


def by_output_frame(mask: np.ndarray, stride: int) -> np.ndarray:
    """Whether a mask of feature frames is true in an output frame: bool [frames / stride, rounded
    up].

    Args:
        mask: bool [frames].
        stride: feature frames in an output frame.
    """
    size = -(-len(mask) // stride)
    padded = np.pad(mask, (0, size * stride - len(mask)))
    return np.logical_or.reduce(padded.reshape(size, stride), axis=1)


def widened(mask: np.ndarray, margin: int) -> np.ndarray:
    """A mask, bool [frames], that is also true up to `margin` frames beside its true ones."""
    # np.convolve(…, "same") has the length of the longer argument, which may be the kernel.
    return np.convolve(mask, np.ones(2 * margin + 1))[margin : margin + len(mask)] > 0


class Levels(NamedTuple):
    """Kinds of frames: bool [frames] each.

    Attributes:
        speech: the level is above the threshold.
        dead: the level is that of digital silence, below any recorded background.
    """

    speech: np.ndarray
    dead: np.ndarray


class SpeechDetector:
    """Detects speech by a threshold on the level that follows the background and the speaker.

    The level is the first cepstrum, the mean of the log mel energies. A hum in one mel band hides
    pauses in the log of the summed energy, but not in this mean.
    """

    def __init__(self) -> None:
        self.threshold = -np.inf

    def __call__(self, static: np.ndarray) -> Levels:
        """Detect speech in a stretch of some seconds.

        Args:
            static: static features, float32 [frames, coefficients].
        """
        level = static[:, 0]
        high = np.percentile(level, SPEECH_PERCENTILE)
        dead = level < high - DIGITAL_SILENCE_NATS
        low = np.percentile(level[~dead], BACKGROUND_PERCENTILE)
        # A stretch with one level only keeps the threshold of the stretch before it.
        if high - low >= MIN_LEVEL_RANGE:
            self.threshold = low + THRESHOLD * (high - low)
        elif np.ptp(level) == 0:
            dead[:] = True  # no recorded background has exactly one level
        return Levels((level > self.threshold) & ~dead, dead)


def speech_with_margin(levels: Levels, stride: int, margin: int) -> np.ndarray:
    """Output frames with speech, and the frames around them: bool [frames'].

    Args:
        levels: kinds of the feature frames.
        stride: feature frames in an output frame.
        margin: output frames on each side of speech, up to the next dead frame.
    """
    speech, dead = (by_output_frame(mask, stride) for mask in levels)
    near = widened(speech, margin)
    keep = near.copy()
    for start, end in true_runs(dead | ~near):
        if not near[start:end].all():  # dead frames within a word stay
            keep[start:end] = False
    return keep
