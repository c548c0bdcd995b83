"""Windows of a long recording: silence is left out, and long speech is cut with overlap.

Speech between two pauses is one window, like the utterances that the network was trained on. Longer
speech without a pause becomes windows that overlap; `asr.decoding.emission_joiner` joins them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asr.decoding.speech_detector import Run, SpeechDetector, speech_with_margin, true_runs


@dataclass(frozen=True)
class Windowing:
    """Where to cut a long recording. `benchmarks/longform.py` chose the defaults on dev sets.

    Attributes:
        longest: maximum length of a window, in seconds. A shorter recording is one window, with
            its silence. Default 20.
        pause: length of a pause that ends a window of at least `shortest` speech, in seconds.
            Default 0.4.
        shortest: speech before a pause of length `pause` may end a window, in seconds. Default 1.
        enough: speech before any pause may end a window, in seconds. Default 6.
        overlap: overlap of two windows that no pause separates, in seconds. Default 2.
        margin: silence kept on each side of speech, in seconds, so that no soft sound is lost.
            Default 0.1.
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

    Attributes:
        static: static features, float32 [frames, coefficients].
        numbers: number in the recording of each output frame, int [frames']. Numbers of silence
            are missing.
        overlap: output frames shared with the window before; 0 behind a pause.
        stretch: the static features that it was taken from, silence included.
        chosen: the output frames of `stretch` that the window has, int [frames'].
    """

    static: np.ndarray
    numbers: np.ndarray
    overlap: int
    stretch: np.ndarray
    chosen: np.ndarray


class Windower:
    """Cuts a recording into windows while its features arrive.

    Args:
        windowing: where to cut.
        frames_per_second: rate of the static features.
        stride: feature frames in an output frame. Windows begin at whole output frames.
    """

    def __init__(self, windowing: Windowing, frames_per_second: float, stride: int) -> None:
        def output_frames(seconds: float) -> int:
            return max(1, round(seconds * (frames_per_second / stride)))

        self.stride = stride
        self.detector = SpeechDetector()
        self.longest = output_frames(windowing.longest)
        self.pause = output_frames(windowing.pause)
        self.shortest = output_frames(windowing.shortest)
        self.enough = output_frames(windowing.enough)
        self.overlap = output_frames(windowing.overlap)
        self.margin = output_frames(windowing.margin)
        self._start = 0
        self._static: np.ndarray | None = None
        self._repeated = 0

    def feed(self, static: np.ndarray) -> list[Window]:
        """Take the next static features, [frames, coefficients], and return complete windows."""
        waiting = [] if self._static is None else [self._static]
        self._static = np.concatenate([*waiting, static])
        windows: list[Window] = []
        while len(self._static) > self.longest * self.stride:
            windows += self._next(self._static, final=False)
        return windows

    def finish(self) -> list[Window]:
        """The last windows, when all features have been fed."""
        if self._static is None:
            return []
        if self._start == 0:
            whole = np.arange(-(-len(self._static) // self.stride))
            return [self._take(self._static, whole, overlap=0)]
        windows: list[Window] = []
        while len(self._static):
            windows += self._next(self._static, final=True)
        return windows

    def _next(self, static: np.ndarray, final: bool) -> list[Window]:
        """Remove a window or silence from the front of the features that are waiting.

        Args:
            static: the features that are waiting.
            final: whether the recording ends with them.

        Returns:
            The window; nothing for silence.
        """
        waiting = -(-len(static) // self.stride)
        size = min(self.longest, waiting)
        levels = self.detector(static[: size * self.stride])
        keep = speech_with_margin(levels, self.stride, self.margin)
        keep[: self._repeated] = True
        # Frames at the end of the stretch may be the margin of speech behind it.
        known = size if final and size == waiting else size - self.margin
        pauses = true_runs(~keep[:known])
        if pauses and pauses[0].start == 0:
            self._drop(static, pauses[0].end)
            return []
        if pauses:
            pause = self._choose(pauses, keep)
            window = self._take(static, np.flatnonzero(keep[: pause.start]), self._repeated)
            self._drop(static, pause.end)
        elif known == waiting:
            window = self._take(static, np.arange(known), self._repeated)
            self._drop(static, known)
        else:
            window = self._take(static, np.arange(known), self._repeated)
            self._drop(static, known - self.overlap)
            self._repeated = self.overlap
        return [window]

    def _choose(self, pauses: list[Run], keep: np.ndarray) -> Run:
        """The pause that ends a window: the first good one, or the last one."""
        for pause in pauses:
            speech = keep[: pause.start].sum()
            is_long = pause.length >= self.pause - 2 * self.margin
            if speech >= self.enough or (is_long and speech >= self.shortest):
                return pause
        return pauses[-1]

    def _take(self, static: np.ndarray, chosen: np.ndarray, overlap: int) -> Window:
        """A window of the output frames `chosen`."""
        frames = (chosen[:, None] * self.stride + np.arange(self.stride)).ravel()
        # The last output frame of a recording may have fewer feature frames than the others.
        frames = frames[frames < len(static)]
        return Window(static[frames], self._start + chosen, overlap, static, chosen)

    def _drop(self, static: np.ndarray, count: int) -> None:
        """Forget the first `count` output frames."""
        self._static = static[count * self.stride :]
        self._start += count
        self._repeated = 0
