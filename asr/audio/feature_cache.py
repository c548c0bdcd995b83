"""A cache of static cepstra on disk, so that only the first training decodes the recordings."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asr.audio.features import FeatureConfig, mfcc
from asr.audio.segments import TOLERANCE, read_segment, segment_name
from asr.base.config import to_dict
from asr.base.files import atomic_write
from asr.base.units import Seconds

DYNAMIC_KEYS = ("deltas", "delta_width", "normalise")
"""Keys of a `FeatureConfig` that do not affect static cepstra."""


def static_settings(config: FeatureConfig) -> dict[str, Any]:
    """The keys and values of a configuration that static cepstra depend on."""
    return {k: v for k, v in to_dict(config).items() if k not in DYNAMIC_KEYS}


class Segment(NamedTuple):
    """The part of a recording that is read, as `segment_blocks` takes it."""

    offset: Seconds | None
    duration: Seconds
    channel: int | None


class FeatureCache:
    """A folder of .npy files with static cepstra.

    The name of a file is a hash of the recording's bytes and of the configuration, so a file is
    never out of date. Several trainings can share the folder, and it can be deleted at any time.

    Args:
        folder: the cache; created if needed. Without a folder (None), or if the folder cannot be
            written, every recording is decoded again.
        config: settings of the features.
    """

    def __init__(self, folder: Path | None, config: FeatureConfig) -> None:
        self.folder, self.config = folder, config
        self._salt = json.dumps(static_settings(config), sort_keys=True).encode()

    def static(
        self,
        path: Path,
        offset: Seconds | None = None,
        duration: Seconds = 0.0,
        channel: int | None = None,
    ) -> np.ndarray:
        """Static cepstra of a recording or a segment, from the cache if they are there.

        Args:
            path: the recording.
            offset: start of the segment; default: the start of the recording.
            duration: length of the segment, see `segment_blocks`; default: 0, all of it.
            channel: the channel to read, counted from 0; default: the mean of all channels.

        Returns:
            float32 [frames, coefficients].

        Raises:
            AudioError: the recording cannot be read, or is shorter than a frame.
        """
        segment = Segment(offset, duration, channel)
        if self.folder is None:
            return self._compute(path, segment)[0]
        try:
            content = self._salt + path.read_bytes()
        except OSError:
            return self._compute(path, segment)[0]  # raises an error that names the cause
        whole = self._file(content)
        part = self._file(content + repr(segment).encode())
        if not offset and channel is None:
            found = _load(whole)
            if found is not None and self._is_whole(len(found), duration):
                return found
        if (found := _load(part)) is not None:
            return found
        static, seconds = self._compute(path, segment)
        # Only a whole recording may have the name of the file's bytes alone.
        cut = bool(offset) or (duration and seconds == duration) or channel is not None
        with suppress(OSError), atomic_write(part if cut else whole, binary=True) as stream:
            np.save(stream, static)
        return static

    def _file(self, content: bytes) -> Path:
        assert self.folder is not None
        digest = hashlib.sha256(content).hexdigest()
        return self.folder / digest[:2] / f"{digest}.npy"

    def _is_whole(self, frames: int, duration: Seconds) -> bool:
        """Whether a segment of this duration has all frames of the recording."""
        return not duration or frames / self.config.frames_per_second <= duration + TOLERANCE

    def _compute(self, path: Path, segment: Segment) -> tuple[np.ndarray, Seconds]:
        """Cepstra of a segment, and its length."""
        rate = self.config.sample_rate
        samples = read_segment(path, rate, segment.channel, segment.offset, segment.duration)
        name = segment_name(path, segment.offset, segment.duration)
        return mfcc(samples, self.config, name), len(samples) / rate


def _load(file: Path) -> np.ndarray | None:
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
