"""How far recurrent cells learn to remember, how their gradients fare, and what a step costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as config_dataclass

from asr.base.config import STRICT
from asr.base.progress import track
from asr.base.tensorflow import keras, tf
from asr.errors import ConfigError
from asr.gradient_lab.gradients import first_layer, gradient_norms
from asr.gradient_lab.problems import Adding, Copying, Problem
from asr.networks.acoustic_config import Cell
from asr.networks.recurrent import RecurrentStack

CHECK_STEPS, CHECKED = 50, 500
"""So often a training looks at its error, on so many sequences that it is not trained with."""
MEASURED = 16
"""Sequences over whose gradient norms a geometric mean is taken."""


@config_dataclass(frozen=True, config=STRICT)
class Candidate:
    """What is compared."""

    cell: Cell
    chrono: bool = False
    """Start an LSTM's or a GRU's gates so that they keep their content for about as long as the
    sequence is, the units differing (Tallec & Ollivier, 2018), instead of as Keras does."""

    def __str__(self) -> str:
        return f"{self.cell} chrono" if self.chrono else self.cell


@config_dataclass(frozen=True, config=STRICT)
class LabConfig:
    """How a candidate is trained."""

    units: int = Field(default=32, ge=1)
    batch_size: int = Field(default=32, ge=1)
    steps: int = Field(default=1000, ge=1, multiple_of=CHECK_STEPS)
    """The most that a training may take."""
    rates: tuple[float, ...] = Field(default=(1e-2, 3e-3), min_length=1)
    """Learning rates tried in turn until one learns: cells differ in which they bear."""
    error: float = Field(default=0.05, gt=0, lt=1)
    """Share of wrong answers at which a problem counts as learnt."""
    seed: int = 1


@dataclass(frozen=True)
class Trial:
    """One training."""

    candidate: str
    problem: str
    length: int
    seed: int
    rate: float
    steps: int
    error: float
    learnt: bool


@dataclass(frozen=True)
class Horizon:
    """The trainings at growing lengths, up to the first that did not learn."""

    trials: tuple[Trial, ...]

    @property
    def length(self) -> int:
        """The longest length that was learnt; 0 if none."""
        return max((trial.length for trial in self.trials if trial.learnt), default=0)


@dataclass(frozen=True)
class Reach:
    """Norms of ∂h_T/∂s_t by distance T − t from 0 on (see `gradient_norms`)."""

    trial: Trial
    """The training between both."""
    start: tuple[float, ...]
    trained: tuple[float, ...]


@dataclass(frozen=True)
class Cost:
    """Processor's time of a training step, measured with those of the other cells in turn."""

    cell: Cell
    parameters: int
    milliseconds: float
    """Median."""
    relative: float
    """Median over the rounds of the ratio to the first cell's."""


@dataclass(frozen=True)
class Findings:
    """All that the gradient lab measures."""

    gradients: list[Reach]
    horizons: list[Horizon]
    costs: list[Cost]


CANDIDATES = tuple(
    Candidate(cell, chrono) for chrono in (False, True) for cell in get_args(Cell)
    if not (chrono and cell == "rnn")
)  # fmt: skip


def build(problem: Problem, candidate: Candidate, length: int, config: LabConfig) -> keras.Model:
    """A layer of cells (a `RecurrentStack`) and a dense layer over the last steps' outputs.

    Raises:
        ConfigError: a vanilla cell, which has no gates, with `chrono`.
    """
    keras.utils.set_random_seed(config.seed)
    stack = RecurrentStack(candidate.cell, config.units, 1, False, norm="none", name="stack")
    inputs = keras.Input((None, problem.inputs))
    dense = keras.layers.Dense(problem.outputs)
    network = keras.Model(inputs, dense(stack(inputs)[:, -problem.answers :]))
    if candidate.chrono:
        _remember(stack, length, np.random.default_rng(config.seed))
    return network


def _remember(stack: RecurrentStack, length: int, rng: np.random.Generator) -> None:
    if stack.cell == "rnn":
        raise ConfigError("chrono: needs a cell with gates, lstm or gru")
    n, variable = stack.units, stack.recurrent[0].bias
    keep = np.log(rng.uniform(1, max(length - 1, 2), n))
    bias = variable.numpy()
    if stack.cell == "lstm":
        bias[0, :n], bias[0, n : 2 * n] = -keep, keep
    else:
        bias[0, :n] = keep
    variable.assign(bias)


def trainer(
    network: keras.Model, problem: Problem, rate: float, batches: Sequence[tf.Tensor]
) -> Callable[[tf.Tensor, tf.Tensor], object]:
    """A function that makes a step with each of the batches [steps, batch, …] it is given, by Adam
    with gradients clipped to a global norm of 1; `batches` shows their shapes.

    Many steps a call: small ones would take as long in Python as in TensorFlow.
    """
    variables = network.trainable_variables
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0)
    optimizer.build(variables)

    @tf.function
    def train(x: tf.Tensor, y: tf.Tensor) -> None:
        for i in tf.range(tf.shape(x)[0]):
            with tf.GradientTape() as tape:
                loss = problem.loss(y[i], network(x[i], training=True))
            optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)

    # Called as it is, it would warn of being built again, for another network and length.
    return train.get_concrete_function(*(tf.TensorSpec(b.shape, b.dtype) for b in batches))


def learn(
    problem: Problem, candidate: Candidate, length: int, config: LabConfig
) -> tuple[keras.Model, Trial]:
    """Train until the error is reached or the steps are used up, at each rate until one learns.

    Returns the last network and what became of it.
    """
    x_new, y_new = problem.batch(np.random.default_rng([config.seed, 1]), CHECKED, length)
    for rate in config.rates:
        network, rng = build(problem, candidate, length, config), np.random.default_rng(config.seed)
        batches = _batches(problem, rng, CHECK_STEPS, config.batch_size, length)
        train = trainer(network, problem, rate, batches)
        for step in range(CHECK_STEPS, config.steps + 1, CHECK_STEPS):
            train(*batches)
            error = problem.error(network(x_new).numpy(), y_new)
            trial = Trial(
                str(candidate), problem.name, length, config.seed, rate, step, error,
                learnt=error <= config.error,
            )  # fmt: skip
            if trial.learnt:
                return network, trial
            batches = _batches(problem, rng, CHECK_STEPS, config.batch_size, length)
    return network, trial


def _batches(
    problem: Problem, rng: np.random.Generator, steps: int, size: int, length: int
) -> list[tf.Tensor]:
    x, y = problem.batch(rng, steps * size, length)
    return [tf.constant(a.reshape(steps, size, *a.shape[1:])) for a in (x, y)]


def horizon(
    problem: Problem, candidate: Candidate, lengths: Sequence[int], config: LabConfig
) -> Horizon:
    """Train at each of the growing lengths until one is not learnt."""
    trials: list[Trial] = []
    for length in lengths:
        if trials and not trials[-1].learnt:
            break
        trials.append(learn(problem, candidate, length, config)[1])
    return Horizon(tuple(trials))


def reach(
    problem: Problem, candidate: Candidate, length: int, distance: int, config: LabConfig
) -> Reach:
    """Gradient norms before and after training at `length`, over sequences of `distance`."""
    x, _ = problem.batch(np.random.default_rng([config.seed, 2]), MEASURED, distance)

    def norms(network: keras.Model) -> tuple[float, ...]:
        measured = gradient_norms(first_layer(network.get_layer("stack")), x)
        return tuple(np.exp(np.log(measured[:, : distance + 1]).mean(axis=0)).tolist())

    start = norms(build(problem, candidate, length, config))
    network, trial = learn(problem, candidate, length, config)
    return Reach(trial, start, norms(network))


def costs(
    cells: Sequence[Cell], problem: Problem, length: int, config: LabConfig, rounds: int = 7
) -> list[Cost]:
    """Processor's time of a training step of each cell: rounds of 20 steps, the cells in turn.

    As the layers are trained here: an LSTM's and a GRU's gradients are written out (asr/networks/fused.py),
    the vanilla cell is Keras's.
    """
    steps, rng = 20, np.random.default_rng(config.seed)
    batches = _batches(problem, rng, steps, config.batch_size, length)
    networks = [build(problem, Candidate(cell), length, config) for cell in cells]
    trainers = [trainer(network, problem, config.rates[0], batches) for network in networks]
    for train in trainers:
        train(*batches)  # a first call takes longer
    seconds = np.zeros((rounds, len(cells)))
    for i in range(rounds):
        for j, train in enumerate(trainers):
            started = time.process_time()
            train(*batches)
            seconds[i, j] = (time.process_time() - started) / steps
    medians = np.median(seconds, axis=0)
    relative = np.median(seconds / seconds[:, :1], axis=0)
    return [
        Cost(cell, network.count_params(), 1000 * float(median), float(ratio))
        for cell, network, median, ratio in zip(cells, networks, medians, relative, strict=True)
    ]


def measure(seeds: Sequence[int], lengths: Sequence[int], config: LabConfig) -> Findings:
    """The whole lab: gradients over 100 steps around a training with the adding problem at 40,
    horizons with both problems, and costs at 100 steps; of all candidates and seeds.

    Raises:
        ConfigError: a length that has no two halves.
    """
    if min(lengths) < 2:
        raise ConfigError(f"lengths: {min(lengths)} is too short, at least 2 steps are needed")
    adding = Adding()
    runs = [(c, replace(config, seed=seed)) for c in CANDIDATES for seed in seeds]
    searches = [(problem, *run) for problem in (adding, Copying()) for run in runs]
    return Findings(
        [reach(adding, c, 40, 100, how) for c, how in track(runs, len(runs), "gradients")],
        [horizon(problem, c, lengths, how)
         for problem, c, how in track(searches, len(searches), "horizons")],
        costs(get_args(Cell), adding, 100, config),
    )  # fmt: skip
