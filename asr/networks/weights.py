"""Weights files: arrays by variable path, stored without pickle and checked when they are read."""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from asr.errors import ModelError


@runtime_checkable
class Weighted(Protocol):
    """A network with named weights."""

    def named_weights(self) -> dict[str, Any]:
        """Trainable variables by path."""


Step = Callable[[np.ndarray], float]
"""The step of an array's values: `range_step` or `deviation_step`."""

_MANY = 8192
"""Values of an array from which on it is worth rounding by its deviation."""


def range_step(values: np.ndarray) -> float:
    """2⁻⁹ of the smallest power of two that is not below the largest magnitude: ten bits of the
    array's range with the sign."""
    return 2.0 ** (math.ceil(math.log2(np.max(np.abs(values)))) - 9)


def deviation_step(values: np.ndarray) -> float:
    """The largest power of two that is not above an eighth of the standard deviation: about six
    bits a value. Measured with recognisers only.

    Never below `range_step`, so that float16 can hold the multiples. In small arrays, `range_step`.
    """
    if values.size < _MANY:
        return range_step(values)
    deviation = max(float(values.std()), 2.0**-24)  # equal values have none
    return max(2.0 ** math.floor(math.log2(deviation / 8)), range_step(values))


def weights_file(
    network: Weighted, half: bool = True, step: Step = range_step
) -> tuple[bytes, str]:
    """Content of weights.npz, and its SHA-256.

    Args:
        network: the network whose weights to write.
        half: store float16, by `rounded`, instead of float32.
        step: the step of each array. Default: `range_step`.
    """
    arrays = {path: variable.numpy() for path, variable in network.named_weights().items()}
    if half:
        arrays = {path: rounded(values, step) for path, values in arrays.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue(), hashlib.sha256(buffer.getvalue()).hexdigest()


def rounded(values: np.ndarray, step: Step) -> np.ndarray:
    """`multiples` of a step, or the values themselves if float16 holds them exactly.

    Small weights keep fewer significant bits than large ones: a network adds up products, so that
    the size of an error counts, not its share of the weight.

    Values that float16 holds exactly were read from a model directory, whose weights were rounded
    when it was made.
    """
    exact = values.astype(np.float16)
    return exact if np.array_equal(exact, values) else multiples(values, step)


def multiples(values: np.ndarray, step: Step) -> np.ndarray:
    """Round float32 to multiples of one step for the whole array, and return float16."""
    # Smaller steps than the smallest of float16 would be rounded a second time.
    size = np.float32(max(step(values), 2.0**-24))
    # Adding zero turns −0 into 0, which compresses better.
    return (np.round(values / size) * size + np.float32(0)).astype(np.float16)


def load_weights(network: Weighted, path: Path, sha256: str) -> None:
    """Assign the weights in `path`, whose SHA-256 is in model.json, to `network`.

    Raises:
        ModelError: not readable, damaged, or not the weights of this network.
    """
    weights, variables = WeightArrays(path, sha256), network.named_weights()
    values = {name: weights.take(name, *v.shape) for name, v in variables.items()}
    weights.finish()
    for name, variable in variables.items():
        variable.assign(values[name].astype(np.float32))


class WeightArrays:
    """The arrays of `weights.npz`, which a network takes one by one, by path and shape.

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
        # Checked before NumPy reads the file: a damaged one raises errors of many types.
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
        """The array of a variable, float16 or float32, of this shape.

        Returns zeros if it is missing or has another shape; `finish` then raises an error.
        """
        found = self.left.pop(name, None)
        if found is None:
            self._problems.append(f"{name} is missing")
        elif found.shape != shape:
            self._problems.append(f"{name} has shape {found.shape}, model.json asks for {shape}")
        else:
            return found
        return np.zeros(shape, np.float32)

    def finish(self) -> None:
        """Check that every array was taken.

        Raises:
            ModelError: an array is missing, is left over or has another shape; all are named.
        """
        problems = self._problems + [f"{name} is not part of the model" for name in self.left]
        if problems:
            raise ModelError(f"{self.path}: " + "; ".join(sorted(problems)))
