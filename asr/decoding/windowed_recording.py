"""`WindowedRecording`: a recording on its way through the network, window by window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from asr.audio.features import FeatureConfig, RecentMoments, differentiate, normalise
from asr.decoding.emission_joiner import EmissionJoiner
from asr.decoding.windowing import Window, Windower

J = TypeVar("J", bound=EmissionJoiner)


class WindowedRecording(Generic[J]):
    """One recording: features go in, windows come out, and their emissions go to `joiner`.

    Each window is normalised together with the speech before it.

    Args:
        index: the recording's place in the input.
        windower: cuts the recording.
        joiner: takes the emissions of the windows.
        config: the recogniser's features.
        channel: the channel that is transcribed, from 0; None for a mix of all.

    Attributes:
        samples: number of samples so far.
        warnings: what is wrong with the recording.
    """

    def __init__(
        self,
        index: int,
        windower: Windower,
        joiner: J,
        config: FeatureConfig,
        channel: int | None = None,
    ) -> None:
        self.index, self.windower, self.joiner, self.channel = index, windower, joiner, channel
        self.samples = 0
        self.warnings: list[str] = []
        self._config, self._recent = config, RecentMoments(config)
        self._levels: list[np.ndarray] = []
        self._windows = 0
        self._frames = 0
        self._complete = False

    def feed(self, static: np.ndarray, samples: int) -> list[PendingWindow]:
        """Take the next features and return the windows that are complete.

        Args:
            static: static features, float32 [frames, coefficients].
            samples: number of samples that the features were computed from.
        """
        self.samples += samples
        self._levels.append(static[:, 0].copy())
        return self._prepare(self.windower.feed(static))

    def finish(self) -> list[PendingWindow]:
        """The last windows, when all features have been fed."""
        self._complete = True
        return self._prepare(self.windower.finish())

    @property
    def levels(self) -> np.ndarray:
        """First cepstrum of every feature frame so far, float32 [frames]."""
        return np.concatenate(self._levels)

    @property
    def done(self) -> bool:
        """Whether all windows are known and `joiner` has the emissions of all."""
        return self._complete and self.joiner.windows == self._windows

    def _prepare(self, windows: list[Window]) -> list[PendingWindow]:
        pending = []
        for window in windows:
            frames = int(window.numbers[-1]) + 1
            features = differentiate(window.static, self._config)
            before = self._recent.moments
            self._recent.add(features)
            features = normalise(features, self._config, before)
            pending.append(
                PendingWindow(self, self._windows, window, features, frames - self._frames)
            )
            self._windows, self._frames = self._windows + 1, frames
        return pending


class PendingWindow(NamedTuple):
    """A window that waits for the network.

    Attributes:
        recording: the recording that it belongs to.
        number: the window's number in the recording, from 0.
        window: the window.
        features: the network's input, normalised, float32 [frames, dimension].
        progress: output frames from the end of the window before to the end of this one.
    """

    recording: WindowedRecording[Any]
    number: int
    window: Window
    features: np.ndarray
    progress: int


def batch_by_length(
    windows: Iterable[PendingWindow], max_frames: float
) -> Iterator[list[PendingWindow]]:
    """Group windows of similar length into batches.

    Args:
        windows: windows of one recording or of several.
        max_frames: feature frames in a batch at most, padding included. A longer window is a batch
            by itself.
    """
    batch: list[PendingWindow] = []
    for pending in sorted(windows, key=lambda pending: len(pending.window.static)):
        if batch and len(pending.window.static) * (len(batch) + 1) > max_frames:
            yield batch
            batch = []
        batch.append(pending)
    if batch:
        yield batch
