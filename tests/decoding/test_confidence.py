from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.decoding.confidence import (
    Calibration,
    ConfidenceCurve,
    JudgedWord,
    cross_validate,
    expected_calibration_error,
    fit_curve,
    judge_words,
    load_calibration,
    reliability_bins,
    save_calibration,
    word_confidence,
)
from asr.errors import ConfigError, ModelError
from asr.networks.model_directory import CALIBRATION_FILE
from asr.results import Transcript, Word
from asr.text.normalisers import normalise_english


def curve(bias: float = -2.0, slope: float = 5.0) -> ConfidenceCurve:
    return ConfidenceCurve(
        bias, slope, 100, 0.2, 0.1, {"beam": 0}, {"dev.jsonl": "0"}, "asr calibrate", "c"
    )


def judged_words(*words: tuple[float, bool]) -> list[JudgedWord]:
    return [JudgedWord(confidence, correct) for confidence, correct in words]


def transcript_of(*words: tuple[str, float]) -> Transcript:
    return Transcript("", 0.0, 1.0, words=tuple(Word(w, 0.0, 0.1, p) for w, p in words))


def test_confidence_without_a_curve_is_the_least_label_probability() -> None:
    assert word_confidence([math.log(0.9), math.log(0.25), 0.0], None) == pytest.approx(0.25)
    assert word_confidence([math.log(0.25)], curve()) == pytest.approx(1 / (1 + math.exp(0.75)))


@given(st.lists(st.floats(-50, 0), min_size=1), st.floats(0, 5), st.floats(-9, 9), st.floats(0, 99))
def test_confidence_is_a_probability_that_rises_with_label_scores(
    scores: list[float], better: float, bias: float, slope: float
) -> None:
    for c in (None, curve(bias, slope)):
        low = word_confidence(scores, c)
        high = word_confidence([min(0.0, s + better) for s in scores], c)
        assert 0 <= low <= high <= 1


def test_words_are_right_where_the_alignment_matches() -> None:
    transcript = transcript_of(
        ("go", 0.9), ("four", 0.2), ("ten", 0.8), ("uh", 0.1), ("meters", 0.7)
    )
    judged = judge_words("Go forward, 10 meters!", transcript, normalise_english)
    assert [word.confidence for word in judged] == [0.9, 0.2, 0.8, 0.1, 0.7]
    assert [word.correct for word in judged] == [True, False, True, False, True]
    unspoken = judge_words("", transcript, normalise_english)
    assert unspoken == [JudgedWord(word.confidence, False) for word in transcript.words]
    assert judge_words("go", transcript_of(), normalise_english) == []
    assert judge_words("ten two", transcript_of(("10", 0.5), ("'", 0.1)), normalise_english) == [
        (0.5, True)
    ]


def test_expected_calibration_error_is_the_weighted_mean_over_bins() -> None:
    judged = judged_words(*[(0.95, True)] * 3, (0.95, False), *[(0.12, False)] * 6)
    bins = reliability_bins(judged)
    assert (bins.words[9], bins.correct[9]) == (4, 3)
    assert bins.confidence[9] == pytest.approx(3.8)
    assert expected_calibration_error(judged) == pytest.approx((0.8 + 0.72) / 10)
    assert expected_calibration_error(judged_words((1.0, True), (0.0, False))) == 0
    assert expected_calibration_error([]) is None


@given(st.integers(0, 99), st.floats(-3, 1), st.floats(1, 8))
def test_fit_recovers_the_curve_of_simulated_words(seed: int, bias: float, slope: float) -> None:
    rng = np.random.default_rng(seed)
    p = rng.uniform(size=4000)
    right = rng.uniform(size=4000) < 1 / (1 + np.exp(-(bias + slope * p)))
    found = fit_curve(judged_words(*zip(p.tolist(), right.tolist(), strict=True)))
    at = np.array([0.1, 0.5, 0.9])
    expected, got = (1 / (1 + np.exp(-(a + b * at))) for a, b in ((bias, slope), found))
    np.testing.assert_allclose(got, expected, atol=0.08)


def test_fit_is_finite_and_monotone_for_degenerate_words() -> None:
    for judged in (
        [(0.9, True)] * 60,
        [(0.9, False)] * 60,
        [(0.9, True)] * 30 + [(0.1, False)] * 30,
        [(0.1, True)] * 30 + [(0.9, False)] * 30,
        [(0.5, True), (0.5, False)],
    ):
        bias, slope = fit_curve(judged_words(*judged))
        share = sum(right for _, right in judged) / len(judged)
        assert math.isfinite(bias) and 0 <= slope < 100
        mean = np.mean([1 / (1 + math.exp(-(bias + slope * p))) for p, _ in judged])
        assert mean == pytest.approx(share, abs=0.03)


def test_cross_validation_leaves_out_the_fold_of_a_recording() -> None:
    # The words of the last recording are wrong. Their curve is fitted without them.
    recordings = [judged_words(*[(0.9, True)] * 20) for _ in range(9)]
    recordings.append(judged_words(*[(0.9, False)] * 20))
    judged = cross_validate(recordings)
    assert len(judged) == 200
    assert min(p for p, right in judged if not right) > 0.97
    assert max(p for p, right in judged if right) < 0.92


def test_calibration_is_loaded_for_its_own_weights_only(tmp_path: Path) -> None:
    assert load_calibration(tmp_path, "abc") == Calibration("abc")
    save_calibration(tmp_path, Calibration("abc", plain=curve(), lm=curve(slope=1.0)))
    found = load_calibration(tmp_path, "abc")
    assert found.curve(has_lm=False) == curve() and found.curve(has_lm=True) == curve(slope=1.0)
    assert load_calibration(tmp_path, "other") == Calibration("other")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda v: "{", ModelError, r"calibration\.json"),
        (lambda v: [1], ModelError, r"calibration\.json"),
        (lambda v: {**v, "beam": None}, ConfigError, r"calibration\.json: beam"),
        (lambda v: {**v, "plain": {**v["plain"], "slope": -1}}, ConfigError, "slope"),
        (
            lambda v: {k: v[k] for k in ("plain", "lm")},
            ConfigError,
            r"calibration\.json: .*weights_sha256",
        ),
    ],
)
def test_broken_calibration_file_is_named(tmp_path: Path, change, error, message: str) -> None:  # type: ignore[no-untyped-def]
    path = save_calibration(tmp_path, Calibration("abc", plain=curve()))
    values = change(json.loads(path.read_text()))
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    with pytest.raises(error, match=message):
        load_calibration(tmp_path, "abc")
    assert path.name == CALIBRATION_FILE
