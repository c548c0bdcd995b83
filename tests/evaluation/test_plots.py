from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asr import ctc
from asr.decoding.confidence import JudgedWord
from asr.evaluation import plots
from asr.results import Word


def is_png(path: Path) -> bool:
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def labels_of(axes: Axes) -> tuple[str, str]:
    return axes.get_xlabel(), axes.get_ylabel()


def test_training_curves_show_loss_error_rates_and_learning_rate(tmp_path: Path) -> None:
    history = [
        {"epoch": e, "loss": 9 / e, "dev_wer": 1 / e, "dev_cer": 0.5 / e, "learning_rate": 1e-3}
        for e in (1, 2, 3)
    ]
    figure = plots.training_curves(tmp_path / "curves.png", history)
    assert is_png(tmp_path / "curves.png")
    loss, errors, rate = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch"] * 3
    assert [len(axes.lines) for axes in figure.axes] == [1, 2, 1]
    assert list(loss.lines[0].get_ydata()) == [9, 4.5, 3]
    assert [line.get_label() for line in errors.lines] == ["dev_wer", "dev_cer"]
    assert list(rate.lines[0].get_ydata()) == [1e-3] * 3


def test_recording_shows_waveform_features_and_posteriors(tmp_path: Path) -> None:
    posteriors = np.full([50, 4], 0.01)
    posteriors[np.arange(50), np.arange(50) % 3] = 0.97
    features = np.random.default_rng(0).normal(size=[100, 39])
    figure = plots.recording(
        tmp_path / "recording.png",
        samples=np.sin(np.arange(16_000)),
        sample_rate=16_000,
        features=features,
        hop_seconds=0.01,
        posteriors=posteriors,
        labels=["", " ", "a", "b"],
        frame_seconds=0.02,
        title="title",
    )
    assert is_png(tmp_path / "recording.png")
    wave, cepstra, rows = figure.axes
    assert wave.get_title() == "title" and len(wave.lines[0].get_ydata()) == 16_000
    np.testing.assert_array_equal(cepstra.images[0].get_array(), features.T)
    # Label "b" is never probable.
    np.testing.assert_array_equal(rows.images[0].get_array(), posteriors[:, :3].T)
    assert [label.get_text() for label in rows.get_yticklabels()] == ["blank", "space", "a"]
    assert rows.get_xlabel() == "seconds" and rows.get_xlim() == (0, 1)


def test_alignment_shows_the_words_at_their_times(tmp_path: Path) -> None:
    words = [Word("go", 0.2, 0.5, 0.9), Word("$x_$^", 0.5, 0.9, 0.1)]
    samples = np.concatenate([np.zeros(8000), np.sin(np.arange(40_000))])
    figure = plots.alignment(tmp_path / "alignment.png", samples, 16_000, words, "$_$^.wav")
    assert is_png(tmp_path / "alignment.png")
    (axes,) = figure.axes
    assert axes.get_title() == "$_$^.wav" and labels_of(axes) == ("seconds", "Hz")
    assert [text.get_text() for text in axes.texts] == ["go", "$x_$^"]
    assert [line.get_xdata()[0] for line in axes.lines] == [0.2, 0.5, 0.5, 0.9]


def test_reliability_shows_the_share_of_right_words_by_confidence(tmp_path: Path) -> None:
    judged = [JudgedWord(0.9, True), JudgedWord(0.92, False), JudgedWord(0.1, False)]
    figure = plots.reliability(tmp_path / "reliability.png", judged, "title")
    assert is_png(tmp_path / "reliability.png")
    share, count = figure.axes
    assert share.get_title() == "title" and labels_of(count) == ("confidence", "words")
    measured = share.lines[1]
    assert list(measured.get_xdata()) == pytest.approx([0.1, 0.91])
    assert list(measured.get_ydata()) == [0, 0.5]
    assert [bar.get_height() for bar in count.patches] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 2]


def test_reliability_of_no_words_has_no_points(tmp_path: Path) -> None:
    figure = plots.reliability(tmp_path / "none.png", [], "no words")
    assert is_png(tmp_path / "none.png")
    assert len(figure.axes[0].lines[1].get_xdata()) == 0


def test_mels_shows_a_row_for_each_spectrogram(tmp_path: Path) -> None:
    rows = {"voice": np.ones([20, 8]), "natural": np.zeros([30, 8])}
    figure = plots.mels(tmp_path / "mels.png", rows, 0.01, "title")
    assert is_png(tmp_path / "mels.png")
    assert [axes.get_ylabel() for axes in figure.axes] == ["voice: mel band", "natural: mel band"]
    assert [axes.images[0].get_array().shape for axes in figure.axes] == [(8, 20), (8, 30)]


def test_lattice_has_every_alignment_and_no_other() -> None:
    """The text "aab" in 5 frames: a blank must separate the equal labels."""
    log_probabilities = ctc.log_softmax(np.random.default_rng(3).normal(size=[5, 3]))
    path = ctc.align(log_probabilities, [1, 1, 2])
    axes = Figure().subplots()
    plots.draw_lattice(axes, log_probabilities, ["", "a", "b"], path)
    steps = {
        (int(x0), int(y0), int(y1))
        for (x0, _), (y0, y1) in (line.get_data() for line in axes.lines)
    }
    drawn = [
        states
        for states in itertools.product(range(7), repeat=5)
        if states[0] < 2
        and states[-1] > 4
        and all((t, *pair) in steps for t, pair in enumerate(itertools.pairwise(states)))
    ]
    label_of_state = [0, 1, 0, 1, 0, 2, 0]
    alignments = [tuple(label_of_state[state] for state in states) for states in drawn]
    expected = [
        labels
        for labels in itertools.product(range(3), repeat=5)
        if [k for k, _ in itertools.groupby(labels) if k] == [1, 1, 2]
    ]
    assert sorted(alignments) == sorted(expected)
    # The thick line is the best alignment.
    thick = [line.get_ydata() for line in axes.lines if line.get_linewidth() > 1]
    states = [*(int(y0) for y0, _ in thick), int(thick[-1][1])]
    labels = [label_of_state[state] for state in states]
    assert log_probabilities[range(5), labels].sum() == pytest.approx(path.score)
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["blank", "a"]


def test_word_and_label_names_are_drawn_literally() -> None:
    axes = Figure().subplots()
    plots.draw_words(axes, [Word("$x_$^", 0.5, 0.9, 0.1)])
    assert axes.texts[0].get_text() == "$x_$^" and axes.texts[0].get_position()[0] == 0.7
    probabilities = np.array([[0.9, 0.05, 0.05, 0], [0, 0.05, 0.95, 0]])
    plots.draw_posteriors(axes, probabilities, ["", "a", " ", "c"], 0.02)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["blank", "space"]


def test_attention_shows_weights_of_sources_and_targets(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).dirichlet(np.ones(5), 4)
    figure = plots.attention(
        tmp_path / "attention.png", weights, ["$a$", *"bcde"], ["X", "Y_$", "Z"], "$"
    )
    assert is_png(tmp_path / "attention.png")
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.images[0].get_array(), weights)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["$a$", *"bcde"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["X", "Y_$", "Z", "end"]
    assert labels_of(axes) == ("source", "target")


def test_failed_write_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    with pytest.raises(OSError, match=r"x\.png"):
        plots.training_curves(tmp_path / "x.png", [{"epoch": 1, "loss": 1, "learning_rate": 1}])
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]
