"""Reading a model's weights: arrays by variable path, checked before and after."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np

from asr.errors import ModelError


class Weights:
    """The arrays of `weights.npz`; a network takes each of its own, by path and shape.

    Args:
        path: the file.
        sha256: its SHA-256 in model.json.

    Raises:
        ModelError: not readable or damaged.
    """

    def __init__(self, path: Path, sha256: str) -> None:
        self.path = path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
        # Before it is read: what NumPy makes of a damaged file is not only a ValueError.
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ModelError(
                f"{path}: its SHA-256 is not the one in model.json: damaged or replaced"
            )
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                self.left = {name: arrays[name] for name in arrays.files}
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"{path}: not a weights file: {error}") from None
        self._problems: list[str] = []

    def take(self, name: str, *shape: int) -> np.ndarray:
        """The array of a variable, float16 or float32; zeros where `finish` will complain."""
        found = self.left.pop(name, None)
        if found is None:
            self._problems.append(f"{name} is missing")
        elif found.shape != shape:
            self._problems.append(f"{name} has shape {found.shape}, model.json asks for {shape}")
        else:
            return found
        return np.zeros(shape, np.float32)

    def finish(self) -> None:
        """Everything was taken.

        Raises:
            ModelError: they are not the weights of the network that took them; says what differs.
        """
        problems = self._problems + [f"{name} is not part of the model" for name in self.left]
        if problems:
            raise ModelError(f"{self.path}: " + "; ".join(sorted(problems)))
