from __future__ import annotations

import numpy as np
import pytest
from conftest import FIXTURES
from no_augmentation import NO_AUGMENTATION
from pydantic import ValidationError

from asr.audio.augmentation import (
    AugmentConfig,
    CepstralAugmenter,
    add_noise,
    perturb,
    reverberate,
    stretch,
    telephone,
)
from asr.audio.features import FeatureConfig, extract, load_features

FEATURES = FeatureConfig()


def only(**strengths: float) -> AugmentConfig:
    return AugmentConfig(**{**vars(NO_AUGMENTATION), **strengths})  # type: ignore[arg-type]


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


def test_a_room_answers_behind_the_sound_and_decays() -> None:
    click = np.zeros(16_000, np.float32)
    click[1000] = 1
    heard = reverberate(click, 16_000, 0.3, np.random.default_rng(0))
    # The direct sound, nothing before, and 2 ms of nothing behind it.
    np.testing.assert_allclose(heard[:1032], click[:1032], atol=1e-6)
    late = heard[1001:] ** 2
    assert 0.06 < late.sum() < 1  # 12 to 0 dB below
    # 60 dB in 0.3 s: 20 dB from one tenth of a second to the next.
    first, second = late[200:1800].sum(), late[1800:3400].sum()
    assert 10 * np.log10(first / second) == pytest.approx(20, abs=2)
    assert np.abs(heard[1001 + 4800 :]).max() < 1e-6


def test_speed_changes_duration_and_pitch() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    config = only(speed=0.1)
    changed = perturb(tone, 16_000, config, np.random.default_rng(4))
    factor = 16_000 / len(changed)
    assert factor != pytest.approx(1, abs=0.01) and 0.9 <= factor <= 1.1
    pitch = np.abs(np.fft.rfft(changed)).argmax() * 16_000 / len(changed)
    assert pitch == pytest.approx(1000 * factor, rel=0.01)


def test_warper_changes_what_it_is_asked_to() -> None:
    static = load_features(FIXTURES / "goforward.mfc", FEATURES)
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(
        CepstralAugmenter(FEATURES, NO_AUGMENTATION)(static, rng), static, atol=1e-5
    )
    masked = CepstralAugmenter(FEATURES, only(time_masks=1, time_mask_frames=40))(
        static, np.random.default_rng(1)
    )
    changed = np.abs(masked - static).max(axis=1) > 1e-3
    assert 0 < changed.sum() <= 40
    assert np.flatnonzero(changed).tolist() == list(
        range(changed.argmax(), changed.argmax() + changed.sum())
    )
    narrow = CepstralAugmenter(FEATURES, only(band_limit=1.0))(static, rng)
    assert narrow[:, 0].mean() < static[:, 0].mean() - 1


def test_stretch_keeps_the_ends() -> None:
    static = np.arange(20, dtype=np.float32).reshape(10, 2)
    longer = stretch(static, 1.5)
    assert len(longer) == 15
    np.testing.assert_allclose(longer[[0, -1]], static[[0, -1]])
    assert np.all(np.diff(longer[:, 0]) > 0)


def test_no_strength_leaves_samples_alone() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    np.testing.assert_array_equal(
        perturb(samples, 16_000, NO_AUGMENTATION, np.random.default_rng(1)), samples
    )


def test_gain_is_a_factor_within_its_range() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    gains = []
    for seed in range(50):
        changed = perturb(samples, 16_000, only(gain_db=6.0), np.random.default_rng(seed))
        ratio = changed / samples
        assert np.ptp(ratio) < 1e-4
        gains.append(20 * np.log10(ratio.mean()))
    assert -6.01 < min(gains) < -4 and 4 < max(gains) < 6.01


def test_the_same_seed_makes_the_same_version() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    config = AugmentConfig(noise=1.0, telephone=1.0)
    one, two, other = (
        perturb(samples, 16_000, config, np.random.default_rng(s)) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert len(one) != len(other) or not np.array_equal(one, other)


def test_a_factor_of_one_is_the_identity() -> None:
    static = load_features(FIXTURES / "goforward.mfc", FEATURES)
    warper = CepstralAugmenter(FEATURES, NO_AUGMENTATION)
    energies = static @ warper.inverse
    np.testing.assert_allclose(warper._vocal_tract(energies, 1.0), energies, atol=1e-6)
    np.testing.assert_array_equal(stretch(static, 1.0), static)
    np.testing.assert_array_equal(warper.jitter(static, np.random.default_rng(0)), static)


def test_a_warped_vocal_tract_moves_a_peak() -> None:
    warper = CepstralAugmenter(FEATURES, NO_AUGMENTATION)
    peak = np.exp(-(((warper.centres - 1500) / 200) ** 2))[None]
    for factor in (0.9, 1.1):
        moved = warper._vocal_tract(peak, factor)[0]
        found = (moved * warper.centres).sum() / moved.sum()
        # The spectrum is read at `factor` times a frequency, so the peak is at 1 / factor of it.
        assert found == pytest.approx(
            (peak[0] * warper.centres).sum() / peak[0].sum() / factor, rel=0.03
        )


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_short_utterances_survive(frames: int) -> None:
    static = load_features(FIXTURES / "goforward.mfc", FEATURES)[:frames]
    warper = CepstralAugmenter(
        FEATURES, AugmentConfig(band_limit=0.5, frame_noise=0.9, time_masks=4)
    )
    for seed in range(50):
        warped = warper(static, np.random.default_rng(seed))
        assert np.isfinite(warped).all() and warped.dtype == np.float32
        assert max(2, round(0.9 * frames)) <= len(warped) <= max(2, round(1.1 * frames))


def test_silence_survives() -> None:
    config = AugmentConfig(noise=1.0, telephone=0.5)
    for seed in range(20):
        changed = perturb(np.zeros(4000, np.float32), 16_000, config, np.random.default_rng(seed))
        assert not changed.any()
        assert np.isfinite(extract(changed, FEATURES)).all()


def test_impossible_strengths_are_errors() -> None:
    for wrong in ({"speed": 0.5}, {"copies": -1}, {"noise": 1.1}, {"jitter": -0.1}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            AugmentConfig(**wrong)  # type: ignore[arg-type]
