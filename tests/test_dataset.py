from __future__ import annotations

import numpy as np
import pytest
from conftest import DATA

from asr.acoustic import AcousticConfig
from asr.augment import AugmentConfig, Warper, add_noise, perturb, stretch, telephone
from asr.dataset import SpeechDataset
from asr.errors import TextError
from asr.features import FeatureConfig, load_features
from asr.manifest import Utterance
from asr.text import Tokenizer, TokenizerConfig

FEATURES = FeatureConfig()
STILL = AugmentConfig(
    copies=0, speed=0, noise=0, gain_db=0, telephone=0, stretch=0, warp=0, band_limit=0,
    frame_noise=0, time_masks=0, band_masks=0, jitter=0,
)  # fmt: skip


def dataset(count: int = 1, augment: AugmentConfig | None = STILL, seed: int = 1) -> SpeechDataset:
    durations = np.random.default_rng(0).uniform(1, 9, count)
    utterances = [
        Utterance("go", d, audio_filepath=DATA / "goforward.wav", speaker=str(i))
        for i, d in enumerate(durations)
    ]
    tokenizer = Tokenizer(TokenizerConfig())
    return SpeechDataset(utterances, tokenizer, FEATURES, AcousticConfig(), augment, seed)


def test_an_epoch_has_each_utterance_once_in_batches_of_like_length() -> None:
    data = dataset(1000)
    durations = np.array([e.utterance.duration for e in data.examples])
    plan = data.plan(3, 16)
    assert sorted(np.concatenate(plan).tolist()) == list(range(1000))
    spread = np.mean([np.ptp(durations[b]) for b in plan])
    assert spread < 0.1 * np.ptp(durations)
    assert max(len(b) for b in plan) == 16
    again, other = data.plan(3, 16), data.plan(4, 16)
    assert all(np.array_equal(a, b) for a, b in zip(plan, again, strict=True))
    assert not np.array_equal(plan[0], other[0])


def test_a_batch_is_bounded_by_its_padded_length() -> None:
    data = dataset(100)
    durations = np.array([e.utterance.duration for e in data.examples])
    for batch in data.plan(0, 64):
        assert durations[batch].max() * len(batch) <= 240


def test_batches_are_padded_and_weighted() -> None:
    batch = dataset(3).batch([2, 0], 0)
    assert batch.features.shape == (2, 277, 39) and batch.features.dtype == np.float32
    assert batch.lengths.tolist() == [277, 277] and batch.label_lengths.tolist() == [2, 2]
    assert batch.indices.tolist() == [2, 0] and batch.weights.tolist() == [0.5, 0.5]
    np.testing.assert_array_equal(batch.labels[0], Tokenizer(TokenizerConfig()).encode("go"))


def test_augmentation_is_a_function_of_seed_epoch_and_utterance() -> None:
    augment = AugmentConfig(copies=2)
    one, two = dataset(2, augment), dataset(2, augment)
    two.example_features(0, 7)  # what was read before must not matter
    np.testing.assert_array_equal(one.example_features(1, 1), two.example_features(1, 1))
    assert not np.array_equal(one.example_features(1, 1)[:50], one.example_features(1, 4)[:50])
    other = dataset(2, augment, seed=2).example_features(1, 1)
    assert not np.array_equal(one.example_features(1, 1)[:50], other[:50])


def test_no_augmentation_is_the_recording_itself() -> None:
    np.testing.assert_allclose(
        dataset(1, STILL).example_features(0, 5), dataset(1, None).example_features(0, 0), atol=1e-5
    )


def test_unusable_utterances_are_listed_not_dropped_in_silence() -> None:
    path = DATA / "goforward.wav"
    utterances = [
        Utterance("go forward", 2.8, audio_filepath=path),
        Utterance("жук", 2.8, audio_filepath=path),
        Utterance("a" * 80, 2.8, audio_filepath=path),
        Utterance("?!", 2.8, audio_filepath=path),
        Utterance("go", 2.8, audio_filepath=DATA / "gone.wav"),
    ]
    tokenizer = Tokenizer(TokenizerConfig())
    data = SpeechDataset(utterances, tokenizer, FEATURES, AcousticConfig(), None, 1)
    assert len(data) == 1
    unknown, short, empty, gone = data.skipped
    assert "goforward.wav" in unknown and "'ж' (U+0436) × 1" in unknown
    assert "139 frames of 2 features, its 80 labels need 159" in short
    assert "no text is left" in empty
    assert "gone.wav: no such file" in gone
    with pytest.raises(TextError, match="no utterance can be trained on"):
        SpeechDataset(utterances[1:], tokenizer, FEATURES, AcousticConfig(), None, 1)


def test_noise_has_the_ratio_asked_for() -> None:
    rng = np.random.default_rng(0)
    samples = np.sin(np.arange(16_000) / 10).astype(np.float32)
    for snr in (5.0, 20.0):
        noise = add_noise(samples, snr, 1.0, rng) - samples
        assert 10 * np.log10(np.mean(samples**2) / np.mean(noise**2)) == pytest.approx(snr, abs=0.1)


@pytest.mark.parametrize("companding", [False, True])
def test_telephone_leaves_nothing_above_four_kilohertz(companding: bool) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    power = np.abs(np.fft.rfft(telephone(samples, 16_000, companding))) ** 2
    assert power[4100:].sum() < 1e-4 * power[:4000].sum()
    assert power[:3500].sum() == pytest.approx(
        (np.abs(np.fft.rfft(samples)) ** 2)[:3500].sum(), rel=0.05
    )


def test_speed_changes_duration_and_pitch() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    config = AugmentConfig(speed=0.1, noise=0, telephone=0, gain_db=0)
    changed = perturb(tone, 16_000, config, np.random.default_rng(4))
    factor = 16_000 / len(changed)
    assert factor != pytest.approx(1, abs=0.01) and 0.9 <= factor <= 1.1
    pitch = np.abs(np.fft.rfft(changed)).argmax() * 16_000 / len(changed)
    assert pitch == pytest.approx(1000 * factor, rel=0.01)


def test_warper_changes_what_it_is_asked_to() -> None:
    static = load_features(DATA / "goforward.mfc", FEATURES)
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(Warper(FEATURES, STILL)(static, rng), static, atol=1e-5)
    values = {**vars(STILL), "time_masks": 1, "time_mask_frames": 40}
    masked = Warper(FEATURES, AugmentConfig(**values))(static, np.random.default_rng(1))
    changed = np.abs(masked - static).max(axis=1) > 1e-3
    assert 0 < changed.sum() <= 40
    assert np.flatnonzero(changed).tolist() == list(
        range(changed.argmax(), changed.argmax() + changed.sum())
    )
    narrow = Warper(FEATURES, AugmentConfig(**{**vars(STILL), "band_limit": 1.0}))(static, rng)
    assert narrow[:, 0].mean() < static[:, 0].mean() - 1


def test_stretch_keeps_the_ends() -> None:
    static = np.arange(20, dtype=np.float32).reshape(10, 2)
    longer = stretch(static, 1.5)
    assert len(longer) == 15
    np.testing.assert_allclose(longer[[0, -1]], static[[0, -1]])
    assert np.all(np.diff(longer[:, 0]) > 0)
