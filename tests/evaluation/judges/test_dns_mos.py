from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from asr.audio.reading import read_audio
from asr.evaluation.judges.dns_mos import HOP, MELS, WINDOW, DnsMos, mel_frames, windows


def test_windows_repeat_short_recordings() -> None:
    found = windows(np.arange(100_000))  # twice as long, it has 12.5 s
    assert [w[0] for w in found] == [0, HOP, 2 * HOP]
    assert found[0].tolist() == [*range(100_000), *range(WINDOW - 100_000)]
    starts = [w[0] for w in windows(np.arange(11 * 16_000))]
    assert starts == [0, HOP]


def test_mel_frames_are_relative_to_the_loudest() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, WINDOW).astype(np.float32)
    frames = mel_frames(noise)
    assert frames.shape == (900, MELS) and frames.dtype == np.float32
    assert frames.max() == 1
    np.testing.assert_allclose(mel_frames(0.1 * noise), frames, atol=0.05)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("speechmos") is None, reason="needs speechmos")
def test_scores_are_those_of_the_package(goforward: Path) -> None:
    samples = read_audio(goforward, 16_000)
    judge = DnsMos()
    assert judge.judge(samples, "").mos == pytest.approx(SHORT, abs=1e-3)
    long = np.concatenate([samples, 0.1 * samples[::-1], samples, samples])
    assert judge.judge(long, "").mos == pytest.approx(LONG, abs=1e-3)


SHORT, LONG = 3.828318, 3.724825
"""Scores (P.808) of speechmos 0.0.1.1."""
