"""Mixes that cancel."""

from __future__ import annotations

import numpy as np
import pytest
import zoo

from asr.audio.mono import MonoStream, to_mono

SPEECH = zoo.speech(3.0).astype(np.float32)


def mixed(samples: np.ndarray, size: int) -> tuple[np.ndarray, list[str]]:
    found: list[str] = []
    stream = MonoStream(16_000, 16_000, name="call.wav", warn=found.append)
    pieces = [stream.feed(samples[at : at + size]) for at in range(0, len(samples), size)]
    return np.concatenate([*pieces, stream.finish()]), found


@pytest.mark.parametrize("scale", [-1.0, -0.9])
def test_an_inverted_channel_does_not_cancel_the_mix(scale: float) -> None:
    mono, found = mixed(np.stack([0.5 * SPEECH, 0.5 * scale * SPEECH], axis=1), 4000)
    np.testing.assert_array_equal(mono, 0.5 * SPEECH)
    (message,) = found
    assert "call.wav" in message and "channel 0" in message


def test_the_loudest_channel_is_used() -> None:
    mono, found = mixed(np.stack([-0.95 * SPEECH, SPEECH], axis=1), 4000)
    np.testing.assert_array_equal(mono, SPEECH)
    assert "channel 1" in found[0]


@pytest.mark.parametrize("size", [1, 777, 8000, 48_000])
def test_the_mix_does_not_depend_on_the_size_of_the_pieces(size: int) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.05, [20_345, 2]).astype(np.float32)
    inverted = np.stack([SPEECH, -SPEECH], axis=1)[:20_345]
    samples = np.concatenate([noise, inverted, noise])
    expected = mixed(samples, len(samples))
    mono, found = mixed(samples, size)
    np.testing.assert_array_equal(mono, expected[0])
    assert found == expected[1] != []


def test_other_mixes_are_means() -> None:
    rng = np.random.default_rng(0)
    for samples in (
        rng.normal(0, 0.1, [30_000, 2]),
        np.stack([SPEECH, 0 * SPEECH], axis=1),
        np.stack([SPEECH, SPEECH], axis=1),
        np.zeros([30_000, 2]),
        rng.normal(0, 0.1, [30_000, 6]),
    ):
        samples = samples.astype(np.float32)
        mono, found = mixed(samples, 4000)
        np.testing.assert_array_equal(mono, samples.mean(axis=1))
        assert found == []


def test_a_chosen_channel_is_not_replaced() -> None:
    samples = np.stack([SPEECH, -SPEECH], axis=1)
    np.testing.assert_array_equal(to_mono(samples, 16_000, 16_000, 1, "x"), -SPEECH)
