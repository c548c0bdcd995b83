"""The discriminator that voices are trained against."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from asr.training.frame_discriminator import CROP, FrameDiscriminator, rival_losses

LENGTHS = np.array([90, 70, 20], np.int32)
PLACES = np.array([0.0, 1.0, 0.4], np.float32)


@pytest.fixture
def discriminator() -> FrameDiscriminator:
    keras.utils.set_random_seed(1)
    return FrameDiscriminator(80)


def frames(seed: int, deviation: float = 1.0) -> tf.Tensor:
    rng = np.random.default_rng(seed)
    return tf.constant(rng.normal(0, deviation, (3, 90, 80)), tf.float32)


def test_each_loss_trains_its_own_side_only(discriminator: FrameDiscriminator) -> None:
    made, real = frames(0, 0.3), frames(1)
    variables = [v.value for v in discriminator.trainable_variables]
    assert len(variables) == 8
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(made)
        losses = rival_losses(discriminator, made, real, LENGTHS, PLACES)
        voice, rival = (tf.reduce_sum(x) for x in losses)
    assert losses.voice.shape == losses.discriminator.shape == (3,)
    assert tape.gradient(voice, variables) == [None] * 8
    assert tape.gradient(rival, made) is None
    assert np.abs(tape.gradient(voice, made)).max() > 0
    assert all(np.abs(g).max() > 0 for g in tape.gradient(rival, variables))


def test_frames_outside_the_crop_do_not_count(discriminator: FrameDiscriminator) -> None:
    made, real = frames(0, 0.3), frames(1)
    before = rival_losses(discriminator, made, real, LENGTHS, PLACES)
    changed = made.numpy()
    changed[0, CROP:] += 5  # the crop of the first sentence begins at its start
    changed[1, : 70 - CROP] += 5  # that of the second one ends at its end
    changed[1, 70:] += 5
    after = rival_losses(discriminator, tf.constant(changed), real, LENGTHS, PLACES)
    np.testing.assert_allclose(after.voice[:2], before.voice[:2], rtol=1e-6)


def test_it_learns_to_tell_smooth_from_rough_frames(discriminator: FrameDiscriminator) -> None:
    optimizer = keras.optimizers.Adam(2e-3)
    for step in range(40):
        made, real = frames(2 * step, 0.3), frames(2 * step + 1)
        with tf.GradientTape() as tape:
            loss = rival_losses(discriminator, made, real, LENGTHS, PLACES).discriminator
            total = tf.reduce_mean(loss)
        variables = discriminator.trainable_variables
        optimizer.apply(tape.gradient(total, [v.value for v in variables]), variables)
    smooth, rough = (tf.reduce_mean(discriminator(frames(99, d))[-1]) for d in (0.3, 1.0))
    assert rough > 1 and smooth < -1
    verdicts = [
        rival_losses(discriminator, frames(98, d), frames(97), LENGTHS, PLACES).voice
        for d in (0.3, 1.0)
    ]
    assert np.mean(verdicts[0]) > 2 * np.mean(verdicts[1])
