"""Measurements of recurrent cells: memory horizons, gradients through time and cost per step."""

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

CHECK_STEPS = 50
"""Training steps between two measurements of the error."""
CHECK_SEQUENCES = 500
"""Held-out sequences that the error is measured on."""
GRADIENT_SEQUENCES = 16
"""Sequences in the geometric mean of gradient norms."""


@config_dataclass(frozen=True, config=STRICT)
class Candidate:
    """A cell with an initialisation of its gates."""

    cell: Cell
    """rnn, lstm or gru."""
    chrono: bool = False
    """Initialise the gates so that the units keep their content for different times up to the
    length of the sequence (chrono initialisation, Tallec & Ollivier, 2018). It needs a cell with
    gates, lstm or gru. Default: False, the initialisation of Keras."""

    def __str__(self) -> str:
        return f"{self.cell} chrono" if self.chrono else self.cell


@config_dataclass(frozen=True, config=STRICT)
class LabConfig:
    """How candidates are trained."""

    units: int = Field(default=32, ge=1)
    """Units of the cell. Default: 32."""
    batch_size: int = Field(default=32, ge=1)
    """Sequences per step. Default: 32."""
    steps: int = Field(default=1000, ge=1, multiple_of=CHECK_STEPS)
    """Largest number of steps, a multiple of 50. Default: 1000."""
    rates: tuple[float, ...] = Field(default=(1e-2, 3e-3), min_length=1)
    """Learning rates, tried in order until the problem is learnt, because cells need different
    ones. Default: 0.01 and 0.003."""
    error: float = Field(default=0.05, gt=0, lt=1)
    """Share of wrong answers at which a problem is learnt. Default: 0.05."""
    seed: int = 1
    """Seed of weights and sequences. Default: 1."""


@dataclass(frozen=True)
class LabTrial:
    """One training.

    Attributes:
        candidate: name of the cell.
        problem: name of the problem.
        length: distance to remember over, in steps.
        seed: seed of weights and sequences.
        rate: learning rate.
        steps: training steps.
        error: share of wrong answers at the end.
        learnt: whether the error is low enough.
    """

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
    """Trainings at increasing lengths, up to the first one that fails."""

    trials: tuple[LabTrial, ...]

    @property
    def length(self) -> int:
        """The longest learnt length; 0 if none is learnt."""
        return max((trial.length for trial in self.trials if trial.learnt), default=0)


@dataclass(frozen=True)
class Reach:
    """Gradient norms before and after a training, by distance from 0 (see `gradient_norms`).

    Attributes:
        trial: the training.
        start: norms before it.
        trained: norms after it.
    """

    trial: LabTrial
    start: tuple[float, ...]
    trained: tuple[float, ...]


@dataclass(frozen=True)
class Cost:
    """CPU time of a training step, measured in turn with the other cells.

    Attributes:
        cell: the cell.
        parameters: number of weights.
        milliseconds: median CPU time.
        relative: median over the rounds of the ratio to the first cell.
    """

    cell: Cell
    parameters: int
    milliseconds: float
    relative: float


@dataclass(frozen=True)
class Findings:
    """All measurements of the gradient lab."""

    gradients: list[Reach]
    horizons: list[Horizon]
    costs: list[Cost]


CANDIDATES = tuple(
    Candidate(cell, chrono)
    for chrono in (False, True)
    for cell in get_args(Cell)
    if not (chrono and cell == "rnn")
)
"""All cells, and those with gates also with chrono initialisation."""


def build(problem: Problem, candidate: Candidate, length: int, config: LabConfig) -> keras.Model:
    """A network with one recurrent layer and a dense layer over the outputs of the last steps.

    Args:
        problem: sets the sizes of inputs and outputs.
        candidate: the cell.
        length: sequence length for chrono initialisation.
        config: number of units and the seed.

    Raises:
        ConfigError: chrono initialisation of a cell without gates.
    """
    keras.utils.set_random_seed(config.seed)
    stack = RecurrentStack(candidate.cell, config.units, 1, False, norm="none", name="stack")
    inputs = keras.Input((None, problem.inputs))
    dense = keras.layers.Dense(problem.outputs)
    network = keras.Model(inputs, dense(stack(inputs)[:, -problem.answers :]))
    if candidate.chrono:
        _initialise_chrono(stack, length, np.random.default_rng(config.seed))
    return network


def _initialise_chrono(stack: RecurrentStack, length: int, rng: np.random.Generator) -> None:
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
    """A function that trains on several batches in one call.

    It uses Adam and clips gradients to a global norm of 1. One call makes many steps, because a
    call per small step would spend half of the time in Python.

    Args:
        network: the network.
        problem: its loss.
        rate: learning rate.
        batches: inputs and targets [steps, batch, …] with the shapes of later calls.
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

    # A concrete function avoids TensorFlow's warning about retracing for each network and length.
    return train.get_concrete_function(*(tf.TensorSpec(b.shape, b.dtype) for b in batches))


def learn(
    problem: Problem, candidate: Candidate, length: int, config: LabConfig
) -> tuple[keras.Model, LabTrial]:
    """Train until the problem is learnt, with each learning rate in order.

    Returns:
        The last network and the record of its training.
    """
    x_new, y_new = problem.batch(np.random.default_rng([config.seed, 1]), CHECK_SEQUENCES, length)
    for rate in config.rates:
        network, rng = build(problem, candidate, length, config), np.random.default_rng(config.seed)
        batches = _batches(problem, rng, CHECK_STEPS, config.batch_size, length)
        train = trainer(network, problem, rate, batches)
        for step in range(CHECK_STEPS, config.steps + 1, CHECK_STEPS):
            train(*batches)
            error = problem.error(network(x_new).numpy(), y_new)
            trial = LabTrial(
                candidate=str(candidate),
                problem=problem.name,
                length=length,
                seed=config.seed,
                rate=rate,
                steps=step,
                error=error,
                learnt=error <= config.error,
            )
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
    """Train at increasing lengths until one is not learnt."""
    trials: list[LabTrial] = []
    for length in lengths:
        if trials and not trials[-1].learnt:
            break
        trials.append(learn(problem, candidate, length, config)[1])
    return Horizon(tuple(trials))


def reach(
    problem: Problem, candidate: Candidate, length: int, distance: int, config: LabConfig
) -> Reach:
    """Gradient norms up to `distance` steps, before and after training at `length`."""
    x, _ = problem.batch(np.random.default_rng([config.seed, 2]), GRADIENT_SEQUENCES, distance)

    def norms(network: keras.Model) -> tuple[float, ...]:
        measured = gradient_norms(first_layer(network.get_layer("stack")), x)
        return tuple(np.exp(np.log(measured[:, : distance + 1]).mean(axis=0)).tolist())

    start = norms(build(problem, candidate, length, config))
    network, trial = learn(problem, candidate, length, config)
    return Reach(trial, start, norms(network))


def costs(
    cells: Sequence[Cell], problem: Problem, length: int, config: LabConfig, rounds: int = 7
) -> list[Cost]:
    """CPU time of a training step of each cell.

    The cells take turns of 20 steps. The gradients of LSTM and GRU are written by hand
    (`asr.networks`); the vanilla cell is that of Keras.

    Args:
        cells: the cells; the first one is the reference.
        problem: the problem to train on.
        length: distance to remember over, in steps.
        config: units, batch size and seed.
        rounds: number of turns; default: 7.
    """
    steps, rng = 20, np.random.default_rng(config.seed)
    batches = _batches(problem, rng, steps, config.batch_size, length)
    networks = [build(problem, Candidate(cell), length, config) for cell in cells]
    trainers = [trainer(network, problem, config.rates[0], batches) for network in networks]
    for train in trainers:
        train(*batches)  # the first call takes longer: do not measure it
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
    """Run all experiments with all candidates and seeds.

    These are gradients up to 100 steps before and after training on the adding problem at length
    40, horizons for both problems, and costs at length 100.

    Raises:
        ConfigError: a length is below 2.
    """
    if min(lengths) < 2:
        raise ConfigError(f"lengths: {min(lengths)} is too short; the shortest is 2")
    adding = Adding()
    runs = [(c, replace(config, seed=seed)) for c in CANDIDATES for seed in seeds]
    searches = [(problem, *run) for problem in (adding, Copying()) for run in runs]
    gradients = [
        reach(adding, candidate, 40, 100, how)
        for candidate, how in track(runs, len(runs), "gradients")
    ]
    horizons = [
        horizon(problem, candidate, lengths, how)
        for problem, candidate, how in track(searches, len(searches), "horizons")
    ]
    return Findings(gradients, horizons, costs(get_args(Cell), adding, 100, config))
