"""`SourceFilter`: a trained vocoder from log-mel frames to samples, in ONNX Runtime and numpy.

A recurrent network reads the frames. For each frame it finds the pitch and two spectral envelopes.
A train of pulses at the pitch and white noise are each filtered by their envelope and added. At
last every band gets the level that it has in the frames. The network learns from recordings what to
make of frames; pulses, noise, filters and levels are fixed computations. `source_filter_network`
has the same network in Keras, for training and exported voices.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from asr.audio.features import mel_frequencies
from asr.base.blas import one_thread
from asr.networks.onnx_graph import open_session, stack_between_layers
from asr.networks.weights import WeightArrays
from asr.tts.mel import MelConfig, hann, istft, mel_levels, overlap_add, stft
from asr.tts.scales import take_scales
from asr.tts.voice_config import VocoderShape

PASSES = 2
"""How often `levelled` corrects the levels. A change of a frame changes its neighbours, too."""


class SourceFilter:
    """Samples of log-mel frames, by a network, pulses, noise and filters.

    The design is that of a source-filter vocoder whose filters a network predicts (Wang et al.,
    2019; Engel et al., 2020). The filters are applied to overlapping frames, and their phases are
    the minimum phases of their magnitudes. The same frames always give the same samples.

    Args:
        config: frame and band settings of the frames.
        shape: shape of the network.
        weights: arrays of the vocoder.
        threads: number of threads; 0 lets ONNX Runtime choose.

    Raises:
        ModelError: the weights do not fit the shape.
    """

    def __init__(
        self, config: MelConfig, shape: VocoderShape, weights: WeightArrays, threads: int = 0
    ) -> None:
        self.config, self.shape = config, shape
        self.scales = take_scales(weights, "vocoder", config.mels)
        graph = stack_between_layers(
            "vocoder",
            weights,
            ("vocoder/prenet", "vocoder/stack", "vocoder/head"),
            ("frames", "controls"),
            "frames",
            (config.mels, shape.outputs),
            cell=shape.cell,
            units=shape.units,
            layers=shape.layers,
        )
        weights.finish()
        self._session = open_session(graph, threads)

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Log-mel frames, float32 [frames, mels] → samples, float32 [(frames − 1) × hop]."""
        log_pitch, harmonics, noise = self.controls(frames)
        source = pulses(log_pitch, self.config)
        with one_thread():
            made = filtered([(source, harmonics), (white_noise(len(source)), noise)], self.config)
            return levelled(made, frames, self.config)

    def controls(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log-mel frames [frames, mels] → log pitch and both envelopes.

        Returns:
            Natural logarithm of the pitch in Hz [frames]; log magnitudes of the harmonics
            [frames, harmonic_bands] and of the noise [frames, noise_bands].
        """
        scales = self.scales
        x = (frames - scales["mel_mean"]) / scales["mel_deviation"]
        (made,) = self._session.run(None, {"frames": x.astype(np.float32, copy=False)})
        pitch, harmonics, noise = np.split(made, [1, 1 + self.shape.harmonic_bands], axis=1)
        return (
            pitch[:, 0] * scales["pitch_deviation"] + scales["pitch_mean"],
            harmonics + frames @ bands_to_points(self.config, self.shape.harmonic_bands),
            noise + frames @ bands_to_points(self.config, self.shape.noise_bands),
        )


def pulses(log_pitch: np.ndarray, config: MelConfig) -> np.ndarray:
    """A train of pulses at a pitch that is linear between the frames; see `pulse_train`.

    Args:
        log_pitch: natural logarithm of the pitch in Hz, float [frames].
        config: sample rate and hop.

    Returns:
        float32 [(frames − 1) × hop].
    """
    pitch = np.exp(at_samples(log_pitch, config))
    return pulse_train(np.cumsum(pitch / config.sample_rate), pitch, config.sample_rate)


def at_samples(values: np.ndarray, config: MelConfig) -> np.ndarray:
    """Values of frames [frames], interpolated linearly: float64 [(frames − 1) × hop]."""
    at = np.arange((len(values) - 1) * config.hop) / config.hop
    return np.interp(at, np.arange(len(values)), values.astype(np.float64))


def pulse_train(turns: np.ndarray, pitch: np.ndarray, sample_rate: int) -> np.ndarray:
    """All harmonics of a pitch up to half of the sample rate, equally strong.

    Args:
        turns: phase of the first harmonic, in turns, float64 [n].
        pitch: its frequency in Hz, float64 [n].
        sample_rate: in Hz.

    Returns:
        float32 [n] with a power of 1.
    """
    half = np.pi * (turns % 1)
    count = np.floor(sample_rate / 2 / pitch)
    # The sum of cos(k × phase) for k from 1 to count, in closed form.
    sine = np.sin(half)
    train = (np.sin((2 * count + 1) * half) / np.maximum(sine, 1e-6) - 1) / 2
    train = np.where(sine < 1e-6, count, train)
    return (train * np.sqrt(2 / count)).astype(np.float32)


def white_noise(count: int) -> np.ndarray:
    """Noise with a power of 1, float32 [count]: the same for every call.

    Each sample is a mixture of the bits of its index (Ettinger's hash of 32 bits), which TensorFlow
    can compute, too.
    """
    x = np.arange(count, dtype=np.int64)
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    x ^= x >> 16
    return ((x / 2**31 - 1) * np.sqrt(3)).astype(np.float32)


@lru_cache(maxsize=8)
def bands_to_points(config: MelConfig, points: int) -> np.ndarray:
    """Matrix from log-mel frames to envelopes with `points` points, float32 [mels, points].

    The network predicts how an envelope differs from the frame, which it need not learn to copy.
    """
    wanted = mel_frequencies(points, 0.0, config.sample_rate / 2, "slaney")
    return _interpolation(_band_centres(config), wanted).astype(np.float32)


@lru_cache(maxsize=8)
def bands_to_bins(config: MelConfig) -> np.ndarray:
    """Matrix from values of mel bands to values of bins, float32 [mels, fft / 2 + 1]."""
    bins = np.arange(config.fft // 2 + 1) * config.sample_rate / config.fft
    return _interpolation(_band_centres(config), bins).astype(np.float32)


def _band_centres(config: MelConfig) -> np.ndarray:
    """Centres of the mel bands in Hz, [mels]."""
    return mel_frequencies(config.mels + 2, config.low_hz, config.high_hz, "slaney")[1:-1]


def _interpolation(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Matrix from values at known places to linearly interpolated ones, [known, wanted]."""
    return np.stack([np.interp(wanted, known, row) for row in np.eye(len(known))])


class FilterMatrices(NamedTuple):
    """Matrices from an envelope's points to a filter.

    Attributes:
        levels: points → log magnitude of each bin, float32 [bands, fft / 2 + 1].
        phases: points → minimum phase of each bin in radians, of the same shape.
    """

    levels: np.ndarray
    phases: np.ndarray


@lru_cache(maxsize=8)
def filter_matrices(config: MelConfig, bands: int) -> FilterMatrices:
    """The matrices of an envelope with `bands` points from 0 Hz to half of the sample rate.

    Between its points an envelope is linear in frequency. The minimum phase is the transform of
    the cepstrum folded to positive times (Oppenheim & Schafer, 1975), which is linear in the log
    magnitudes, too.
    """
    points = mel_frequencies(bands, 0.0, config.sample_rate / 2, "slaney")
    bins = np.arange(config.fft // 2 + 1) * config.sample_rate / config.fft
    levels = _interpolation(points, bins)
    cepstra = np.fft.irfft(levels, config.fft, axis=1)
    cepstra[:, 1 : config.fft // 2] *= 2
    cepstra[:, config.fft // 2 + 1 :] = 0
    phases = np.fft.rfft(cepstra, axis=1).imag
    return FilterMatrices(levels.astype(np.float32), phases.astype(np.float32))


def filtered(sources: list[tuple[np.ndarray, np.ndarray]], config: MelConfig) -> np.ndarray:
    """The sum of signals, each filtered by an envelope that changes from frame to frame.

    A signal is cut into frames of two hops under a Hann window, which add up to the signal. Each
    is filtered by the envelope of its frame, and the results are added.

    Args:
        sources: signals, float32 [(frames − 1) × hop], and the log magnitudes of their envelopes,
            float32 [frames, bands].
        config: hop and size of the filters' transform.

    Returns:
        float32 [(frames − 1) × hop].
    """
    hop, fft = config.hop, config.fft
    total = np.zeros((len(sources[0][1]), fft // 2 + 1), np.complex64)
    for signal, envelope in sources:
        matrices = filter_matrices(config, envelope.shape[1])
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(signal, hop), 2 * hop)[::hop]
        phases = envelope @ matrices.phases
        response = np.exp(envelope @ matrices.levels) * (np.cos(phases) + 1j * np.sin(phases))
        total += np.fft.rfft(windows * hann(2 * hop), fft, axis=1) * response
    made = overlap_add(np.fft.irfft(total, fft, axis=1).astype(np.float32, copy=False), hop)
    # The first frame begins a hop before the first sample.
    return made[hop : len(total) * hop]


def levelled(samples: np.ndarray, frames: np.ndarray, config: MelConfig) -> np.ndarray:
    """Speech whose mel bands have the levels of the frames that it was made of.

    Envelopes and pulses reach these levels roughly only. Each bin of the spectrum is amplified by
    what its band lacks; the phases stay.

    Args:
        samples: the speech, float32 [(frames − 1) × hop].
        frames: log-mel frames, float32 [frames, mels].
        config: frame and band settings.

    Returns:
        float32 [(frames − 1) × hop].
    """
    for _ in range(PASSES):
        spectrum = stft(samples, config)
        missing = frames - mel_levels(np.abs(spectrum), config)
        samples = istft(spectrum * np.exp(missing @ bands_to_bins(config)), config)
    return samples
