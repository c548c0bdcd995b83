from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import FIXTURES
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.feature_layer import MfccLayer
from asr.audio.features import (
    FeatureConfig,
    delta,
    expand,
    extract,
    load_features,
    mel_frequencies,
    mfcc,
)
from asr.audio.mono import resample
from asr.audio.reading import read_audio
from asr.errors import AudioError, ConfigError

CONFIG = FeatureConfig()


def test_mfcc_equals_pocketsphinx_log(goforward: Path) -> None:
    golden = load_features(FIXTURES / "goforward.mfc", CONFIG)
    ours = mfcc(read_audio(goforward), CONFIG)
    # pocketsphinx pads one partial frame at the end.
    assert ours.shape == (277, 13) and golden.shape == (278, 13)
    np.testing.assert_allclose(ours, golden[:277], atol=1e-3)


def test_delta_equals_librosa(goforward: Path) -> None:
    import librosa

    static = mfcc(read_audio(goforward), CONFIG)
    expected = librosa.feature.delta(static, width=5, axis=0, mode="nearest")
    np.testing.assert_allclose(delta(static, 2), expected, atol=1e-5)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("ends", [(0, 900), (130, 6800), (20, 8000), (1000, 4000)])
def test_mel_scales_equal_librosa(scale: str, ends: tuple[int, int]) -> None:
    import librosa

    low, high = ends
    expected = librosa.mel_frequencies(n_mels=42, fmin=low, fmax=high, htk=scale == "htk")
    np.testing.assert_allclose(mel_frequencies(42, low, high, scale), expected, atol=1e-9)


def test_features_are_normalised_over_the_utterance(goforward: Path) -> None:
    features = extract(read_audio(goforward), CONFIG)
    assert features.shape == (277, 39) and features.dtype == np.float32
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=1e-4)


def test_silence_is_not_amplified() -> None:
    np.testing.assert_allclose(extract(np.zeros(16_000, np.float32), CONFIG), 0, atol=1e-6)


def test_layer_equals_numpy_in_a_padded_batch(goforward: Path) -> None:
    speech = read_audio(goforward)
    # No energy above 4 kHz, where the logarithm is near its floor.
    narrow = resample(resample(speech, 16_000, 8_000), 8_000, 16_000)[:20_000]
    signals = [speech, narrow, np.zeros(3000, np.float32), speech[:410]]
    batch = np.zeros([4, len(speech)], np.float32)
    batch[1], batch[2:] = 0.7, np.nan  # padding of any value must not be read
    for row, signal in zip(batch, signals, strict=True):
        row[: len(signal)] = signal
    lengths = np.array([len(s) for s in signals], np.int32)
    features, counts = MfccLayer(CONFIG)(batch, lengths)
    for i, signal in enumerate(signals):
        expected = extract(signal, CONFIG)
        assert counts[i] == len(expected)
        np.testing.assert_allclose(features[i, : len(expected)], expected, atol=1e-3)
        assert not np.any(features[i, len(expected) :])  # zero in the padding


@settings(max_examples=15)
@given(
    mels=st.integers(16, 40),
    coefficients=st.integers(5, 16),
    deltas=st.integers(0, 2),
    normalise=st.sampled_from(["none", "mean", "mean_variance"]),
    mel_scale=st.sampled_from(["htk", "slaney"]),
    pre_emphasis=st.sampled_from([0.0, 0.97]),
    window=st.integers(200, 512),
    hop=st.integers(80, 200),
    fft=st.sampled_from([512, 1024]),
    delta_width=st.integers(1, 3),
)
def test_layer_equals_numpy_for_any_configuration(**settings_: object) -> None:
    config = FeatureConfig(round_edges=False, **settings_)  # type: ignore[arg-type]
    samples = np.random.default_rng(3).normal(0, 0.1, 5000).astype(np.float32)
    features, counts = MfccLayer(config)(samples[None], np.array([5000], np.int32))
    expected = extract(samples, config)
    assert counts[0] == len(expected) and features.shape[2] == config.dimension
    np.testing.assert_allclose(features[0], expected, atol=1e-3)


def test_layer_configuration_round_trip() -> None:
    layer = MfccLayer(FeatureConfig(mels=30))
    assert MfccLayer.from_config(layer.get_config()).config == layer.config


@pytest.mark.parametrize("order", [">", "<"])
def test_sphinx_files_are_read_in_both_byte_orders(tmp_path: Path, order: str) -> None:
    values = np.arange(26, dtype=np.float32)
    path = tmp_path / "x.mfc"
    path.write_bytes(np.array([26], f"{order}i4").tobytes() + values.astype(f"{order}f4").tobytes())
    np.testing.assert_array_equal(load_features(path, CONFIG), values.reshape(2, 13))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not a Sphinx feature file"),
        (b"\0\0\0\x0d" + b"\0" * 10, "not a Sphinx feature file"),
        (b"\0\0\0\x01" + b"\0" * 4, "1 values.* 13"),
        (b"\0\0\0\x0d" + b"\x7f\xc0\0\0" * 13, "not finite"),
    ],
)
def test_errors_of_sphinx_files_name_the_file(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "broken.mfc"
    path.write_bytes(data)
    with pytest.raises(AudioError, match=rf"broken\.mfc: .*{problem}"):
        load_features(path, CONFIG)


def test_the_error_for_too_short_audio_names_it() -> None:
    with pytest.raises(AudioError, match=r"x\.wav: too short: 409 .*\b410\b"):
        mfcc(np.zeros(409, np.float32), CONFIG, "x.wav")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"sample_rate": 8000}, "sample_rate.* 130.0, 6800.0, 4000.0"),
        ({"low_hz": 7000.0}, "low_hz.* 7000.0"),
        ({"window": 600}, "window.* 160, 600, 512"),
        ({"hop": 0}, "hop.* 0, 410, 512"),
        ({"coefficients": 41}, "coefficients.* 41"),
        ({"deltas": 3}, "deltas.* 3"),
        ({"delta_width": 0}, "delta_width.* 0"),
        ({"log_floor": 0.0}, "log_floor.* 0"),
    ],
)
def test_invalid_configurations_are_errors(values: dict[str, float], problem: str) -> None:
    with pytest.raises(ConfigError, match=f"features: .*{problem}"):
        FeatureConfig(**values)  # type: ignore[arg-type]


def test_filters_narrower_than_a_bin_are_an_error() -> None:
    with pytest.raises(ConfigError, match="128 mel filters"):
        mfcc(np.zeros(16_000, np.float32), FeatureConfig(mels=128))


def test_frames_are_whole_windows() -> None:
    counts = [CONFIG.frames(n) for n in (0, 409, 410, 569, 570, 16_000)]
    assert counts == [0, 0, 1, 1, 2, 98]
    assert len(mfcc(np.zeros(570, np.float32), CONFIG)) == 2


def test_expand_of_one_frame_is_zero() -> None:
    assert not expand(np.ones((1, 13), np.float32), CONFIG).any()
