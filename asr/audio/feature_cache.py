"""Static cepstra of recordings kept on disk: a training reads each recording once, the next ones
only what became of it."""

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

LATER = ("deltas", "delta_width", "normalise")
"""Keys of a `FeatureConfig` that are about what is made of static cepstra."""


class FeatureCache:
    """A folder of .npy files, each named by what it was made from: the bytes of the recording and
    the configuration. So nothing in it can be out of date, two trainings may share it, and it may
    be deleted at any time.

    Without a folder, or where nothing can be written, every recording is read anew.
    """

    def __init__(self, folder: Path | None, config: FeatureConfig) -> None:
        self.folder, self.config = folder, config
        values = {k: v for k, v in to_dict(config).items() if k not in LATER}
        self._salt = json.dumps(values, sort_keys=True).encode()

    def static(self, path: Path) -> np.ndarray:
        """Static cepstra of a recording: float32 [frames, coefficients].

        Raises:
            AudioError: it cannot be read, or is shorter than a frame.
        """
        if self.folder is None:
            return self._made(path)
        try:
            digest = hashlib.sha256(self._salt + path.read_bytes()).hexdigest()
        except OSError:
            return self._made(path)  # or rather what is wrong with it
        file = self.folder / digest[:2] / f"{digest}.npy"
        try:
            return np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            static = self._made(path)
        with suppress(OSError), atomic_write(file, binary=True) as writing:
            np.save(writing, static)
        return static

    def _made(self, path: Path) -> np.ndarray:
        return mfcc(read_audio(path, self.config.sample_rate), self.config, str(path))
