"""`energy_distance`: how far made speech is from a recording, for speech whose noise is random.

Only spectra are compared, because the phases of made speech are not those of the recording.
"""

from __future__ import annotations

from asr.base.tensorflow import tf

SIZES = (2048, 1024, 512, 256)
"""Window lengths of the compared spectra, in samples. Windows overlap by half."""
FLOOR = 1e-4
"""Magnitude below which differences do not count; noise of power 1 has a magnitude of about 1."""
LINEAR_WEIGHT = 2.0
"""Weight of the differences of magnitudes beside those of their logarithms."""


def energy_distance(recorded: tf.Tensor, made: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """The generalised energy distance of made speech (Gritsenko et al., 2020).

    Its expectation is smallest when made speech is distributed as recordings are. The distance to
    the recording alone would be smallest for too little noise.

    Args:
        recorded: samples of the recordings, float32 [batch, samples].
        made: samples made of the same frames.
        other: samples made of the same frames, with other noise.

    Returns:
        float32 [batch].
    """
    a, b, c = (_spectra(samples) for samples in (recorded, made, other))
    return _distance(a, b) + _distance(a, c) - _distance(b, c)


def spectral_distance(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Distance of the magnitudes in windows of several lengths, float32 [batch].

    For each window, it is the root mean square of the difference of log magnitudes, and the mean
    absolute difference of magnitudes.
    """
    return _distance(_spectra(first), _spectra(second))


def _spectra(samples: tf.Tensor) -> list[tf.Tensor]:
    """The magnitudes of `samples` in windows of each of `SIZES`."""
    return [_magnitudes(samples, size) for size in SIZES]


def _distance(first: list[tf.Tensor], second: list[tf.Tensor]) -> tf.Tensor:
    """`spectral_distance` of signals with these `_spectra`."""
    total = tf.zeros(tf.shape(first[0])[0])
    for a, b in zip(first, second, strict=True):
        logs = tf.reduce_mean(tf.square(tf.math.log(a + FLOOR) - tf.math.log(b + FLOOR)), axis=2)
        linear = tf.reduce_mean(tf.abs(a - b), axis=2)
        # The gradient of a square root is infinite at zero, where both are silent.
        total += tf.reduce_mean(tf.sqrt(logs + 1e-6) + LINEAR_WEIGHT * linear, axis=1)
    return total / len(SIZES)


def _magnitudes(samples: tf.Tensor, size: int) -> tf.Tensor:
    """[batch, samples] → [batch, windows, size / 2 + 1]; those of white noise are about 1."""
    window = tf.signal.hann_window(size)
    frames = tf.signal.frame(samples, size, size // 2) * window
    spectrum = tf.signal.rfft(frames) / tf.cast(tf.norm(window), tf.complex64)
    return tf.sqrt(tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum)) + 1e-12)
