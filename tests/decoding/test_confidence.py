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
    Curve,
    bins,
    cross_validated,
    expected_calibration_error,
    fit,
    judge,
    load_calibration,
    save_calibration,
    word_confidence,
)
from asr.errors import ConfigError, ModelError
from asr.networks.model_directory import CALIBRATION_FILE
from asr.results import Transcript, Word
from asr.text.normalisers import normalise_english


def curve(bias: float = -2.0, slope: float = 5.0) -> Curve:
    return Curve(bias, slope, 100, 0.2, 0.1, {"beam": 0}, {"dev.jsonl": "0"}, "asr calibrate", "c")


def heard(*words: tuple[str, float]) -> Transcript:
    return Transcript("", 0.0, 1.0, words=tuple(Word(w, 0.0, 0.1, p) for w, p in words))


def test_without_a_curve_it_is_the_least_sure_label() -> None:
    assert word_confidence([math.log(0.9), math.log(0.25), 0.0], None) == pytest.approx(0.25)
    assert word_confidence([math.log(0.25)], curve()) == pytest.approx(1 / (1 + math.exp(0.75)))


@given(st.lists(st.floats(-50, 0), min_size=1), st.floats(0, 5), st.floats(-9, 9), st.floats(0, 99))
def test_it_is_a_probability_and_never_falls_with_a_better_label(
    scores: list[float], better: float, bias: float, slope: float
) -> None:
    for c in (None, curve(bias, slope)):
        low = word_confidence(scores, c)
        high = word_confidence([min(0.0, s + better) for s in scores], c)
        assert 0 <= low <= high <= 1


def test_words_are_judged_by_their_alignment() -> None:
    transcript = heard(("go", 0.9), ("four", 0.2), ("ten", 0.8), ("uh", 0.1), ("meters", 0.7))
    assert judge("Go forward, 10 meters!", transcript, normalise_english) == [
        (0.9, True), (0.2, False), (0.8, True), (0.1, False), (0.7, True),
    ]  # fmt: skip
    assert judge("", transcript, normalise_english) == [(w.confidence, False)
                                                         for w in transcript.words]  # fmt: skip
    assert judge("go", heard(), normalise_english) == []
    # A word that the normaliser takes apart is two, of the same confidence.
    assert judge("ten two", heard(("10", 0.5), ("'", 0.1)), normalise_english) == [(0.5, True)]


def test_the_calibration_error_is_the_mean_distance_in_bins() -> None:
    judged = [(0.95, True)] * 3 + [(0.95, False)] + [(0.12, False)] * 6
    assert bins(judged)[9].tolist() == pytest.approx([4, 3.8, 3])
    assert expected_calibration_error(judged) == pytest.approx((0.8 + 0.72) / 10)
    assert expected_calibration_error([(1.0, True), (0.0, False)]) == 0
    assert expected_calibration_error([]) is None


@given(st.integers(0, 99), st.floats(-3, 1), st.floats(1, 8))
def test_the_fit_finds_the_curve_that_made_the_words(seed: int, bias: float, slope: float) -> None:
    rng = np.random.default_rng(seed)
    p = rng.uniform(size=4000)
    right = rng.uniform(size=4000) < 1 / (1 + np.exp(-(bias + slope * p)))
    found = fit(list(zip(p.tolist(), right.tolist(), strict=True)))
    at = np.array([0.1, 0.5, 0.9])
    expected, got = (1 / (1 + np.exp(-(a + b * at))) for a, b in ((bias, slope), found))
    np.testing.assert_allclose(got, expected, atol=0.08)


def test_the_fit_stays_finite_and_monotone_on_strange_words() -> None:
    for judged in (
        [(0.9, True)] * 60,
        [(0.9, False)] * 60,
        [(0.9, True)] * 30 + [(0.1, False)] * 30,
        [(0.1, True)] * 30 + [(0.9, False)] * 30,
        [(0.5, True), (0.5, False)],
    ):
        bias, slope = fit(judged)
        share = sum(right for _, right in judged) / len(judged)
        assert math.isfinite(bias) and 0 <= slope < 100
        mean = np.mean([1 / (1 + math.exp(-(bias + slope * p))) for p, _ in judged])
        assert mean == pytest.approx(share, abs=0.03)


def test_cross_validation_never_judges_by_itself() -> None:
    # The one recording whose sure words are wrong cannot teach the curve that judges it.
    recordings = [[(0.9, True)] * 20 for _ in range(9)] + [[(0.9, False)] * 20]
    judged = cross_validated(recordings)
    assert len(judged) == 200
    assert min(p for p, right in judged if not right) > 0.97
    assert max(p for p, right in judged if right) < 0.92


def test_a_calibration_travels_with_its_weights_only(tmp_path: Path) -> None:
    assert load_calibration(tmp_path, "abc") == Calibration("abc")
    save_calibration(tmp_path, Calibration("abc", plain=curve(), lm=curve(slope=1.0)))
    found = load_calibration(tmp_path, "abc")
    assert found.curve(has_lm=False) == curve() and found.curve(has_lm=True) == curve(slope=1.0)
    assert load_calibration(tmp_path, "other") == Calibration("other")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda v: "{", ModelError, "calibration.json: cannot be read.*asr calibrate"),
        (lambda v: [1], ModelError, "expected one JSON object"),
        (lambda v: {**v, "beam": None}, ConfigError, "calibration.json: beam: unknown key"),
        (lambda v: {**v, "plain": {**v["plain"], "slope": -1}}, ConfigError, "slope must be 0 or"),
        (lambda v: {k: v[k] for k in ("plain", "lm")}, ConfigError, "weights_sha256: missing key"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, change, error, message: str) -> None:  # type: ignore[no-untyped-def]
    path = save_calibration(tmp_path, Calibration("abc", plain=curve()))
    values = change(json.loads(path.read_text()))
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    with pytest.raises(error, match=message):
        load_calibration(tmp_path, "abc")
    assert path.name == CALIBRATION_FILE
