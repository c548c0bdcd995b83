"""The adding and the copying problem, which test the memory of recurrent cells."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from asr.base.tensorflow import keras


class Problem(Protocol):
    """A task on sequences whose answers depend on inputs long before.

    An answer is right or wrong, so that errors of different problems are comparable.
    """

    name: str
    inputs: int
    """Size of the input of a step."""
    outputs: int
    """Size of the network's output for an answer."""
    answers: int
    """Number of answers of a sequence, one at each of its last steps."""
    loss: keras.losses.Loss

    def batch(
        self, rng: np.random.Generator, size: int, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Random sequences.

        Args:
            rng: source of randomness.
            size: number of sequences.
            length: number of steps to remember over.

        Returns:
            Inputs [size, steps, inputs] and targets [size, answers, …].
        """

    def error(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Share of wrong answers for outputs [size, answers, outputs]."""


class Adding:
    """Add the two marked numbers, one in each half of `length` numbers from 0 to 1.

    From Hochreiter & Schmidhuber (1997), in the form of Arjovsky et al. (2016). An answer is wrong
    if its error is above 0.16, which corresponds to the 0.04 of 1997. The constant answer 1 is
    wrong for 71 % of sequences.
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
    """Repeat symbols after `length` blank steps, when a marker comes.

    From Hochreiter & Schmidhuber (1997) and Arjovsky et al. (2016), who use ten symbols. There are
    eight different symbols. Only the answers are scored, not the blank steps. Guessing is wrong for
    87.5 % of answers.

    Args:
        symbols: number of symbols to repeat; default: 1.
    """

    letters = 8
    name, inputs, outputs = "copying", letters + 2, letters
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def __init__(self, symbols: int = 1) -> None:
        self.answers = symbols

    def batch(
        self, rng: np.random.Generator, size: int, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        symbols = rng.integers(0, self.letters, (size, self.answers))
        blank, marker = self.letters, self.letters + 1
        steps = np.full((size, self.answers + length + self.answers), blank)
        steps[:, : self.answers] = symbols
        steps[:, self.answers + length - 1] = marker
        return np.eye(self.inputs, dtype=np.float32)[steps], symbols

    def error(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        return float((outputs.argmax(axis=-1) != targets).mean())
