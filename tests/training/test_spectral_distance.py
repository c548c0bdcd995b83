"""The distance that trains vocoders."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from asr.training.spectral_distance import energy_distance, spectral_distance


def noise(seed: int, level: float) -> tf.Tensor:
    values = np.random.default_rng(seed).standard_normal((4, 16_384)) * level
    return tf.constant(values, tf.float32)


def test_equal_signals_have_almost_no_distance_and_phases_do_not_count() -> None:
    time = np.arange(16_384) / 22_050
    tone = tf.constant(0.1 * np.sin(2 * np.pi * 440 * time)[None], tf.float32)
    shifted = tf.constant(0.1 * np.cos(2 * np.pi * 440 * time)[None], tf.float32)
    other = tf.constant(0.1 * np.sin(2 * np.pi * 660 * time)[None], tf.float32)
    assert float(spectral_distance(tone, tone)[0]) < 2e-3
    near, far = (float(spectral_distance(tone, x)[0]) for x in (shifted, other))
    assert near < 0.4 * far
    np.testing.assert_allclose(spectral_distance(other, tone)[0], far, rtol=1e-5)


def test_noise_of_the_right_level_is_nearest() -> None:
    """The distance to the recording alone would prefer less noise than the recording has."""
    recorded, level = noise(0, 0.05), 0.05
    distances = {
        share: float(
            tf.reduce_mean(
                energy_distance(recorded, noise(1, share * level), noise(2, share * level))
            )
        )
        for share in (0.25, 0.5, 0.8, 1.0, 1.25, 2.0)
    }
    assert min(distances, key=distances.__getitem__) == 1.0


def test_gradients_are_finite_in_silence() -> None:
    silence = tf.Variable(tf.zeros([1, 8192]))
    with tf.GradientTape() as tape:
        loss = energy_distance(tf.zeros([1, 8192]), silence, silence)
    assert np.isfinite(tape.gradient(loss, silence)).all()
