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
    """The content of weights.npz, float16 when `half`, else float32; and its SHA-256."""
    arrays = {
        path: variable.numpy().astype(np.float16 if half else np.float32)
        for path, variable in network.named_weights().items()
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue(), hashlib.sha256(buffer.getvalue()).hexdigest()


def load_weights(network: Weighted, path: Path, sha256: str) -> None:
    """Give `network` the weights in `path`, whose SHA-256 is in model.json.

    Raises:
        ModelError: not readable, damaged, or not the weights of this network.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    # Before it is read: what NumPy makes of a damaged file is not only a ValueError.
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(f"{path}: its SHA-256 is not the one in model.json: damaged or replaced")
    variables = network.named_weights()
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: not a weights file: {error}") from None
    problems = [f"{name} is missing" for name in variables.keys() - found.keys()]
    problems += [f"{name} is not part of the model" for name in found.keys() - variables.keys()]
    problems += [
        f"{name} has shape {found[name].shape}, model.json asks for {tuple(variable.shape)}"
        for name, variable in variables.items()
        if name in found and found[name].shape != tuple(variable.shape)
    ]
    if problems:
        raise ModelError(f"{path}: " + "; ".join(sorted(problems)))
    for name, variable in variables.items():
        variable.assign(found[name].astype(np.float32))
