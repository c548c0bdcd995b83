"""Word confidence: the probability that a word is right, from the scores of its labels.

docs/decisions/004-confidence.md gives the reasons for this simple method and for its file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic.dataclasses import dataclass

from asr import ctc
from asr.base.config import STRICT, parse, to_dict
from asr.base.files import atomic_write
from asr.errors import ConfigError, ModelError, reason
from asr.networks.model_directory import CALIBRATION_FILE
from asr.results import Transcript

BINS = 10
"""Number of bins of equal width over 0…1, for the expected calibration error and its plot."""
RIDGE = 1e-2
"""Weight of the ridge penalty, which keeps the slope finite if the confidences of right and wrong
words do not overlap."""


LOW_CONFIDENCE = 0.15
"""Confidence of an alignment below which the text is probably not what is said.
benchmarks/alignment_confidence.py measures it; docs/transcribe.md has the results."""


class JudgedWord(NamedTuple):
    """A word's confidence, 0…1, and whether the word is right."""

    confidence: float
    correct: bool


@dataclass(frozen=True, config=STRICT)
class ConfidenceCurve:
    """Logistic calibration (Platt, 1999): P(right) = 1 / (1 + exp(−(bias + slope × p))).

    p is the probability of the word's least probable label.

    Attributes:
        bias: of the logistic function.
        slope: of the logistic function; 0 or more, so that a more probable label never lowers the
            confidence.
        words: number of words that the curve was fitted to.
        ece_before: expected calibration error of p on these words.
        ece_after: expected calibration error of the curve, by cross-validation over recordings
            with ten folds.
        decoding: options of decoding.
        manifests: SHA-256 of each dev set by name.
        command: command line of the fit.
        commit: commit of the code.
    """

    bias: float
    slope: float
    words: int
    ece_before: float
    ece_after: float
    decoding: dict[str, Any]
    manifests: dict[str, str]
    command: str
    commit: str

    def __post_init__(self) -> None:
        if not (self.slope >= 0 and math.isfinite(self.slope) and math.isfinite(self.bias)):
            raise ConfigError(f"slope must be 0 or more, found {self.slope}, bias {self.bias}")


@dataclass(frozen=True, config=STRICT)
class Calibration:
    """The content of `calibration.json`.

    Decoding with a language model has a curve of its own, because the model makes words right
    whose labels are improbable.

    Attributes:
        weights_sha256: SHA-256 of the weights that the curves are valid for.
        plain: curve for decoding without a language model; None if it was not fitted.
        lm: curve for decoding with a language model; None if it was not fitted.
    """

    weights_sha256: str
    plain: ConfidenceCurve | None = None
    lm: ConfidenceCurve | None = None

    def curve(self, has_lm: bool) -> ConfidenceCurve | None:
        """The curve for decoding with or without a language model."""
        return self.lm if has_lm else self.plain


def load_calibration(folder: Path, weights_sha256: str) -> Calibration:
    """Load the curves of a model. Without a file, or with one for other weights, there are none.

    Args:
        folder: the model directory.
        weights_sha256: SHA-256 of the model's weights.

    Raises:
        ModelError: the file cannot be read.
        ConfigError: the file has a wrong key.
    """
    path = folder / CALIBRATION_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Calibration(weights_sha256)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path}: cannot be read: {reason(error)}; run asr calibrate again, or delete the file"
        ) from None
    if not isinstance(values, dict):
        raise ModelError(f"{path}: expected one JSON object")
    found = parse(Calibration, values, str(path), complete=True)
    return found if found.weights_sha256 == weights_sha256 else Calibration(weights_sha256)


def save_calibration(folder: Path, calibration: Calibration) -> Path:
    """Write `calibration.json` into a model directory.

    Returns:
        The path of the file.
    """
    with atomic_write(folder / CALIBRATION_FILE) as file:
        file.write(json.dumps(to_dict(calibration), indent=2, ensure_ascii=False) + "\n")
    return folder / CALIBRATION_FILE


def word_confidence(scores: Sequence[float], curve: ConfidenceCurve | None) -> float:
    """The probability that a word is right, 0…1.

    Args:
        scores: log-probabilities of the word's labels, in nats.
        curve: calibration. Without one, the confidence is the probability of the least probable
            label, which ranks words but is not calibrated.
    """
    least = math.exp(min(scores))
    return least if curve is None else _logistic(curve.bias + curve.slope * least)


def aligned_word_confidence(scores: Sequence[float]) -> float:
    """How well an aligned word fits the audio: the geometric mean of its labels' probabilities.

    Args:
        scores: log-probabilities of the word's labels, in nats.
    """
    return math.exp(sum(scores) / len(scores))


def alignment_confidence(
    words: Sequence[float], path: ctc.Path, best_score: float, best_labels: int
) -> float:
    """How well a text fits the audio, from 0 to 1.

    The geometric mean of two numbers. The mean confidence of the words is low for silence and
    noise. The probability of the alignment relative to that of the best path, per label, is low if
    a part of the text is not said, or if a part of the speech is not in the text.

    Args:
        words: confidences of the aligned words.
        path: the alignment.
        best_score: log-probability of the recording's best path, in nats.
        best_labels: number of labels of the best path.
    """
    labels = max(len(path.labels), best_labels, 1)
    likelihood = math.exp(min(0.0, path.score - best_score) / labels)
    return math.sqrt(likelihood * sum(words) / len(words))


def judge_words(
    reference: str, transcript: Transcript, normalise: Callable[[str], str]
) -> list[JudgedWord]:
    """Align a transcript with its reference to find out which words are right.

    Args:
        reference: the text that was said.
        transcript: the recogniser's result, with word confidences.
        normalise: applied to both texts. The parts of a word that it splits share a confidence.
    """
    import jiwer  # here, because most commands need no alignment

    pairs = [(word, w.confidence) for w in transcript.words for word in normalise(w.text).split()]
    correct = [False] * len(pairs)
    expected = " ".join(normalise(reference).split())
    if pairs and expected:  # jiwer rejects empty references
        output = jiwer.process_words(expected, " ".join(word for word, _ in pairs))
        for chunk in output.alignments[0]:
            if chunk.type == "equal":
                for i in range(chunk.hyp_start_idx, chunk.hyp_end_idx):
                    correct[i] = True
    return [JudgedWord(confidence, ok) for (_, confidence), ok in zip(pairs, correct, strict=True)]


class ReliabilityBins(NamedTuple):
    """Words in bins of equal width by their confidence: float64 [BINS] each.

    Attributes:
        words: number of words.
        confidence: sum of their confidences.
        correct: number of right words.
    """

    words: np.ndarray
    confidence: np.ndarray
    correct: np.ndarray


def reliability_bins(judged: Sequence[JudgedWord]) -> ReliabilityBins:
    """Count words, confidences and right words by confidence."""
    bins = ReliabilityBins(np.zeros(BINS), np.zeros(BINS), np.zeros(BINS))
    for confidence, correct in judged:
        place = min(int(confidence * BINS), BINS - 1)
        bins.words[place] += 1
        bins.confidence[place] += confidence
        bins.correct[place] += correct
    return bins


def expected_calibration_error(judged: Sequence[JudgedWord]) -> float | None:
    """Expected calibration error (Naeini et al., 2015), a fraction; None without words.

    The error is the mean difference between the confidence and the share of right words in a bin,
    weighted by the number of words in the bin.
    """
    if not judged:
        return None
    bins = reliability_bins(judged)
    return float(np.abs(bins.correct - bins.confidence).sum() / len(judged))


def fit_curve(judged: Sequence[JudgedWord]) -> tuple[float, float]:
    """Fit bias and slope by maximum likelihood, with Newton's method and a small ridge penalty.

    Returns:
        Bias and slope. The slope is 0 if more confident words are more often wrong.
    """
    x = np.array([[1.0, p] for p, _ in judged])
    y = np.array([float(correct) for _, correct in judged])
    # One more right word and one more wrong word, so that a dev set without errors does not give
    # a confidence of exactly 1.
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
    if weights[1] < 0:
        return math.log(share / (1 - share)), 0.0
    return float(weights[0]), float(weights[1])


def cross_validate(recordings: Sequence[Sequence[JudgedWord]], folds: int = 10) -> list[JudgedWord]:
    """Calibrate the words of each fold with a curve that was fitted to the other folds.

    Args:
        recordings: the words of each recording. All words of a recording are in one fold.
        folds: number of folds. Default 10.
    """
    calibrated: list[JudgedWord] = []
    for fold in range(folds):
        others = [word for i, r in enumerate(recordings) if i % folds != fold for word in r]
        bias, slope = fit_curve(others)
        held_out = [word for r in recordings[fold::folds] for word in r]
        calibrated += [JudgedWord(_logistic(bias + slope * p), right) for p, right in held_out]
    return calibrated


def _logistic(value: float) -> float:
    return 0.5 * (1 + math.tanh(value / 2))
