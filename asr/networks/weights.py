"""A model's weights: arrays by variable path, without pickle, checked before and after reading."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from asr.errors import ModelError


class Weighted(Protocol):
    """A network that can name what it has learnt."""

    def named_weights(self) -> dict[str, Any]:
        """Variables by path."""


def weights_file(network: Weighted, half: bool = True) -> tuple[bytes, str]:
    """The content of weights.npz, of half precision when `half`, else float32; and its SHA-256."""
    arrays = {path: variable.numpy() for path, variable in network.named_weights().items()}
    if half:
        arrays = {path: rounded(values) for path, values in arrays.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue(), hashlib.sha256(buffer.getvalue()).hexdigest()


def rounded(values: np.ndarray) -> np.ndarray:
    """Float32 as float16 of nine significant bits, two less than it has room for.

    One more than the products of bfloat16 have that networks may be trained with; and the last two
    bits of each weight, which are noise to a compressor, are zeros: a tenth of the file.
    Rounded to nearest by Veltkamp's splitting (Dekker, 1971).
    """
    above = values * np.float32(2**15 + 1)
    return (above - (above - values)).astype(np.float16)


def load_weights(network: Weighted, path: Path, sha256: str) -> None:
    """Give `network` the weights in `path`, whose SHA-256 is in model.json.

    Raises:
        ModelError: not readable, damaged, or not the weights of this network.
    """
    weights, variables = Weights(path, sha256), network.named_weights()
    values = {name: weights.take(name, *v.shape) for name, v in variables.items()}
    weights.finish()
    for name, variable in variables.items():
        variable.assign(values[name].astype(np.float32))


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
