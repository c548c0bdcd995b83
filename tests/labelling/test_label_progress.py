"""Minutes done and left, and how often the recogniser was wrong."""

from __future__ import annotations

import pytest

from asr.labelling.label_progress import heard_errors, measure_progress
from asr.labelling.label_store import Label


def label(text: str, heard: str, model: str = "m", unusable: str | None = None) -> Label:
    return Label(text, 1, heard, model, unusable, 2.0)


def test_unknown_lengths_count_as_the_mean_of_the_known_ones() -> None:
    labels = {
        "a": label("go", "go"),
        "b": label("", "x", unusable="noise"),
        "gone": label("x", "x"),
    }
    progress = measure_progress({"a": 4.0, "b": 2.0, "c": 0.0}, labels, heard=2)
    assert (progress.recordings, progress.heard) == (3, 2)
    assert (progress.labelled, progress.unusable) == (1, 1)
    assert (progress.done, progress.left) == (6.0, 3.0)
    assert measure_progress({}, {}, 0).left == 0.0


def test_word_errors_are_those_of_this_recogniser_on_usable_recordings() -> None:
    labels = [
        label("Go forward ten meters", "go for ten meters"),
        label("stop", "stop"),
        label("stop", "other words", model="another"),
        label("", "noise", unusable=""),
    ]
    errors = heard_errors(labels, "m", str.lower)
    assert errors is not None
    assert (errors.labels, errors.changed, errors.words) == (2, 1, 5)
    assert errors.wer == pytest.approx(0.2)
    assert 0.0 <= errors.interval[0] <= errors.wer <= errors.interval[1]
    assert heard_errors(labels, "unknown", str.lower) is None
