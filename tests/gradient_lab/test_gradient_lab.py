"""Gradient norms compared with closed forms and finite differences; problems, horizons, report."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ConfigError
from asr.gradient_lab.gradients import first_layer, gradient_norms, step_jacobian
from asr.gradient_lab.horizon_report import draw, table
from asr.gradient_lab.horizons import (
    CANDIDATES,
    Candidate,
    Cost,
    Findings,
    Horizon,
    LabConfig,
    LabTrial,
    Reach,
    build,
    costs,
    horizon,
    measure,
    reach,
)
from asr.gradient_lab.problems import Adding, Copying
from asr.networks.acoustic_config import Cell
from asr.networks.numpy_stack import CellState, NumpyLayer
from asr.networks.recurrent import RecurrentStack

CELLS: list[Cell] = ["rnn", "lstm", "gru"]


def stack_and_inputs(
    cell: Cell, units: int = 5, time: int = 7
) -> tuple[RecurrentStack, np.ndarray]:
    """A stack with random weights, and inputs [2, time, 3]."""
    rng = np.random.default_rng(4)
    stack = RecurrentStack(cell, units, 1, bidirectional=False, norm="none")
    stack.build((None, None, 3))
    for v in stack.trainable_variables:
        v.assign(v + rng.normal(0, 0.3, v.shape))
    return stack, rng.normal(size=(2, time, 3)).astype(np.float32)


def run(layer: NumpyLayer, x: np.ndarray, state: CellState) -> CellState:
    for t in range(x.shape[1]):
        state = layer.step(x[:, t], state)
    return state


@pytest.mark.parametrize("cell", CELLS)
def test_the_numpy_layer_equals_the_stack(cell: Cell) -> None:
    stack, x = stack_and_inputs(cell)
    layer = first_layer(stack)
    np.testing.assert_allclose(run(layer, x, layer.start(2))[0], stack(x)[:, -1], atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_norms_equal_finite_differences(cell: Cell) -> None:
    stack, x = stack_and_inputs(cell)
    layer = first_layer(stack)
    norms = gradient_norms(layer, x)
    assert norms.shape == (2, 8)
    np.testing.assert_array_equal(norms[:, 0], 1)
    for t in (0, 3, 6):
        state = run(layer, x[:, :t], layer.start(2))
        before = np.concatenate(state, axis=-1)
        columns = []
        for step in 1e-5 * np.eye(before.shape[1]):
            high, low = (
                run(layer, x[:, t:], tuple(np.split(before + sign * step, len(state), axis=1)))[0]
                for sign in (1, -1)
            )
            columns.append((high - low) / 2e-5)
        jacobian = np.stack(columns, axis=-1)
        np.testing.assert_allclose(
            norms[:, 7 - t], np.linalg.norm(jacobian, 2, axis=(1, 2)), rtol=1e-7
        )


def test_the_derivative_of_an_lstm_cell_is_its_forget_gate() -> None:
    stack, x = stack_and_inputs("lstm")
    layer = first_layer(stack)
    state = run(layer, x, layer.start(2))
    jacobian = step_jacobian(layer, x[:, 0], state)
    assert jacobian.shape == (2, 10, 10)
    gates = x[:, 0] @ layer.kernel + layer.bias + state[0] @ layer.recurrent
    forget = 1 / (1 + np.exp(-gates[:, 5:10]))
    # ∂c'/∂c is the forget gate, by the equations of the LSTM.
    np.testing.assert_allclose(jacobian[:, 5:, 5:], forget[:, None] * np.eye(5), rtol=1e-12)


@pytest.mark.parametrize("radius", [0.9, 1.1])
def test_norms_of_a_linear_network_are_norms_of_matrix_powers(radius: float) -> None:
    rng = np.random.default_rng(2)
    w = rng.normal(size=(6, 6))
    w *= radius / np.abs(np.linalg.eigvals(w)).max()
    # With zero inputs and state, tanh is linear.
    layer = NumpyLayer("rnn", np.zeros((1, 6)), w, np.zeros(6))
    (norms,) = gradient_norms(layer, np.zeros((1, 40, 1)))
    powers = [np.linalg.norm(np.linalg.matrix_power(w, k), 2) for k in range(41)]
    np.testing.assert_allclose(norms, powers, rtol=1e-12)
    assert (norms[40] > norms[20]) == (radius > 1)


def test_norms_of_a_gru_that_keeps_its_state_are_one() -> None:
    # An update gate of one keeps the state for any input.
    units, keep = 4, np.concatenate([np.full(4, 40.0), np.zeros(8)])
    layer = NumpyLayer("gru", np.ones((1, 12)), np.zeros((units, 12)), keep, np.zeros(12))
    np.testing.assert_allclose(gradient_norms(layer, np.ones((1, 50, 1))), 1, rtol=1e-12)


def test_a_bidirectional_stack_is_an_error() -> None:
    stack = RecurrentStack("gru", 4, 1, bidirectional=True)
    stack.build((None, None, 3))
    with pytest.raises(ConfigError, match="bidirectional: "):
        first_layer(stack)


@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(2, 60))
def test_adding_problem(seed: int, size: int, length: int) -> None:
    x, y = Adding().batch(np.random.default_rng(seed), size, length)
    assert x.shape == (size, length, 2) and y.shape == (size, 1, 1) and x.dtype == np.float32
    numbers, marks = x[:, :, 0], x[:, :, 1]
    assert ((numbers >= 0) & (numbers < 1)).all() and np.isin(marks, [0, 1]).all()
    for half in (marks[:, : length // 2], marks[:, length // 2 :]):
        np.testing.assert_array_equal(half.sum(axis=1), 1)
    np.testing.assert_allclose((numbers * marks).sum(axis=1), y[:, 0, 0], rtol=1e-6)
    again, _ = Adding().batch(np.random.default_rng(seed), size, length)
    np.testing.assert_array_equal(again, x)


@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(1, 60), st.integers(1, 10))
def test_copying_problem(seed: int, size: int, length: int, symbols: int) -> None:
    problem = Copying(symbols)
    x, said = problem.batch(np.random.default_rng(seed), size, length)
    assert x.shape == (size, length + 2 * symbols, 10) and said.shape == (size, symbols)
    np.testing.assert_array_equal(x.sum(axis=2), 1)
    steps = x.argmax(axis=2)
    np.testing.assert_array_equal(steps[:, :symbols], said)
    assert (said < 8).all()
    # From the first symbol to its answer it is `length` + the symbols between.
    rest = steps[:, symbols:]
    np.testing.assert_array_equal(np.argwhere(rest != 8)[:, 1], length - 1)
    np.testing.assert_array_equal(rest[:, length - 1], 9)
    assert problem.error(np.eye(8)[said], said) == 0
    assert problem.error(np.eye(8)[(said + 1) % 8], said) == 1


def test_errors_of_guessing_are_those_in_the_docstrings() -> None:
    rng = np.random.default_rng(0)
    _, y = Adding().batch(rng, 20_000, 30)
    assert Adding().error(np.ones_like(y), y) == pytest.approx(0.71, abs=0.01)
    _, said = Copying(3).batch(rng, 20_000, 30)
    outputs = rng.normal(size=(*said.shape, 8))
    assert Copying(3).error(outputs, said) == pytest.approx(0.875, abs=0.01)


def test_chrono_gates_keep_their_content_for_up_to_the_length() -> None:
    config = LabConfig(units=400)
    lstm = build(Copying(), Candidate("lstm", chrono=True), 50, config).get_layer("stack")
    i, f, g, o = lstm.recurrent[0].bias.numpy().reshape(4, 400)
    np.testing.assert_array_equal(i, -f)
    assert not g.any() and not o.any()
    # A gate of σ(log n) keeps its content for 1 + n steps, uniformly from 2 to 50.
    kept = 1 / (1 - 1 / (1 + np.exp(-f)))
    assert 2 <= kept.min() < 3 and 49 < kept.max() <= 50
    assert kept.mean() == pytest.approx(26, abs=2)
    gru = build(Copying(), Candidate("gru", chrono=True), 50, config).get_layer("stack")
    np.testing.assert_allclose(gru.recurrent[0].bias.numpy()[0, :400], f, rtol=1e-6)
    with pytest.raises(ConfigError, match="chrono: "):
        build(Adding(), Candidate("rnn", chrono=True), 50, config)


def test_the_lstm_remembers_longer_than_the_vanilla_cell() -> None:
    config = LabConfig(steps=500)
    vanilla = horizon(Adding(), Candidate("rnn"), [20], config)
    lstm = horizon(Adding(), Candidate("lstm"), [20], config)
    assert lstm.length == 20 > vanilla.length == 0
    # The vanilla cell is trained with each rate to the last step.
    (trial,) = vanilla.trials
    assert trial.steps == 500 and trial.rate == config.rates[-1] and trial.error > 0.2
    assert lstm.trials[0].error <= 0.05


def test_a_horizon_ends_at_the_first_length_that_is_not_learnt() -> None:
    found = horizon(Adding(), Candidate("rnn"), [10, 10**6], LabConfig(units=2, steps=50))
    assert [trial.length for trial in found.trials] == [10]
    assert found.length == 0


def test_training_increases_distant_gradients() -> None:
    found = reach(Adding(), Candidate("gru"), 10, 30, LabConfig(steps=400))
    assert found.trial.learnt and found.trial.length == 10
    assert len(found.start) == len(found.trained) == 31
    assert found.start[0] == found.trained[0] == 1
    assert found.start[20] < 1e-3 < 1e-1 < found.trained[20]


def test_costs_are_relative_to_the_first_cell() -> None:
    first, second = costs(["rnn", "gru"], Adding(), 5, LabConfig(units=4, batch_size=2), rounds=3)
    assert first.relative == 1 and first.milliseconds > 0 and second.milliseconds > 0
    # (2 + 4) × 4 + 4 and three times that and a recurrent bias, and 4 + 1 of the dense layer.
    assert (first.parameters, second.parameters) == (28 + 5, 3 * 28 + 12 + 5)


def test_lengths_below_two_are_errors() -> None:
    with pytest.raises(ConfigError, match="lengths: 1 "):
        measure([1], [1, 2], LabConfig())


def test_the_report_has_all_findings(tmp_path: Path) -> None:
    trials = {
        str(c): [LabTrial(str(c), "adding", n, 1, 0.01, 50, 0.01, n < 40) for n in (10, 20, 40)]
        for c in CANDIDATES
    }
    curve = tuple(0.5**k for k in range(101))
    findings = Findings(
        [Reach(trial[2], curve, (1.0,) * 101) for trial in trials.values()],
        [Horizon(tuple(found)) for found in trials.values()],
        [Cost("rnn", 10, 1.5, 1.0), Cost("gru", 30, 3.0, 2.0)],
    )
    _, start, trained, *lines = "\n".join(table(findings)).splitlines()
    assert start.split()[-4:] == ["5.0e-01", "9.8e-04", "9.3e-10", "7.9e-31"]
    assert trained.split()[:3] == ["rnn", "trained", "at"] and trained.endswith(4 * "   1.0e+00")
    assert "lstm chrono     20" in lines
    assert lines[-1].split() == ["gru", "30", "parameters", "3.00", "ms", "2.00", "x"]
    assert json.loads(json.dumps(asdict(findings)))["horizons"][0]["trials"][2]["length"] == 40
    nothing = Horizon((LabTrial("rnn", "copying", 10, 1, 0.01, 50, 0.9, False),))
    findings.horizons.append(nothing)
    draw(tmp_path / "lab.png", findings)
    data = (tmp_path / "lab.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(data[16:20], "big") == 1210
