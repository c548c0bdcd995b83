"""Word times: from the spikes of a CTC path to where each word begins and ends.

A CTC network emits each label for a frame or two somewhere inside its sound, and blanks elsewhere.
The spikes order the words; the level of the audio says where each word begins and ends.
benchmarks/alignment.py measures the error on recordings whose word times are known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asr import ctc
from asr.audio.features import DIGITAL_SILENCE_NATS
from asr.decoding.speech_detector import Run, longest_run

QUIET = 0.2
"""Frames are quiet below this share of the way from the low level to the high level."""
LOW_PERCENTILE, HIGH_PERCENTILE = 5, 99
"""Percentiles that stand for the low and the high level: a recording may have only one short
word."""
NEIGHBOURHOOD = 5.0
"""Seconds on either side of a gap that give the low and the high level, because the level changes
in a long recording."""
PAUSE = 0.08
"""Shortest pause, in seconds. A shorter dip may be the closure of a stop consonant."""
REACH = 0.4
"""Largest distance of a word's edge from its spikes, in seconds, in any noise."""


def frame_levels(levels: np.ndarray, stride: int) -> np.ndarray:
    """The mean level of each output frame: float [frames] → float64 [frames'].

    Args:
        levels: first cepstrum of each feature frame, the mean of the log mel spectrum, in nats.
        stride: feature frames in an output frame.
    """
    padded = np.pad(levels.astype(np.float64), (0, -len(levels) % stride), mode="edge")
    return padded.reshape(-1, stride).mean(axis=1)


def widen_spikes(
    path: ctc.Path, spans: list[tuple[int, int]], levels: np.ndarray, seconds_per_frame: float
) -> ctc.Path:
    """Widen the spikes of a path until each word reaches from its beginning to its end.

    A pause between two words belongs to neither. Without a pause, the words meet behind the
    quietest frame between them. Inside a word, neighbouring labels meet half-way between their
    spikes. Spaces fill the gaps between the words.

    Args:
        path: labels with the frames of their spikes.
        spans: labels of each word, (first, behind the last), by `Tokenizer.word_spans`.
        levels: level of each output frame, [frames], by `frame_levels`.
        seconds_per_frame: duration of an output frame.

    Returns:
        The same labels and scores with wider frames. A word has all of its own spikes and no spike
        of a neighbour.
    """
    if not spans:
        return path
    starts, ends = list(path.starts), list(path.ends)
    for first, last in spans:
        for k in range(first, last - 1):
            ends[k] = starts[k + 1] = (ends[k] + starts[k + 1]) // 2
    for i in range(len(spans) + 1):
        # The gap before word i, or behind the last word.
        first = spans[i - 1][1] if i > 0 else 0
        last = spans[i][0] if i < len(spans) else len(starts)
        left = path.ends[first - 1] if i > 0 else 0
        right = path.starts[last] if i < len(spans) else len(levels)
        between_words = 0 < i < len(spans)
        silence = _find_silence(Run(left, right), levels, seconds_per_frame, between_words)
        if i > 0:
            ends[first - 1] = silence.start
        if i < len(spans):
            starts[last] = silence.end
        # The first space of the gap gets all of its frames.
        start, end = (silence.start if i else 0), (silence.end if i < len(spans) else right)
        for k in range(first, last):
            starts[k], ends[k] = start, end
            start = end
    return replace(path, starts=tuple(starts), ends=tuple(ends))


def _find_silence(
    gap: Run, levels: np.ndarray, seconds_per_frame: float, between_words: bool
) -> Run:
    """Where, in the gap between two words' spikes, the first word ends and the second one begins.

    Args:
        gap: frames between the spikes.
        levels: level of each output frame.
        seconds_per_frame: duration of an output frame.
        between_words: False at the beginning and the end of the recording.
    """
    pause, reach = (max(1, round(seconds / seconds_per_frame)) for seconds in (PAUSE, REACH))
    quiet = _is_quiet(gap, levels, seconds_per_frame)
    if between_words and gap.length <= 2 * reach:
        start, end = longest_run(quiet)
        if end - start < pause and gap.length:
            # Sounds decay more slowly than they begin, so the second word begins right behind the
            # quietest frame.
            start = end = int(np.argmin(levels[gap.start : gap.end])) + 1
    else:
        # Each word ends or begins within its reach, whatever the rest of the gap has.
        after_first, before_second = quiet[:reach], quiet[max(0, gap.length - reach) :]
        run = longest_run(after_first)
        start = run.start if run.length else len(after_first)
        end = gap.length - len(before_second) + longest_run(before_second).end
    return Run(gap.start + min(start, reach), max(gap.start + end, gap.end - reach))


def _is_quiet(gap: Run, levels: np.ndarray, seconds_per_frame: float) -> np.ndarray:
    """The frames of a gap without speech: bool [gap.length]."""
    around = max(1, round(NEIGHBOURHOOD / seconds_per_frame))
    middle = (gap.start + gap.end) // 2
    # The middle of a long gap has no say, only the neighbourhood of the words.
    near = np.concatenate(
        [
            levels[max(0, gap.start - around) : min(gap.start + around, middle)],
            levels[max(middle, gap.end - around) : gap.end + around],
        ]
    )
    high = np.percentile(near, HIGH_PERCENTILE)
    low = np.percentile(near[near >= high - DIGITAL_SILENCE_NATS], LOW_PERCENTILE)
    return levels[gap.start : gap.end] < low + QUIET * (high - low)
