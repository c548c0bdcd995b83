"""Recordings of any length: silence left out, windows the network sees at once, one path again.

What a pause separates is decoded by itself, like the utterances that the network was trained on,
normalised together with what was heard before. Speech that goes on without one is cut into windows
that overlap, and each pair is joined inside the overlap where neither is in the middle of a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from asr import ctc
from asr.audio.features import (
    DIGITAL_SILENCE_NATS,
    FeatureConfig,
    RecentMoments,
    differentiate,
    normalise,
)
from asr.text.tokenizers import BLANK

LEVELS = (10, 95)
"""Percentiles of the frames' level that stand for the background and for speech."""
THRESHOLD = 0.3
"""Share of the way from background to speech above which a frame is speech."""
MIN_RANGE = 2.0
"""Nats between background and speech; with less, a stretch is all the one or all the other."""
CLEAR = 3
"""Output frames from a label at which a seam is as good as farther away."""
Decode = Callable[[np.ndarray], ctc.Path]


@dataclass(frozen=True)
class Windowing:
    """How a long recording is cut; in seconds. `benchmarks/longform.py` chose the values, on dev.

    longest: a window at most. A recording that is no longer is one window, as it is.
    pause: so much without speech ends a window of at least `shortest` speech.
    enough: behind so much speech any pause does.
    overlap: of two windows where there is no pause.
    margin: silence that is kept on each side of speech, so that no soft sound is lost; a pause is
        what is left of a longer one, and is left out.
    """

    longest: float = 20.0
    pause: float = 0.4
    shortest: float = 1.0
    enough: float = 6.0
    overlap: float = 2.0
    margin: float = 0.1


@dataclass(frozen=True)
class Window:
    """A part of a recording that the network sees at once.

    static: float32 [frames, coefficients]. numbers: int [frames'], the number in the recording of
    each output frame, for silence is left out. overlap: output frames that the window before has
    too; 0 behind a pause.
    """

    static: np.ndarray
    numbers: np.ndarray
    overlap: int


class SpeechDetector:
    """Speech or not by level, with a threshold that follows background and speaker.

    The level is the first cepstrum, the mean logarithm of the mel energies: unlike the logarithm of
    their sum, it does not let a hum in one band hide a pause in the others.
    """

    def __init__(self) -> None:
        self.threshold = -np.inf

    def __call__(self, static: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of [frames, coefficients] are speech, and which are dead: bool [frames] each.

        Some seconds are needed.
        """
        level = static[:, 0]
        high = np.percentile(level, LEVELS[1])
        dead = level < high - DIGITAL_SILENCE_NATS
        low = np.percentile(level[~dead], LEVELS[0])
        # A stretch of one level is judged by what came before it.
        if high - low >= MIN_RANGE:
            self.threshold = low + THRESHOLD * (high - low)
        elif np.ptp(level) == 0:
            dead[:] = True  # no background is that even
        return (level > self.threshold) & ~dead, dead


class Windower:
    """Static features block by block → windows, as soon as they are complete.

    Args:
        windowing: where to cut.
        frames_per_second: of the static features.
        stride: feature frames for an output frame; windows begin at whole ones.
    """

    def __init__(self, windowing: Windowing, frames_per_second: float, stride: int) -> None:
        self.stride = stride
        self.detector = SpeechDetector()
        rate = frames_per_second / stride  # all below are output frames
        self.longest, self.pause, self.shortest, self.enough, self.overlap, self.margin = (
            max(1, round(seconds * rate)) for seconds in astuple(windowing)
        )
        self._start = 0
        self._static: np.ndarray | None = None
        self._repeated = 0

    def feed(self, static: np.ndarray) -> list[Window]:
        """Take [frames, coefficients], any number of frames; the windows that they complete."""
        waiting = [] if self._static is None else [self._static]
        self._static = np.concatenate([*waiting, static])
        found: list[Window] = []
        while len(self._static) > self.longest * self.stride:
            found += self._next(final=False)
        return found

    def finish(self) -> list[Window]:
        """The windows of the rest."""
        found: list[Window] = []
        if self._start == 0 and self._static is not None:
            return [self._take(np.arange(-(-len(self._static) // self.stride)), 0)]
        while self._static is not None and len(self._static):
            found += self._next(final=True)
        return found

    def _next(self, final: bool) -> list[Window]:
        """Take a window, or silence, off the front of what is waiting."""
        assert self._static is not None
        waiting = -(-len(self._static) // self.stride)
        size = min(self.longest, waiting)
        keep = audible(self.detector(self._static[: size * self.stride]), self.stride, self.margin)
        keep[: self._repeated] = True
        # Speech that begins right behind `size` would have a margin, too.
        known = size if final and size == waiting else size - self.margin
        pauses = runs(~keep[:known])
        if pauses and pauses[0][0] == 0:
            self._drop(pauses[0][1])
            return []
        if pauses:
            begin, end = self._choose(pauses, keep)
            window = self._take(np.flatnonzero(keep[:begin]), self._repeated)
            self._drop(end)
        elif known == waiting:
            window = self._take(np.arange(known), self._repeated)
            self._drop(known)
        else:
            window = self._take(np.arange(known), self._repeated)
            self._drop(known - self.overlap)
            self._repeated = self.overlap
        return [window]

    def _choose(self, pauses: list[tuple[int, int]], keep: np.ndarray) -> tuple[int, int]:
        """The pause that ends a window."""
        for begin, end in pauses:
            speech = keep[:begin].sum()
            long = end - begin >= self.pause - 2 * self.margin
            if speech >= self.enough or (long and speech >= self.shortest):
                return begin, end
        return pauses[-1]

    def _take(self, chosen: np.ndarray, overlap: int) -> Window:
        assert self._static is not None
        # The last output frame of a recording may stand for fewer feature frames than the others.
        frames = (chosen[:, None] * self.stride + np.arange(self.stride)).ravel()
        frames = frames[frames < len(self._static)]
        return Window(self._static[frames], self._start + chosen, overlap)

    def _drop(self, count: int) -> None:
        assert self._static is not None
        self._static = self._static[count * self.stride :]
        self._start += count
        self._repeated = 0


class Joiner:
    """Emissions of one recording's windows → one path, numbered as the recording's output frames.

    Args:
        decode: logits [frames', labels] → path; called for what lies between two seams.
        space: the label between words, put where a pause was if neither side has it, or None.
        size: of the tokenizer's labels; logits beyond are for `decode` alone.
    """

    def __init__(self, decode: Decode, space: int | None, size: int) -> None:
        self.decode, self.space, self.size = decode, space, size
        self.frames = self.windows = 0
        self._early: dict[int, tuple[Window, np.ndarray]] = {}
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._tokens: tuple[list[Any], ...] = ([], [], [], [])
        self._others: ctc.Others = ()
        self._score = 0.0

    def add(self, number: int, window: Window, logits: np.ndarray) -> None:
        """Take the emissions of window `number`, counted from 0; in any order."""
        self._early[number] = (window, logits)
        while self.windows in self._early:
            self._append(*self._early.pop(self.windows))
            self.windows += 1

    def finish(self) -> ctc.Path:
        """The path of all windows; there is none to come."""
        if self._last is not None:
            self._decode(*self._last)
            self._last = None
        labels, starts, ends, scores = map(tuple, self._tokens)
        return ctc.Path(labels, starts, ends, scores, self._score, self._others)

    def _append(self, window: Window, logits: np.ndarray) -> None:
        numbers, overlap = window.numbers, window.overlap
        if self._last is not None:
            before, numbers_before = self._last
            shared = before[len(before) - overlap :, : self.size]
            cut = seam(shared, logits[:overlap, : self.size], self.space)
            keep = len(before) - overlap + cut
            self._decode(before[:keep], numbers_before[:keep])
            logits, numbers = logits[cut:], numbers[cut:]
            if not overlap and self.space is not None:
                self._separate(self.space, int(numbers[0]))
        self._last = (logits, numbers)

    def _decode(self, logits: np.ndarray, numbers: np.ndarray) -> None:
        path = self.decode(logits)
        starts = [int(numbers[i]) for i in path.starts]
        ends = [int(numbers[i - 1]) + 1 for i in path.ends]
        self._score += path.score
        self._others = combined(self._others, path.others, self.space)
        self.frames += len(logits)
        for i, token in enumerate(zip(path.labels, starts, ends, path.scores, strict=True)):
            if i > 0 or not self._merged(*token):
                for values, value in zip(self._tokens, token, strict=True):
                    values.append(value)

    def _merged(self, label: int, start: int, end: int, score: float) -> bool:
        """Whether a label behind a seam is the last one going on, or a second space."""
        labels, starts, ends, scores = self._tokens
        if not labels or label != labels[-1]:
            return False
        if start == ends[-1]:
            # One label over two frames, however a seam shared them out, is one.
            old, new = start - starts[-1], end - start
            scores[-1] = (scores[-1] * old + score * new) / (old + new)
            ends[-1] = end
            return True
        return label == self.space

    def _separate(self, space: int, end: int) -> None:
        """A pause is the space between two words, whether the network saw one or not."""
        labels, _, ends, _ = self._tokens
        self._others = tuple(
            ((*said, space) if said[-1:] not in ((), (space,)) else said, score)
            for said, score in self._others
        )
        if labels and labels[-1] != space:
            for values, value in zip(self._tokens, (space, ends[-1], end, 0.0), strict=True):
                values.append(value)


class Recording:
    """One recording on its way: features in, windows out, their emissions back to `joiner`.

    Attributes:
        channel: the one that is used; None for a mix of all.
        samples: fed so far.
        levels: first cepstrum of every feature frame, float32 [frames].
        done: all windows are known and their emissions have come.
    """

    def __init__(
        self, index: int, windower: Windower, joiner: Joiner, config: FeatureConfig,
        channel: int | None = None,
    ) -> None:  # fmt: skip
        self.index, self.windower, self.joiner, self.channel = index, windower, joiner, channel
        self._config, self._memory = config, RecentMoments(config)
        self.samples = 0
        self._levels: list[np.ndarray] = []
        self._given = self._covered = 0
        self._complete = False

    def feed(self, static: np.ndarray, samples: int) -> list[Pending]:
        """Take static features and the number of samples that they came from."""
        self.samples += samples
        self._levels.append(static[:, 0].copy())
        return self._number(self.windower.feed(static))

    def finish(self) -> list[Pending]:
        """The last windows."""
        self._complete = True
        return self._number(self.windower.finish())

    @property
    def levels(self) -> np.ndarray:
        return np.concatenate(self._levels)

    @property
    def done(self) -> bool:
        return self._complete and self.joiner.windows == self._given

    def _number(self, windows: list[Window]) -> list[Pending]:
        pending = []
        for window in windows:
            covered = int(window.numbers[-1]) + 1
            features = differentiate(window.static, self._config)
            known, new = self._memory.moments, covered - self._covered
            self._memory.add(features)
            features = normalise(features, self._config, known)
            pending.append(Pending(self, self._given, window, features, new))
            self._given, self._covered = self._given + 1, covered
        return pending


def combined(first: ctc.Others, second: ctc.Others, space: int | None) -> ctc.Others:
    """What two parts may say together, as many as each has: they were decoded each by itself, so
    scores add up."""
    if not (first and second):
        return first or second
    best: dict[tuple[int, ...], float] = {}
    for (said, a), (rest, b) in sorted(product(first, second), key=lambda p: -p[0][1] - p[1][1]):
        best.setdefault(said + rest[said[-1:] == rest[:1] == (space,) :], a + b)
    return tuple(best.items())[: max(len(first), len(second))]


class Pending(NamedTuple):
    """A window that waits for the network, which reads its `features` (normalised, float32 [frames,
    dimension]); `new` output frames are behind the one before it."""

    recording: Recording
    number: int
    window: Window
    features: np.ndarray
    new: int


def batches(windows: Iterable[Pending], limit: float) -> Iterator[list[Pending]]:
    """Windows of like length together, none padded to more than `limit` feature frames in all."""
    batch: list[Pending] = []
    for item in sorted(windows, key=lambda item: len(item.window.static)):
        if batch and len(item.window.static) * (len(batch) + 1) > limit:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def seam(before: np.ndarray, after: np.ndarray, space: int | None) -> int:
    """Where to go over from one window's emissions to the next one's, in frames of their overlap.

    Both are float [overlap, labels] of the same frames. The best seam lies behind a space that both
    have seen, then as far from every label as is clear, then in the middle.
    """
    frames = len(before)
    best = np.stack([before.argmax(axis=1), after.argmax(axis=1)])
    if not frames:
        return 0
    # Of each seam 0…frames: the distance to the nearest label on either side, in either window.
    labelled = np.flatnonzero((best != BLANK).any(axis=0))
    seams = np.arange(frames + 1)
    distance = np.full(frames + 1, CLEAR)
    for frame in labelled:
        distance = np.minimum(distance, np.where(seams > frame, seams - 1 - frame, frame - seams))
    # And whether the last label of both windows before it is a space.
    behind = np.zeros([2, frames + 1], bool)
    for row, labels in zip(behind, best, strict=True):
        for i, label in enumerate(labels):
            row[i + 1] = row[i] if label == BLANK else label == space
    ranks = zip(behind[0] & behind[1], distance, -np.abs(2 * seams - frames), seams, strict=True)
    return int(max(ranks)[-1])


def audible(detected: tuple[np.ndarray, np.ndarray], stride: int, margin: int) -> np.ndarray:
    """Which output frames are speech or near it: bool [frames'].

    Args:
        detected: speech and dead, bool [frames] each, as of `SpeechDetector`.
        stride: feature frames for an output frame.
        margin: output frames on each side of speech, as far as they are not dead.
    """
    size = -(-len(detected[0]) // stride)
    speech, dead = (
        np.pad(mask, (0, size * stride - len(mask)), mode="edge").reshape(size, stride).any(axis=1)
        for mask in detected
    )
    # Not np.convolve(…, "same"), which gives as many as its longer argument has.
    near = np.convolve(speech, np.ones(2 * margin + 1))[margin : margin + size] > 0
    keep = near.copy()
    for begin, end in runs(dead | ~near):
        if not near[begin:end].all():  # a pause, not what is dead within a word
            keep[begin:end] = False
    return keep


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Where bool [n] is true: starts and ends, exclusive, of each run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
