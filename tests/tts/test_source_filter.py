"""The trained vocoder: pulses, noise, filters, and the same samples in numpy and in TensorFlow."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ModelError
from asr.networks.weights import WeightArrays, load_weights, weights_file
from asr.tts.mel import MelConfig, log_mel
from asr.tts.source_filter import (
    SourceFilter,
    filter_matrices,
    filtered,
    levelled,
    pulses,
    white_noise,
)
from asr.tts.source_filter_network import (
    SourceFilterGraph,
    VocoderNetwork,
    filtered_graph,
    levelled_graph,
    pulses_graph,
    white_noise_graph,
)
from asr.tts.voice_config import VocoderShape

MEL = MelConfig()
SHAPE = VocoderShape(units=6, layers=1, harmonic_bands=12, noise_bands=5)


@given(hertz=st.floats(60, 500), frames=st.integers(8, 40))
def test_pulses_have_the_pitch_and_a_power_of_one(hertz: float, frames: int) -> None:
    train = pulses(np.full(frames, np.log(hertz), np.float32), MEL)
    assert train.shape == ((frames - 1) * MEL.hop,)
    assert np.isfinite(train).all()
    seconds = len(train) / MEL.sample_rate
    peaks = np.flatnonzero((train[1:-1] > train[:-2]) & (train[1:-1] >= train[2:]))
    strong = train[peaks + 1] > 0.6 * train.max()
    assert strong.sum() == pytest.approx(seconds * hertz, abs=1.5)


def test_pulses_follow_a_gliding_pitch() -> None:
    frames = 173
    train = pulses(np.linspace(np.log(120), np.log(240), frames), MEL)
    for place, expected in ((0.1, 128.6), (0.5, 169.7), (0.9, 223.9)):
        middle = int(place * len(train))
        piece = train[middle - 2048 : middle + 2048] * np.hanning(4096)
        spectrum = np.abs(np.fft.rfft(piece))
        found = spectrum[: 4096 * 300 // MEL.sample_rate].argmax() * MEL.sample_rate / 4096
        assert found == pytest.approx(expected, abs=6)


def test_noise_is_white_and_always_the_same() -> None:
    noise = white_noise(65_536)
    np.testing.assert_array_equal(noise[:1000], white_noise(1000))
    assert noise.mean() == pytest.approx(0, abs=0.02) and noise.std() == pytest.approx(1, abs=0.01)
    powers = np.square(np.abs(np.fft.rfft(noise.reshape(64, 1024), axis=1))).mean(axis=0)
    eighths = powers[1:].reshape(8, -1).mean(axis=1)
    np.testing.assert_allclose(eighths / eighths.mean(), 1, atol=0.06)
    assert np.abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.02


def test_a_flat_envelope_changes_nothing_but_the_level() -> None:
    signal = white_noise(20 * MEL.hop)
    same = filtered([(signal, np.zeros((21, 7), np.float32))], MEL)
    np.testing.assert_allclose(same, signal, atol=1e-5)
    louder = filtered([(signal, np.full((21, 7), np.log(2), np.float32))], MEL)
    np.testing.assert_allclose(louder, 2 * signal, atol=1e-5)


def test_filters_have_the_magnitudes_of_their_envelope_and_minimum_phase() -> None:
    envelope = np.linspace(1, -4, 12, dtype=np.float32)
    envelope[5] += 1.5  # a formant
    matrices = filter_matrices(MEL, 12)
    response = np.exp(envelope @ matrices.levels + 1j * (envelope @ matrices.phases))
    impulse = np.fft.irfft(response, MEL.fft)
    # A minimum phase filter begins at once and has its energy as early as possible.
    assert np.argmax(np.abs(impulse)) < 8
    energy = np.cumsum(np.square(impulse)) / np.square(impulse).sum()
    assert energy[MEL.fft // 8] > 0.99
    made = filtered([(_impulse(21), np.tile(envelope, (21, 1)))], MEL)
    np.testing.assert_allclose(
        made[10 * MEL.hop : 11 * MEL.hop], impulse[: MEL.hop], atol=1e-4 * np.abs(impulse).max()
    )


def test_bands_have_the_levels_of_the_frames() -> None:
    log_pitch = np.log(np.linspace(150, 220, 60)).astype(np.float32)
    source = pulses(log_pitch, MEL)
    wanted = log_mel(0.2 * source + 0.05 * white_noise(len(source)), MEL)
    flat = 0.02 * white_noise(len(source)) + 0.02 * source
    made = levelled(flat, wanted, MEL)
    assert made.shape == source.shape and made.dtype == np.float32
    before, after = (np.abs(log_mel(x, MEL) - wanted)[2:-2].mean() for x in (flat, made))
    assert before > 1.5 and after < 0.15
    same = levelled(source, log_mel(source, MEL), MEL)
    inside = slice(MEL.fft, -MEL.fft)  # at both ends, windows are missing
    np.testing.assert_allclose(same[inside], source[inside], atol=1e-3)
    silence = levelled(np.zeros_like(source), wanted, MEL)
    assert not silence.any()  # nothing to amplify


def test_numpy_and_tensorflow_level_alike_and_silence_has_a_gradient() -> None:
    noise = white_noise(30 * MEL.hop)
    wanted = np.random.default_rng(4).normal(-4, 1, (31, MEL.mels)).astype(np.float32)
    batch = tf.constant(np.stack([noise, np.zeros_like(noise)]))
    with tf.GradientTape() as tape:
        tape.watch(batch)
        made = levelled_graph(batch, tf.constant(np.stack([wanted, wanted])), MEL)
        total = tf.reduce_sum(tf.square(made))
    here = levelled(noise, wanted, MEL)
    np.testing.assert_allclose(made[0], here, atol=1e-4 * np.abs(here).max())
    gradient = tape.gradient(total, batch).numpy()
    assert np.isfinite(gradient).all() and gradient[0].any()


def _impulse(frames: int) -> np.ndarray:
    signal = np.zeros((frames - 1) * MEL.hop, np.float32)
    signal[10 * MEL.hop] = 1
    return signal


@pytest.fixture(scope="module")
def network() -> VocoderNetwork:
    keras.utils.set_random_seed(3)
    made = VocoderNetwork(SHAPE, MEL)
    made.scales["mel_mean"].assign(np.linspace(-4, -6, MEL.mels))
    made.scales["pitch_mean"].assign(np.log(180))
    made.scales["pitch_deviation"].assign(0.2)
    return made


def saved(network: VocoderNetwork, path: Path, half: bool = False) -> WeightArrays:
    arrays, sha256 = weights_file(network, half)
    path.write_bytes(arrays)
    return WeightArrays(path, sha256)


def test_numpy_and_tensorflow_make_the_same_signals() -> None:
    log_pitch = np.log(np.linspace(90, 300, 50)).astype(np.float32)
    source = pulses(log_pitch, MEL)
    np.testing.assert_allclose(pulses_graph(tf.constant(log_pitch), MEL), source, atol=1e-4)
    np.testing.assert_array_equal(white_noise_graph(tf.constant(9000)), white_noise(9000))
    envelopes = np.random.default_rng(1).normal(-2, 1, (2, 50, 9)).astype(np.float32)
    noise = white_noise(len(source))
    here = filtered([(source, envelopes[0]), (noise, envelopes[1])], MEL)
    pairs = [
        (tf.constant(signal[None]), tf.constant(envelope[None]))
        for signal, envelope in zip((source, noise), envelopes, strict=True)
    ]
    np.testing.assert_allclose(filtered_graph(pairs, MEL)[0], here, atol=1e-4)


def test_onnx_runtime_and_keras_agree(network: VocoderNetwork, tmp_path: Path) -> None:
    vocoder = SourceFilter(MEL, SHAPE, saved(network, tmp_path / "vocoder.npz"), threads=1)
    frames = np.random.default_rng(2).normal(-5, 2, (60, MEL.mels)).astype(np.float32)
    controls = network(tf.constant(frames[None]))
    pitch, harmonics, noise = vocoder.controls(frames)
    np.testing.assert_allclose(pitch, controls.pitch[0] * 0.2 + np.log(180), atol=1e-4)
    np.testing.assert_allclose(harmonics, controls.harmonics[0], atol=1e-4)
    np.testing.assert_allclose(noise, controls.noise[0], atol=1e-4)
    samples = vocoder(frames)
    assert samples.shape == (59 * MEL.hop,) and samples.dtype == np.float32
    np.testing.assert_array_equal(vocoder(frames), samples)
    # A phase adds up the rounding errors of the pitch, so that high harmonics differ most.
    graph = SourceFilterGraph(MEL, network)(tf.constant(frames))
    np.testing.assert_allclose(graph, samples, atol=0.03 * np.abs(samples).max())


def test_weights_of_another_shape_are_an_error(network: VocoderNetwork, tmp_path: Path) -> None:
    arrays = saved(network, tmp_path / "vocoder.npz")
    with pytest.raises(ModelError, match=r"vocoder/head/kernel has shape \(12, 18\)"):
        SourceFilter(MEL, VocoderShape(units=6, layers=1, harmonic_bands=13, noise_bands=5), arrays)


def test_weights_survive_half_precision(network: VocoderNetwork, tmp_path: Path) -> None:
    arrays, sha256 = weights_file(network)
    (tmp_path / "vocoder.npz").write_bytes(arrays)
    again = VocoderNetwork(SHAPE, MEL)
    load_weights(again, tmp_path / "vocoder.npz", sha256)
    frames = tf.constant(np.random.default_rng(2).normal(-5, 2, (1, 9, MEL.mels)), tf.float32)
    np.testing.assert_allclose(again(frames).harmonics, network(frames).harmonics, atol=0.02)
