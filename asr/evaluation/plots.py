"""Plots: functions `draw_…` draw on axes, for notebooks; the other functions write PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asr import ctc
from asr.base.files import atomic_write
from asr.decoding.confidence import BINS, JudgedWord, reliability_bins
from asr.results import Word
from asr.text.tokenizers import BLANK

MIN_PROBABILITY = 0.1
"""Labels that never reach this probability have no row in a plot of posteriors."""
DYNAMIC_RANGE = 80.0
"""Range of a spectrogram below its maximum, in dB. Fainter sound is inaudible."""


def draw_waveform(axes: Axes, samples: np.ndarray, sample_rate: int) -> None:
    """Draw samples, [n] in −1…1, over time in seconds."""
    axes.plot(np.arange(len(samples)) / sample_rate, samples, linewidth=0.5)
    axes.set(ylabel="amplitude", xlim=(0, len(samples) / sample_rate))


def draw_spectrogram(axes: Axes, samples: np.ndarray, sample_rate: int) -> None:
    """Draw a spectrogram of samples, [n] in −1…1, with windows of 25 ms."""
    window = sample_rate // 40
    # Noise far below speech, because the power of digital silence is minus infinity in dB.
    floor = np.random.default_rng(0).normal(0, 1e-5, len(samples))
    *_, image = axes.specgram(
        samples + floor, NFFT=window, Fs=sample_rate, noverlap=window * 3 // 4, cmap="Greys"
    )
    loudest = image.get_clim()[1]
    image.set_clim(loudest - DYNAMIC_RANGE, loudest)
    axes.set(ylabel="Hz", xlim=(0, len(samples) / sample_rate), ylim=(0, sample_rate / 2))


def draw_words(axes: Axes, words: Sequence[Word]) -> None:
    """Mark the times of words in axes whose x-axis has seconds."""
    for word in words:
        axes.axvspan(word.start, word.end, alpha=0.15)
        for edge in (word.start, word.end):
            axes.axvline(edge, linewidth=0.8)
        axes.text(
            (word.start + word.end) / 2,
            0.97,
            word.text,
            ha="center",
            va="top",
            parse_math=False,
            transform=axes.get_xaxis_transform(),
        )


def draw_frames(axes: Axes, values: np.ndarray, hop_seconds: float, signed: bool = False) -> None:
    """Draw a matrix of features over time.

    Args:
        axes: where to draw.
        values: [frames, n], such as n mel bands.
        hop_seconds: duration of a frame.
        signed: whether the colours are symmetric around zero, as for MFCCs. Default False.
    """
    # The scale covers 99 % of the values, so that outliers do not hide the differences.
    limit = float(np.percentile(np.abs(values), 99)) or 1.0
    colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if signed else {"cmap": "magma"}
    extent = (0, len(values) * hop_seconds, -0.5, values.shape[1] - 0.5)
    axes.imshow(
        values.T, origin="lower", aspect="auto", interpolation="nearest", extent=extent, **colours
    )


def draw_posteriors(
    axes: Axes, probabilities: np.ndarray, labels: Sequence[str], frame_seconds: float
) -> None:
    """Draw label posteriors over time, with a row for the blank and for each probable label.

    Args:
        axes: where to draw.
        probabilities: [frames, labels].
        labels: text of each label.
        frame_seconds: duration of a frame.
    """
    probable = np.flatnonzero(probabilities.max(axis=0, initial=0) > MIN_PROBABILITY).tolist()
    rows = [BLANK, *(label for label in probable if label != BLANK)]
    axes.imshow(
        probabilities[:, rows].T,
        aspect="auto",
        cmap="magma",
        vmin=0,
        vmax=1,
        interpolation="nearest",
        extent=(0, len(probabilities) * frame_seconds, len(rows) - 0.5, -0.5),
    )
    axes.set_yticks(range(len(rows)), [_name(labels, i) for i in rows])


def draw_lattice(
    axes: Axes, log_probabilities: np.ndarray, labels: Sequence[str], path: ctc.Path
) -> None:
    """Draw the CTC lattice of a short text.

    Every path through the lattice is an alignment; a thick line marks the best one. The states are
    a blank, the first label, a blank, and so on from top to bottom. The area of a state is the
    probability of its label in that frame.

    Args:
        axes: where to draw.
        log_probabilities: [frames, labels] in nats.
        labels: text of each label.
        path: the best alignment, by `ctc.align`.
    """
    count = len(log_probabilities)
    states = [BLANK, *(state for label in path.labels for state in (label, BLANK))]
    # follows[s, r]: whether state s may follow state r, which is s itself, the one before it, or
    # the label before it if the labels differ.
    follows = np.eye(len(states), dtype=bool) | np.eye(len(states), k=-1, dtype=bool)
    for s in range(3, len(states), 2):
        follows[s, s - 2] = states[s] != states[s - 2]
    begun, ended = [np.arange(len(states)) < 2], [np.arange(len(states)) >= len(states) - 2]
    for _ in range(count - 1):
        begun.append(follows @ begun[-1])
        ended.append(ended[-1] @ follows)
    possible = np.array(begun) & np.array(ended[::-1])
    best = np.zeros(count, int)
    for i, (start, end) in enumerate(zip(path.starts, path.ends, strict=True)):
        best[start:end], best[end:] = 2 * i + 1, 2 * i + 2
    for t, s, before in zip(
        *np.nonzero(possible[1:, :, None] & possible[:-1, None, :] & follows), strict=True
    ):
        chosen = best[t] == before and best[t + 1] == s
        colour, width = ("C1", 2.5) if chosen else ("0.75", 0.8)
        axes.plot([t, t + 1], [before, s], color=colour, linewidth=width, zorder=1 + chosen)
    frame, state = np.nonzero(possible)
    area = 400 * np.exp(log_probabilities[frame, np.array(states)[state]])
    axes.scatter(frame, state, area, color="C0", zorder=3)
    axes.set_yticks(range(len(states)), [_name(labels, s) for s in states])
    axes.set(xlabel="frame", xlim=(-0.5, count - 0.5), ylim=(len(states) - 0.5, -0.5))


def draw_attention(
    axes: Axes, weights: np.ndarray, sources: Sequence[str], targets: Sequence[str]
) -> None:
    """Draw the attention weights of a sequence-to-sequence model.

    Args:
        axes: where to draw.
        weights: [targets + 1, sources], as in `Conversion.attention`. The sum of each row is 1;
            the last row belongs to the end symbol.
        sources: source symbols.
        targets: target symbols, without the end symbol.
    """
    axes.imshow(weights, cmap="magma", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(sources)), sources, parse_math=False)
    axes.set_yticks(range(len(targets) + 1), [*targets, "end"], parse_math=False)
    axes.set(xlabel="source", ylabel="target")


def training_curves(path: Path, history: Sequence[dict[str, float]]) -> Figure:
    """Plot loss, dev error rates and learning rate over the epochs.

    Args:
        path: PNG file to write.
        history: values of each epoch by name, as in `history.jsonl`.

    Returns:
        The figure.
    """
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(12, 3.5))
    loss, errors, rate = figure.subplots(1, 3)
    # Not a layout that measures all texts: every epoch draws this figure.
    figure.subplots_adjust(left=0.06, right=0.985, top=0.9, bottom=0.15, wspace=0.25)
    loss.plot(epochs, [row["loss"] for row in history], marker=".")
    loss.set(title="training loss", xlabel="epoch", yscale="log")
    for key in history[0]:
        if key.startswith("dev_"):
            errors.plot(epochs, [row[key] for row in history], marker=".", label=key)
            errors.legend()
    errors.set(title="dev error", xlabel="epoch", ylim=(0, None))
    rate.plot(epochs, [row["learning_rate"] for row in history])
    rate.set(title="learning rate", xlabel="epoch")
    return _save(figure, path)


def recording(
    path: Path,
    samples: np.ndarray,
    sample_rate: int,
    features: np.ndarray,
    hop_seconds: float,
    posteriors: np.ndarray,
    labels: Sequence[str],
    frame_seconds: float,
    title: str,
) -> Figure:
    """Plot waveform, MFCCs and label posteriors of a recording over one time axis.

    Args:
        path: PNG file to write.
        samples: [n] in −1…1.
        sample_rate: in Hz.
        features: [frames, coefficients].
        hop_seconds: duration of a feature frame.
        posteriors: [frames', labels].
        labels: text of each label.
        frame_seconds: duration of a frame of posteriors.
        title: title of the figure.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(12, 8), layout="constrained")
    wave, cepstra, lattice = figure.subplots(3, 1, sharex=True, height_ratios=[1, 1.2, 2])
    draw_waveform(wave, samples, sample_rate)
    wave.set_title(title, parse_math=False)
    draw_frames(cepstra, features, hop_seconds, signed=True)
    cepstra.set(ylabel="MFCC, Δ, ΔΔ (normalised)")
    draw_posteriors(lattice, posteriors, labels, frame_seconds)
    lattice.set(
        ylabel="posterior of each label", xlabel="seconds", xlim=(0, len(samples) / sample_rate)
    )
    return _save(figure, path)


def alignment(
    path: Path, samples: np.ndarray, sample_rate: int, words: Sequence[Word], title: str
) -> Figure:
    """Plot a spectrogram of a recording with the times of its words.

    Args:
        path: PNG file to write.
        samples: [n] in −1…1.
        sample_rate: in Hz.
        words: words with their times.
        title: title of the figure.

    Returns:
        The figure.
    """
    end = len(samples) / sample_rate
    # Wide enough to read the words, up to the largest image that matplotlib writes.
    figure = Figure(figsize=(min(max(8.0, 2.5 * end), 300.0), 4), layout="constrained")
    axes = figure.subplots()
    draw_spectrogram(axes, samples, sample_rate)
    draw_words(axes, words)
    axes.set_title(title, parse_math=False)
    axes.set(xlabel="seconds")
    return _save(figure, path)


def mels(path: Path, spectrograms: dict[str, np.ndarray], hop_seconds: float, title: str) -> Figure:
    """Plot log-mel spectrograms below each other.

    Args:
        path: PNG file to write.
        spectrograms: name → values, [frames, mels].
        hop_seconds: duration of a frame.
        title: title of the figure.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(12, 3 * len(spectrograms)), layout="constrained")
    rows = figure.subplots(len(spectrograms), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, frames) in zip(rows, spectrograms.items(), strict=True):
        draw_frames(axes, frames, hop_seconds)
        axes.set(ylabel=f"{name}: mel band")
    rows[0].set_title(title, parse_math=False)
    rows[-1].set(xlabel="seconds")
    return _save(figure, path)


def reliability(path: Path, judged: Sequence[JudgedWord], title: str) -> Figure:
    """Plot a reliability diagram: share of right words, and number of words, by confidence.

    Args:
        path: PNG file to write.
        judged: confidence of each word, and whether the word is right.
        title: title of the figure.

    Returns:
        The figure.
    """
    bins = reliability_bins(judged)
    centres = (np.arange(BINS) + 0.5) / BINS
    figure = Figure(figsize=(6, 6), layout="constrained")
    share, count = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    share.plot([0, 1], [0, 1], linestyle="--", color="grey", label="perfectly calibrated")
    filled = bins.words > 0
    confidence = bins.confidence[filled] / bins.words[filled]
    correct = bins.correct[filled] / bins.words[filled]
    share.bar(centres[filled], correct, width=0.9 / BINS, alpha=0.5)
    share.plot(confidence, correct, marker="o", label="measured")
    share.set(ylabel="share of right words", xlim=(0, 1), ylim=(0, 1))
    share.set_title(title, parse_math=False)
    share.legend(loc="upper left")
    count.bar(centres, bins.words, width=0.9 / BINS, alpha=0.5)
    count.set(xlabel="confidence", ylabel="words")
    return _save(figure, path)


def attention(
    path: Path, weights: np.ndarray, sources: Sequence[str], targets: Sequence[str], title: str
) -> Figure:
    """Plot attention weights, see `draw_attention`.

    Args:
        path: PNG file to write.
        weights: [targets + 1, sources].
        sources: source symbols.
        targets: target symbols, without the end symbol.
        title: title of the figure.

    Returns:
        The figure.
    """
    size = (2.5 + 0.4 * len(sources), 2.0 + 0.35 * len(targets))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    draw_attention(axes, weights, sources, targets)
    axes.set_title(title, parse_math=False)
    return _save(figure, path)


def _name(labels: Sequence[str], label: int) -> str:
    return "blank" if label == BLANK else "space" if labels[label] == " " else labels[label]


def _save(figure: Figure, path: Path) -> Figure:
    with atomic_write(path, binary=True) as file:
        figure.savefig(file, format="png", dpi=110)
    return figure
