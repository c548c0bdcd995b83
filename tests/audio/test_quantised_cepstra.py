"""Quantised cepstra are near the originals, and small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asr.audio.features import FeatureConfig, expand, mfcc
from asr.audio.quantised_cepstra import QuantisedCepstra
from asr.audio.reading import read_audio
from asr.errors import ConfigError


def test_the_error_is_that_of_a_uniform_step(goforward: Path) -> None:
    static = mfcc(read_audio(goforward), FeatureConfig())
    quantised = QuantisedCepstra.encode([static, static[:50] * 3], 0.25)
    first, second = quantised.decode()
    assert first.shape == static.shape and second.shape == (50, 13)
    assert np.abs((first - static) / static.std(axis=0)).max() < 0.13
    assert np.abs(second - static[:50] * 3).max() < 0.13 * 3 * static[:50].std(axis=0).max()
    # A uniform error of ±half a step has the variance step² / 12.
    assert np.sqrt(np.mean(quantised.error**2)) == pytest.approx(0.25 / np.sqrt(12), rel=0.05)
    features = [expand(x, FeatureConfig()) for x in (static, first)]
    assert np.sqrt(np.mean((features[0] - features[1]) ** 2)) < 0.15
    assert sum(map(len, quantised.planes)) < 0.6 * (len(static) + 50) * 13


def test_extremes_of_a_long_utterance_are_kept() -> None:
    static = np.zeros([100_000, 1], np.float32)
    static[70_000] = 5.0  # 316 standard deviations
    (decoded,) = QuantisedCepstra.encode([static], 0.25).decode()
    assert decoded[70_000, 0] == pytest.approx(5.0, abs=0.05)
    assert np.abs(decoded[:70_000]).max() < 0.03


@pytest.mark.parametrize("step", [0.0, 1.5])
def test_a_step_that_keeps_nothing_is_an_error(step: float) -> None:
    with pytest.raises(ConfigError, match="step: must be above 0"):
        QuantisedCepstra.encode([np.zeros([3, 2], np.float32)], step)
