"""How likely is a word right? From its least sure label to a probability that keeps its word.

docs/decisions/004-confidence.md says why it is this simple, and why it is a file of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT, parse, to_dict
from asr.base.files import atomic_write
from asr.errors import ConfigError, ModelError, reason
from asr.networks.model_directory import CALIBRATION_FILE
from asr.results import Transcript

BINS = 10
"""Of equal width over 0–1, for the expected calibration error and its picture."""
RIDGE = 1e-2
"""Keeps the slope finite where right and wrong words do not overlap."""

Judged = tuple[float, bool]
"""A word's confidence, and whether the word was right."""


@dataclass(frozen=True, config=STRICT)
class Curve:
    """P(right) = 1 / (1 + exp(−(bias + slope × p))), with p the probability of the word's least
    sure label: logistic calibration (Platt, 1999). The rest says what made it."""

    bias: float
    slope: float
    """0 or more: a surer label never makes a word less sure."""
    words: int
    ece_before: float
    """Expected calibration error of p itself, on the words that the curve was fitted to."""
    ece_after: float
    """Of the curve, with each word's recording left out of the fit (ten folds)."""
    decoding: dict[str, Any]
    manifests: dict[str, str]
    """Name → SHA-256."""
    command: str
    commit: str

    def __post_init__(self) -> None:
        if not (self.slope >= 0 and math.isfinite(self.slope) and math.isfinite(self.bias)):
            raise ConfigError(f"slope must be 0 or more, found {self.slope}, bias {self.bias}")


@dataclass(frozen=True, config=STRICT)
class Calibration:
    """The content of `calibration.json`: a curve for each kind of decoding that has been fitted.

    A language model makes words right whose sound was unsure, and so needs a curve of its own.
    """

    weights_sha256: str
    plain: Curve | None = None
    lm: Curve | None = None

    def curve(self, has_lm: bool) -> Curve | None:
        """The curve to use with or without a language model."""
        return self.lm if has_lm else self.plain


def load_calibration(folder: Path, weights_sha256: str) -> Calibration:
    """The curves of a model; none if there is no file, or it was made for other weights.

    Raises:
        ModelError: the file cannot be read.
        ConfigError: a key of it is wrong.
    """
    path = folder / CALIBRATION_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Calibration(weights_sha256)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path}: cannot be read: {reason(error)}; make it again with asr calibrate, "
            "or delete it"
        ) from None
    if not isinstance(values, dict):
        raise ModelError(f"{path}: expected one JSON object")
    found = parse(Calibration, values, str(path), complete=True)
    return found if found.weights_sha256 == weights_sha256 else Calibration(weights_sha256)


def save_calibration(folder: Path, calibration: Calibration) -> Path:
    """Write it beside the weights; returns its path."""
    with atomic_write(folder / CALIBRATION_FILE) as file:
        file.write(json.dumps(to_dict(calibration), indent=2, ensure_ascii=False) + "\n")
    return folder / CALIBRATION_FILE


def word_confidence(scores: Sequence[float], curve: Curve | None) -> float:
    """Probability (0–1) that a word is right, from its labels' scores (log-probabilities, nats).

    Without a curve it is the probability of the least sure label: good for ranking, and no more.
    """
    least = math.exp(min(scores))
    return least if curve is None else _logistic(curve.bias + curve.slope * least)


def judge(reference: str, transcript: Transcript, normalise: Callable[[str], str]) -> list[Judged]:
    """Each word's confidence, and whether the alignment with `reference` has it right."""
    import jiwer  # not for every start of a program

    pairs = [(word, w.confidence) for w in transcript.words for word in normalise(w.text).split()]
    right = [False] * len(pairs)
    expected = " ".join(normalise(reference).split())
    if pairs and expected:  # jiwer refuses empty references
        output = jiwer.process_words(expected, " ".join(word for word, _ in pairs))
        for chunk in output.alignments[0]:
            if chunk.type == "equal":
                for i in range(chunk.hyp_start_idx, chunk.hyp_end_idx):
                    right[i] = True
    return [(confidence, ok) for (_, confidence), ok in zip(pairs, right, strict=True)]


def bins(judged: Sequence[Judged]) -> np.ndarray:
    """Words, sum of confidences and right words in each bin: float64 [BINS, 3]."""
    table = np.zeros([BINS, 3])
    for confidence, right in judged:
        table[min(int(confidence * BINS), BINS - 1)] += 1, confidence, right
    return table


def expected_calibration_error(judged: Sequence[Judged]) -> float | None:
    """Mean distance of confidence and share of right words over the bins, weighted by their words
    (Naeini et al., 2015): a fraction; None without words."""
    if not judged:
        return None
    return float(np.abs(np.diff(bins(judged)[:, 1:], axis=1)).sum() / len(judged))


def fit(judged: Sequence[Judged]) -> tuple[float, float]:
    """Bias and slope that make the judgements likeliest, by Newton's method with a small ridge."""
    x = np.array([[1.0, p] for p, _ in judged])
    y = np.array([float(right) for _, right in judged])
    # As if one word more were right and one wrong: a dev set without errors must not mean "never".
    share = (y.sum() + 1) / (len(y) + 2)
    weights = np.array([math.log(share / (1 - share)), 0.0])
    for _ in range(100):
        p = np.array([_logistic(v) for v in x @ weights])
        gradient = x.T @ (y - p) - RIDGE * weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-9:
            break
    if weights[1] < 0:  # surer labels were more often wrong: the labels say nothing here
        return math.log(share / (1 - share)), 0.0
    return float(weights[0]), float(weights[1])


def cross_validated(recordings: Sequence[Sequence[Judged]], folds: int = 10) -> list[Judged]:
    """Each word judged by a curve that was fitted to the other folds' recordings."""
    found: list[Judged] = []
    for fold in range(folds):
        rest = [pair for i, r in enumerate(recordings) if i % folds != fold for pair in r]
        bias, slope = fit(rest)
        mine = [pair for r in recordings[fold::folds] for pair in r]
        found += [(_logistic(bias + slope * p), right) for p, right in mine]
    return found


def _logistic(value: float) -> float:
    return 0.5 * (1 + math.tanh(value / 2))
