"""Mel frames and the vocoder, compared with librosa."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest

from asr.audio.reading import read_audio
from asr.errors import ConfigError
from asr.tts.mel import MelConfig, log_mel, slaney_filters
from asr.tts.vocoder import FADE, LEVEL, LIMIT, GriffinLim, finish

MEL = MelConfig()


def convergence(samples: np.ndarray, magnitudes: np.ndarray) -> float:
    """Relative distance of a signal's spectrogram from the given magnitudes."""
    rebuilt = np.abs(librosa.stft(samples, n_fft=MEL.fft, hop_length=MEL.hop)).T
    assert rebuilt.shape == magnitudes.shape
    return float(np.linalg.norm(rebuilt - magnitudes) / np.linalg.norm(magnitudes))


@pytest.fixture(scope="module")
def speech(goforward: Path) -> np.ndarray:
    return read_audio(goforward, MEL.sample_rate)


def test_log_mel_equals_librosa(speech: np.ndarray) -> None:
    expected = librosa.feature.melspectrogram(
        y=speech,
        sr=MEL.sample_rate,
        n_fft=MEL.fft,
        hop_length=MEL.hop,
        power=1.0,
        n_mels=MEL.mels,
        fmin=MEL.low_hz,
        fmax=MEL.high_hz,
    )
    frames = log_mel(speech, MEL)
    assert frames.shape == (1 + len(speech) // MEL.hop, MEL.mels)
    np.testing.assert_allclose(frames, np.log(np.maximum(expected.T, MEL.floor)), atol=1e-4)


def test_a_tone_is_loudest_in_its_mel_band() -> None:
    time = np.arange(MEL.sample_rate) / MEL.sample_rate
    frames = log_mel(np.sin(2 * np.pi * 1000 * time).astype(np.float32), MEL)
    centres = librosa.mel_frequencies(MEL.mels + 2, fmin=MEL.low_hz, fmax=MEL.high_hz)[1:-1]
    assert centres[frames[40].argmax()] == pytest.approx(1000, abs=40)


def test_the_spectrogram_is_closer_than_by_librosas_griffin_lim(speech: np.ndarray) -> None:
    magnitudes = np.abs(librosa.stft(speech, n_fft=MEL.fft, hop_length=MEL.hop)).T
    ours = GriffinLim(MEL).phases(magnitudes)
    theirs = [
        librosa.griffinlim(
            magnitudes.T,
            n_iter=60,
            hop_length=MEL.hop,
            n_fft=MEL.fft,
            momentum=0.99,
            length=len(ours),
            random_state=seed,
        )
        for seed in range(3)
    ]
    # librosa starts from random phases, which decide how close it gets: compare with the median.
    assert convergence(ours, magnitudes) < np.median([convergence(t, magnitudes) for t in theirs])


def test_the_mel_filters_undo_mel_inversion(speech: np.ndarray) -> None:
    frames = log_mel(speech, MEL)
    magnitudes = GriffinLim(MEL).magnitudes(frames)
    assert magnitudes.min() >= 0
    energies = magnitudes @ slaney_filters(MEL)
    assert np.linalg.norm(energies - np.exp(frames)) < 0.03 * np.linalg.norm(np.exp(frames))


def test_the_same_frames_give_the_same_samples(speech: np.ndarray) -> None:
    vocoder, frames = GriffinLim(MEL, iterations=5), log_mel(speech, MEL)
    np.testing.assert_array_equal(vocoder(frames), vocoder(frames))


def test_the_graph_computes_the_same(speech: np.ndarray) -> None:
    tf = pytest.importorskip("tensorflow")
    from asr.tts.vocoder_graph import GriffinLimGraph, finish_graph

    frames = log_mel(speech[:22_050], MEL)
    here, graph = GriffinLim(MEL, iterations=3), GriffinLimGraph(MEL, iterations=3)
    # After many iterations, rounding errors have become other phases of the same sound.
    magnitudes = here.magnitudes(frames)
    np.testing.assert_allclose(graph.magnitudes(tf.constant(frames)), magnitudes, atol=2e-3)
    samples = here.phases(magnitudes)
    np.testing.assert_allclose(graph.phases(tf.constant(magnitudes)), samples, atol=2e-3)
    finished = finish(samples, MEL.sample_rate)
    np.testing.assert_allclose(
        finish_graph(tf.constant(samples), MEL.sample_rate), finished, atol=1e-5
    )


@pytest.mark.parametrize("gain", [0.05, 1.0, 50.0])
def test_finished_speech_has_standard_loudness_limited_peaks_and_faded_ends(
    speech: np.ndarray, gain: float
) -> None:
    samples = finish(gain * speech, MEL.sample_rate)
    assert np.abs(samples).max() < LIMIT
    assert samples[0] == samples[-1] == 0.0
    fade = int(FADE * MEL.sample_rate)
    assert np.abs(samples[: fade // 4]).max() < 0.01
    blocks = samples[: len(samples) // 441 * 441].reshape(-1, 441)
    powers = (blocks**2).mean(axis=1)
    level = np.sqrt(powers[powers >= 1e-3 * powers.max()].mean())
    assert level == pytest.approx(LEVEL, rel=0.1)


def test_silence_stays_silence() -> None:
    assert not finish(np.zeros(4000, np.float32), MEL.sample_rate).any()
    assert finish(np.zeros(0, np.float32), MEL.sample_rate).shape == (0,)


@pytest.mark.parametrize(
    "values, message",
    [({"hop": 512}, "mel: fft .* 1024 .* 512"), ({"high_hz": 12_000.0}, r"mel: .* 12000\.0")],
)
def test_impossible_mel_settings_are_errors(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MelConfig(**values)  # type: ignore[arg-type]
