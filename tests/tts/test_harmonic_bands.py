"""The harmonics that a voice's decoder is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.tts.harmonic_bands import HIGHEST_PITCH, LOWEST_PITCH, harmonic_bands, harmonics_at
from asr.tts.mel import MelConfig, log_mel
from asr.tts.source_filter import pulses

MEL = MelConfig()


@pytest.mark.parametrize("hertz", [151.0, 203.0, 330.0])
def test_harmonics_are_where_those_of_pulses_are(hertz: float) -> None:
    frame = log_mel(pulses(np.full(40, np.log(hertz)), MEL), MEL)[20]
    given_bands = harmonics_at(np.log([hertz]), MEL)[0]
    # Below 2 kHz the bands of these pitches show single harmonics.
    found, expected = (np.flatnonzero(_peaks(x[:40])) for x in (given_bands, frame))
    assert len(expected) >= 4
    np.testing.assert_array_equal(found, expected)


def _peaks(levels: np.ndarray) -> np.ndarray:
    """Bands that are clearly stronger than a neighbour but one on either side."""
    inner = levels[2:-2]
    return (
        (inner > levels[:-4] + 0.5)
        & (inner > levels[4:] + 0.5)
        & (inner > levels[1:-3])
        & (inner >= levels[3:-1])
    )


@given(hertz=st.floats(1, 5000))
def test_every_pitch_has_finite_bands_and_the_range_ends_flat(hertz: float) -> None:
    bands = harmonics_at(np.log([hertz]), MEL)[0]
    assert bands.shape == (MEL.mels,) and np.isfinite(bands).all()
    nearest = float(np.clip(hertz, LOWEST_PITCH, HIGHEST_PITCH))
    np.testing.assert_allclose(bands, harmonics_at(np.log([nearest]), MEL)[0], atol=1e-3)


def test_the_bands_have_no_level_of_their_own() -> None:
    np.testing.assert_allclose(harmonic_bands(MEL).mean(axis=0), 0, atol=1e-5)
