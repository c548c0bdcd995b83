"""Mel frames and the vocoder, beside librosa's own."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import tensorflow as tf

from asr.audio.reading import read_audio
from asr.errors import ConfigError
from asr.tts.mel import MelConfig, log_mel, mel_filters
from asr.tts.vocoder import FADE, LEVEL, LIMIT, GriffinLim, finish

MEL = MelConfig()


def convergence(samples: np.ndarray, magnitudes: np.ndarray) -> float:
    """Relative distance of a signal's spectrogram from the one asked for."""
    rebuilt = np.abs(librosa.stft(samples, n_fft=MEL.fft, hop_length=MEL.hop)).T
    assert rebuilt.shape == magnitudes.shape
    return float(np.linalg.norm(rebuilt - magnitudes) / np.linalg.norm(magnitudes))


@pytest.fixture(scope="module")
def speech(goforward: Path) -> np.ndarray:
    return read_audio(goforward, MEL.sample_rate)


def test_log_mel_is_librosas(speech: np.ndarray) -> None:
    expected = librosa.feature.melspectrogram(
        y=speech, sr=MEL.sample_rate, n_fft=MEL.fft, hop_length=MEL.hop, power=1.0,
        n_mels=MEL.mels, fmin=MEL.low_hz, fmax=MEL.high_hz,
    )  # fmt: skip
    frames = log_mel(speech, MEL)
    assert frames.shape == (1 + len(speech) // MEL.hop, MEL.mels)
    np.testing.assert_allclose(frames, np.log(np.maximum(expected.T, MEL.floor)), atol=1e-4)


def test_a_tone_is_in_its_band() -> None:
    time = np.arange(MEL.sample_rate) / MEL.sample_rate
    frames = log_mel(np.sin(2 * np.pi * 1000 * time).astype(np.float32), MEL)
    centres = librosa.mel_frequencies(MEL.mels + 2, fmin=MEL.low_hz, fmax=MEL.high_hz)[1:-1]
    assert centres[frames[40].argmax()] == pytest.approx(1000, abs=40)


def test_phases_are_found_as_well_as_by_librosa(speech: np.ndarray) -> None:
    magnitudes = np.abs(librosa.stft(speech, n_fft=MEL.fft, hop_length=MEL.hop)).T
    ours = GriffinLim(MEL).phases(tf.constant(magnitudes)).numpy()
    theirs = [
        librosa.griffinlim(
            magnitudes.T, n_iter=60, hop_length=MEL.hop, n_fft=MEL.fft, momentum=0.99,
            length=len(ours), random_state=seed,
        )
        for seed in range(3)
    ]  # fmt: skip
    # Where the search ends depends on the phases it starts from: theirs are random.
    assert convergence(ours, magnitudes) < np.median([convergence(t, magnitudes) for t in theirs])


def test_mel_inversion_is_undone_by_the_filters(speech: np.ndarray) -> None:
    frames = log_mel(speech, MEL)
    magnitudes = GriffinLim(MEL).magnitudes(tf.constant(frames)).numpy()
    assert magnitudes.min() >= 0
    energies = magnitudes @ mel_filters(MEL)
    assert np.linalg.norm(energies - np.exp(frames)) < 0.03 * np.linalg.norm(np.exp(frames))


def test_the_same_frames_are_the_same_samples(speech: np.ndarray) -> None:
    vocoder, frames = GriffinLim(MEL, iterations=5), tf.constant(log_mel(speech, MEL))
    np.testing.assert_array_equal(vocoder(frames), vocoder(frames))


@pytest.mark.parametrize("gain", [0.05, 1.0, 50.0])
def test_finished_speech_has_one_loudness_no_peaks_and_quiet_ends(
    speech: np.ndarray, gain: float
) -> None:
    samples = finish(tf.constant(gain * speech), MEL.sample_rate).numpy()
    assert np.abs(samples).max() < LIMIT
    assert samples[0] == samples[-1] == 0.0
    fade = int(FADE * MEL.sample_rate)
    assert np.abs(samples[: fade // 4]).max() < 0.01
    blocks = samples[: len(samples) // 441 * 441].reshape(-1, 441)
    powers = (blocks**2).mean(axis=1)
    level = np.sqrt(powers[powers >= 1e-3 * powers.max()].mean())
    assert level == pytest.approx(LEVEL, rel=0.1)


def test_silence_stays_silence() -> None:
    assert not finish(tf.zeros([4000]), MEL.sample_rate).numpy().any()


@pytest.mark.parametrize(
    "values, message", [({"hop": 512}, "must be 4 × hop"), ({"high_hz": 12_000.0}, "high_hz ≤")]
)
def test_impossible_configurations(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MelConfig(**values)  # type: ignore[arg-type]
