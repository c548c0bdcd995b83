"""Pictures for where a person would rather look than read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from asr.confidence import BINS, Judged, bins
from asr.files import atomic_write
from asr.results import Word
from asr.text import BLANK

SEEN = 0.1
"""Labels that never get this probability have no row in a picture of posteriors."""


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
    end = len(samples) / sample_rate
    figure = Figure(figsize=(12, 8), layout="constrained")
    wave, cepstra, lattice = figure.subplots(3, 1, sharex=True, height_ratios=[1, 1.2, 2])
    wave.plot(np.arange(len(samples)) / sample_rate, samples, linewidth=0.5)
    wave.set(ylabel="amplitude", title=title)
    limit = float(np.percentile(np.abs(features), 99)) or 1.0
    cepstra.imshow(
        features.T, origin="lower", aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit,
        extent=(0, len(features) * hop_seconds, -0.5, features.shape[1] - 0.5),
    )  # fmt: skip
    cepstra.set(ylabel="MFCC, Δ, ΔΔ (normalised)")
    rows = [BLANK, *(i for i in range(posteriors.shape[1])
                     if i != BLANK and posteriors[:, i].max() > SEEN)]  # fmt: skip
    lattice.imshow(
        posteriors[:, rows].T, aspect="auto", cmap="magma", vmin=0, vmax=1, interpolation="nearest",
        extent=(0, len(posteriors) * frame_seconds, len(rows) - 0.5, -0.5),
    )  # fmt: skip
    names = ["blank" if i == BLANK else "space" if labels[i] == " " else labels[i] for i in rows]
    lattice.set_yticks(range(len(rows)), names)
    lattice.set(ylabel="posterior of each label", xlabel="seconds", xlim=(0, end))
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
    window = sample_rate // 40
    # A floor far below speech: digital silence would be minus infinity.
    axes.specgram(
        samples + np.random.default_rng(0).normal(0, 1e-5, len(samples)), NFFT=window,
        Fs=sample_rate, noverlap=window * 3 // 4, cmap="Greys",
    )  # fmt: skip
    top = sample_rate / 2
    for word in words:
        axes.axvspan(word.start, word.end, alpha=0.15)
        for edge in (word.start, word.end):
            axes.axvline(edge, linewidth=0.8)
        middle = (word.start + word.end) / 2
        axes.text(middle, 0.97 * top, word.text, ha="center", va="top", parse_math=False)
    axes.set_title(title, parse_math=False)
    axes.set(xlabel="seconds", ylabel="Hz", xlim=(0, end), ylim=(0, top))
    _save(figure, path)


def mels(path: Path, spectrograms: dict[str, np.ndarray], hop_seconds: float, title: str) -> None:
    """Log-mel spectrograms [frames, mels] by name, below each other, as PNG."""
    figure = Figure(figsize=(12, 3 * len(spectrograms)), layout="constrained")
    rows = figure.subplots(len(spectrograms), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, frames) in zip(rows, spectrograms.items(), strict=True):
        extent = (0, len(frames) * hop_seconds, -0.5, frames.shape[1] - 0.5)
        axes.imshow(frames.T, origin="lower", aspect="auto", cmap="magma", extent=extent)
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
    """How much each target symbol looked at each source symbol, as PNG.

    Args:
        weights: [targets + 1, sources], of each row the sum 1, as in `Conversion.attention`; the
            last row is of the end.
    """
    rows = [*targets, "end"]
    size = (2.5 + 0.4 * len(sources), 1.5 + 0.35 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(weights, cmap="magma", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(sources)), sources, parse_math=False)
    axes.set_yticks(range(len(rows)), rows, parse_math=False)
    axes.set(xlabel="source", ylabel="target")
    axes.set_title(title, parse_math=False)
    figure.colorbar(image, label="attention")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path, binary=True) as file:
        figure.savefig(file, format="png", dpi=110)
