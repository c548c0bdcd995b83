from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from asr import ctc
from asr.evaluation import plots
from asr.results import Word


def size(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def test_curves_and_recordings_are_drawn_whole(tmp_path: Path) -> None:
    rows = [
        {"epoch": e, "loss": 9 / e, "dev_wer": 1 / e, "dev_cer": 0.5 / e, "learning_rate": 1e-3}
        for e in (1, 2, 3)
    ]
    plots.training_curves(tmp_path / "curves.png", rows)
    assert size(tmp_path / "curves.png") == (1320, 385)
    posteriors = np.full([50, 4], 0.01)
    posteriors[np.arange(50), np.arange(50) % 3] = 0.97
    plots.recording(
        tmp_path / "r.png", np.sin(np.arange(16_000)), 16_000, np.random.default_rng(0).normal(
        size=[100, 39]), 0.01, posteriors, ["", " ", "a", "b"], 0.02, "title",
    )  # fmt: skip
    assert size(tmp_path / "r.png") == (1320, 880)


def test_words_and_reliability_are_drawn_whole(tmp_path: Path) -> None:
    words = [Word("go", 0.2, 0.5, 0.9), Word("$x_$^", 0.5, 0.9, 0.1)]
    samples = np.concatenate([np.zeros(8000), np.sin(np.arange(40_000))])
    plots.alignment(tmp_path / "a.png", samples, 16_000, words, "$_$^.wav")
    assert size(tmp_path / "a.png") == (880, 440)
    plots.reliability(tmp_path / "r.png", [(0.9, True), (0.92, False), (0.1, False)], "title")
    assert size(tmp_path / "r.png") == (660, 660)
    plots.reliability(tmp_path / "none.png", [], "nothing was heard")
    assert size(tmp_path / "none.png") == (660, 660)


def test_a_lattice_has_every_alignment_and_no_other() -> None:
    """Of "aab" in 5 frames: a blank must part the equal labels."""
    log_probabilities = ctc.log_softmax(np.random.default_rng(3).normal(size=[5, 3]))
    path = ctc.align(log_probabilities, [1, 1, 2])
    axes = Figure().subplots()
    plots.draw_lattice(axes, log_probabilities, ["", "a", "b"], path)
    steps = {
        (int(x0), int(y0), int(y1))
        for (x0, _), (y0, y1) in (line.get_data() for line in axes.lines)
    }
    ways = [
        states
        for states in itertools.product(range(7), repeat=5)
        if states[0] < 2
        and states[-1] > 4
        and all((t, *pair) in steps for t, pair in enumerate(itertools.pairwise(states)))
    ]
    texts = [[[0, 1, 0, 1, 0, 2, 0][s] for s in states] for states in ways]
    wanted = [
        labels
        for labels in itertools.product(range(3), repeat=5)
        if [k for k, _ in itertools.groupby(labels) if k] == [1, 1, 2]
    ]
    assert sorted(map(tuple, texts)) == sorted(wanted)
    # The best way is the thick one.
    thick = [line.get_ydata() for line in axes.lines if line.get_linewidth() > 1]
    states = [*(int(y0) for y0, _ in thick), int(thick[-1][1])]
    labels = [[0, 1, 0, 1, 0, 2, 0][s] for s in states]
    assert log_probabilities[range(5), labels].sum() == pytest.approx(path.score)
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["blank", "a"]


def test_words_and_labels_are_named_where_they_are() -> None:
    axes = Figure().subplots()
    plots.draw_words(axes, [Word("$x_$^", 0.5, 0.9, 0.1)])
    assert axes.texts[0].get_text() == "$x_$^" and axes.texts[0].get_position()[0] == 0.7
    probabilities = np.array([[0.9, 0.05, 0.05, 0], [0, 0.05, 0.95, 0]])
    plots.draw_posteriors(axes, probabilities, ["", "a", " ", "c"], 0.02)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["blank", "space"]


def test_attention_is_drawn_whole(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).dirichlet(np.ones(5), 4)
    plots.attention(tmp_path / "a.png", weights, ["$a$", *"bcde"], ["X", "Y_$", "Z"], "$")
    assert size(tmp_path / "a.png") == (495, 335)


def test_a_picture_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    with pytest.raises(OSError):
        plots.training_curves(tmp_path / "x.png", [{"epoch": 1, "loss": 1, "learning_rate": 1}])
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]
