"""Two problems whose answers need what was seen long before: what a recurrent cell remembers."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from asr.base.tensorflow import keras


class Problem(Protocol):
    """Sequences whose answer needs what was seen long before. An answer is wrong or right, so that
    errors of all problems are shares of wrong answers."""

    name: str
    inputs: int
    """Size of a step's input."""
    outputs: int
    """Size of an answer, before it is read."""
    answers: int
    """Answers of a sequence, one at each of its last steps."""
    loss: keras.losses.Loss

    def batch(
        self, rng: np.random.Generator, size: int, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs [size, steps, inputs] and targets [size, answers, …] at a distance `length`."""

    def error(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Share of wrong answers among outputs [size, answers, outputs]."""


class Adding:
    """Two of `length` numbers from 0 to 1 are marked, one in each half: what is their sum?
    (Hochreiter & Schmidhuber, 1997, as Arjovsky et al., 2016, pose it.)

    An answer is wrong if off by more than 0.16, which is the 0.04 of 1997 in its units; always
    saying 1 is wrong 71 % of the time.
    """

    name, inputs, outputs, answers = "adding", 2, 1, 1
    loss = keras.losses.MeanSquaredError()

    def batch(
        self, rng: np.random.Generator, size: int, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        rows, half = np.arange(size), length // 2
        x = np.zeros((size, length, 2), np.float32)
        x[:, :, 0] = rng.uniform(size=(size, length))
        marked = rng.integers(0, half, size), rng.integers(half, length, size)
        for place in marked:
            x[rows, place, 1] = 1
        return x, x[rows, marked, 0].sum(axis=0)[:, None, None]

    def error(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        return float((np.abs(outputs - targets) > 0.16).mean())


class Copying:
    """Some of eight symbols, `length` steps without any, a sign: say them again in their order
    (Hochreiter & Schmidhuber, 1997; Arjovsky et al., 2016, with ten symbols).

    Only the answers are scored, not the silence before them; chance is wrong 87.5 % of the time.
    """

    letters = 8
    name, inputs, outputs = "copying", letters + 2, letters
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def __init__(self, symbols: int = 1) -> None:
        self.answers = symbols

    def batch(
        self, rng: np.random.Generator, size: int, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        said = rng.integers(0, self.letters, (size, self.answers))
        silence, sign = self.letters, self.letters + 1
        steps = np.full((size, self.answers + length + self.answers), silence)
        steps[:, : self.answers] = said
        steps[:, self.answers + length - 1] = sign
        return np.eye(self.inputs, dtype=np.float32)[steps], said

    def error(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        return float((outputs.argmax(axis=-1) != targets).mean())
