"""Pictures for where a person would rather look than read: PNG files, and, for notebooks, the parts
that they are made of, each drawn on axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asr import ctc
from asr.base.files import atomic_write
from asr.decoding.confidence import BINS, Judged, bins
from asr.results import Word
from asr.text.tokenizers import BLANK

SEEN = 0.1
"""Labels that never get this probability have no row in a picture of posteriors."""

RANGE = 80.0
"""Decibels below the loudest that a spectrogram shows: what is still fainter nobody hears."""


def draw_waveform(axes: Axes, samples: np.ndarray, sample_rate: int) -> None:
    """Samples [n] over seconds."""
    axes.plot(np.arange(len(samples)) / sample_rate, samples, linewidth=0.5)
    axes.set(ylabel="amplitude", xlim=(0, len(samples) / sample_rate))


def draw_spectrogram(axes: Axes, samples: np.ndarray, sample_rate: int) -> None:
    """Power of samples [n] in −1…1 over seconds and Hz, in windows of 25 ms."""
    window = sample_rate // 40
    # A floor far below speech: digital silence would be minus infinity.
    floor = np.random.default_rng(0).normal(0, 1e-5, len(samples))
    *_, image = axes.specgram(
        samples + floor, NFFT=window, Fs=sample_rate, noverlap=window * 3 // 4, cmap="Greys"
    )
    loudest = image.get_clim()[1]
    image.set_clim(loudest - RANGE, loudest)
    axes.set(ylabel="Hz", xlim=(0, len(samples) / sample_rate), ylim=(0, sample_rate / 2))


def draw_words(axes: Axes, words: Sequence[Word]) -> None:
    """Each word where it was said, over whatever the axes show by seconds."""
    for word in words:
        axes.axvspan(word.start, word.end, alpha=0.15)
        for edge in (word.start, word.end):
            axes.axvline(edge, linewidth=0.8)
        axes.text(
            (word.start + word.end) / 2, 0.97, word.text, ha="center", va="top", parse_math=False,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip


def draw_frames(axes: Axes, values: np.ndarray, hop_seconds: float, signed: bool = False) -> None:
    """Values [frames, n] over seconds, such as mel bands; `signed` ones, as MFCCs, around zero."""
    # A hundredth of the values may be off the scale, so that the others can be told apart.
    limit = float(np.percentile(np.abs(values), 99)) or 1.0
    colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if signed else {"cmap": "magma"}
    extent = (0, len(values) * hop_seconds, -0.5, values.shape[1] - 0.5)
    axes.imshow(
        values.T, origin="lower", aspect="auto", interpolation="nearest", extent=extent, **colours
    )


def draw_posteriors(
    axes: Axes, probabilities: np.ndarray, labels: Sequence[str], frame_seconds: float
) -> None:
    """Probabilities [frames, labels] over seconds; a row for each label that is ever likely."""
    rows = [BLANK, *(i for i in range(probabilities.shape[1])
                     if i != BLANK and probabilities[:, i].max() > SEEN)]  # fmt: skip
    axes.imshow(
        probabilities[:, rows].T, aspect="auto", cmap="magma", vmin=0, vmax=1,
        interpolation="nearest",
        extent=(0, len(probabilities) * frame_seconds, len(rows) - 0.5, -0.5),
    )  # fmt: skip
    axes.set_yticks(range(len(rows)), [_name(labels, i) for i in rows])


def draw_lattice(
    axes: Axes, log_probabilities: np.ndarray, labels: Sequence[str], path: ctc.Path
) -> None:
    """CTC's lattice of a short text: every way through it is an alignment, `path` the best one.

    States, from top to bottom, are a blank, the first label, a blank, …; a state's area is its
    label's probability in that frame.

    Args:
        log_probabilities: [frames, labels] in nats. path: by `ctc.align`.
    """
    count = len(log_probabilities)
    states = [BLANK, *(state for label in path.labels for state in (label, BLANK))]
    # Which state may follow which: itself, the next, and over a blank if the labels differ.
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
    """How much each target symbol looked at each source symbol.

    Args:
        weights: [targets + 1, sources], the sum of each row 1, as in `Conversion.attention`; the
            last row is of the end.
    """
    axes.imshow(weights, cmap="magma", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(sources)), sources, parse_math=False)
    axes.set_yticks(range(len(targets) + 1), [*targets, "end"], parse_math=False)
    axes.set(xlabel="source", ylabel="target")


def training_curves(path: Path, history: Sequence[dict[str, float]]) -> None:
    """Loss, dev error rates and learning rate over the epochs, as PNG."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(12, 3.5), layout="constrained")
    loss, errors, rate = figure.subplots(1, 3)
    loss.plot(epochs, [row["loss"] for row in history], marker=".")
    loss.set(title="training loss", xlabel="epoch", yscale="log")
    for key in history[0]:
        if key.startswith("dev_"):
            errors.plot(epochs, [row[key] for row in history], marker=".", label=key)
            errors.legend()
    errors.set(title="dev error", xlabel="epoch", ylim=(0, None))
    rate.plot(epochs, [row["learning_rate"] for row in history])
    rate.set(title="learning rate", xlabel="epoch")
    _save(figure, path)


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
) -> None:
    """Waveform, MFCCs and label posteriors of one recording over one time axis, as PNG.

    Args:
        samples: [n] in −1…1. features: [frames, coefficients]. posteriors: [frames', labels].
        hop_seconds, frame_seconds: duration of a feature frame and of a posterior frame.
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
    _save(figure, path)


def alignment(
    path: Path, samples: np.ndarray, sample_rate: int, words: Sequence[Word], title: str
) -> None:
    """Spectrogram of a recording with each word where it was said, as PNG.

    Args:
        samples: [n] in −1…1.
    """
    end = len(samples) / sample_rate
    # About as wide as needed to read the words; a long recording has its picture in pieces.
    figure = Figure(figsize=(min(max(8.0, 2.5 * end), 300.0), 4), layout="constrained")
    axes = figure.subplots()
    draw_spectrogram(axes, samples, sample_rate)
    draw_words(axes, words)
    axes.set_title(title, parse_math=False)
    axes.set(xlabel="seconds")
    _save(figure, path)


def mels(path: Path, spectrograms: dict[str, np.ndarray], hop_seconds: float, title: str) -> None:
    """Log-mel spectrograms [frames, mels] by name, below each other, as PNG."""
    figure = Figure(figsize=(12, 3 * len(spectrograms)), layout="constrained")
    rows = figure.subplots(len(spectrograms), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, frames) in zip(rows, spectrograms.items(), strict=True):
        draw_frames(axes, frames, hop_seconds)
        axes.set(ylabel=f"{name}: mel band")
    rows[0].set_title(title, parse_math=False)
    rows[-1].set(xlabel="seconds")
    _save(figure, path)


def reliability(path: Path, judged: Sequence[Judged], title: str) -> None:
    """Share of right words over their confidence, and how many words there are, as PNG."""
    table = bins(judged)
    centres = (np.arange(BINS) + 0.5) / BINS
    figure = Figure(figsize=(6, 6), layout="constrained")
    share, count = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    share.plot([0, 1], [0, 1], linestyle="--", color="grey", label="as it should be")
    filled = table[:, 0] > 0
    words = table[filled]
    share.bar(centres[filled], words[:, 2] / words[:, 0], width=0.9 / BINS, alpha=0.5)
    share.plot(words[:, 1] / words[:, 0], words[:, 2] / words[:, 0], marker="o", label="measured")
    share.set(ylabel="share of right words", xlim=(0, 1), ylim=(0, 1))
    share.set_title(title, parse_math=False)
    share.legend(loc="upper left")
    count.bar(centres, table[:, 0], width=0.9 / BINS, alpha=0.5)
    count.set(xlabel="confidence", ylabel="words")
    _save(figure, path)


def attention(
    path: Path, weights: np.ndarray, sources: Sequence[str], targets: Sequence[str], title: str
) -> None:
    """How much each target symbol looked at each source symbol, as PNG; see `draw_attention`."""
    size = (2.5 + 0.4 * len(sources), 2.0 + 0.35 * len(targets))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    draw_attention(axes, weights, sources, targets)
    axes.set_title(title, parse_math=False)
    _save(figure, path)


def _name(labels: Sequence[str], label: int) -> str:
    return "blank" if label == BLANK else "space" if labels[label] == " " else labels[label]


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path, binary=True) as file:
        figure.savefig(file, format="png", dpi=110)
