"""A cache of static cepstra on disk, so that only the first training decodes the recordings."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import numpy as np

from asr.audio.features import FeatureConfig, mfcc
from asr.audio.reading import read_audio
from asr.base.config import to_dict
from asr.base.files import atomic_write

DYNAMIC_KEYS = ("deltas", "delta_width", "normalise")
"""Keys of a `FeatureConfig` that do not affect static cepstra."""


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
        values = {k: v for k, v in to_dict(config).items() if k not in DYNAMIC_KEYS}
        self._salt = json.dumps(values, sort_keys=True).encode()

    def static(self, path: Path) -> np.ndarray:
        """Static cepstra of a recording, from the cache if they are there.

        Args:
            path: the recording.

        Returns:
            float32 [frames, coefficients].

        Raises:
            AudioError: the recording cannot be read, or is shorter than a frame.
        """
        if self.folder is None:
            return self._compute(path)
        try:
            digest = hashlib.sha256(self._salt + path.read_bytes()).hexdigest()
        except OSError:
            return self._compute(path)  # raises an error that names the cause
        file = self.folder / digest[:2] / f"{digest}.npy"
        try:
            return np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            static = self._compute(path)
        with suppress(OSError), atomic_write(file, binary=True) as stream:
            np.save(stream, static)
        return static

    def _compute(self, path: Path) -> np.ndarray:
        return mfcc(read_audio(path, self.config.sample_rate), self.config, str(path))
