"""`VocoderNetwork`: the network of `source_filter` in Keras, and its signals as a TensorFlow graph.

Training and exported voices use it. Exported graphs use only standard operations, so that
TensorFlow Serving can run them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asr.base.tensorflow import keras, tf
from asr.networks.recurrent import RecurrentStack
from asr.networks.weights import load_weights
from asr.tts.mel import MelConfig, slaney_filters
from asr.tts.scales import add_scales
from asr.tts.source_filter import PASSES, bands_to_bins, bands_to_points, filter_matrices
from asr.tts.vocoder_graph import istft_graph, stft_graph
from asr.tts.voice_config import VOCODER_FILE, VocoderConfig, VocoderShape

FIRST_LEVELS = (0.0, -2.0)
"""What an untrained network adds to the frame's levels, for harmonics and for noise."""


class VocoderControls(NamedTuple):
    """What the network finds in frames.

    Attributes:
        pitch: standardised logarithm of the pitch, float32 [batch, frames].
        harmonics: log magnitudes of the harmonics, float32 [batch, frames, harmonic_bands].
        noise: log magnitudes of the noise, float32 [batch, frames, noise_bands].
    """

    pitch: tf.Tensor
    harmonics: tf.Tensor
    noise: tf.Tensor


class VocoderNetwork(keras.Model):
    """The network of `SourceFilter`; see there.

    Args:
        shape: shape of the network.
        mel: frame and band settings.

    Attributes:
        scales: means and standard deviations of mel frames and of the log pitch, by name.
    """

    def __init__(self, shape: VocoderShape, mel: MelConfig) -> None:
        super().__init__(name="vocoder")
        self.shape, self.mel = shape, mel
        self.prenet = keras.layers.Dense(shape.units, activation="relu", name="prenet")
        self.stack = RecurrentStack(shape.cell, shape.units, shape.layers, name="stack")
        self.head = keras.layers.Dense(shape.outputs, name="head")
        self.scales = add_scales(self, mel.mels)
        self.build((None, None, mel.mels))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        # Without this, Keras would trace and run the network to find the shapes.
        self.prenet.build(input_shape)
        self.stack.build((None, None, self.shape.units))
        self.head.build((None, None, self.stack.width))
        harmonics, noise = FIRST_LEVELS
        self.head.bias.assign(
            np.repeat(
                np.array([0.0, harmonics, noise], np.float32),
                [1, self.shape.harmonic_bands, self.shape.noise_bands],
            )
        )
        self.built = True

    def call(self, frames: tf.Tensor) -> VocoderControls:
        """Log-mel frames, float32 [batch, frames, mels] → `VocoderControls`."""
        x = (frames - self.scales["mel_mean"]) / self.scales["mel_deviation"]
        made = self.head(self.stack(self.prenet(x)))
        sizes = [1, self.shape.harmonic_bands, self.shape.noise_bands]
        pitch, harmonics, noise = tf.split(made, sizes, axis=-1)
        return VocoderControls(
            pitch[..., 0],
            harmonics + tf.matmul(frames, bands_to_points(self.mel, self.shape.harmonic_bands)),
            noise + tf.matmul(frames, bands_to_points(self.mel, self.shape.noise_bands)),
        )

    def named_weights(self) -> dict[str, Any]:
        """All variables of the vocoder by path."""
        variables = [*self.trainable_variables, *self.scales.values()]
        return {variable.path: variable for variable in variables}


class SourceFilterGraph:
    """`SourceFilter` on tensors; see there.

    Args:
        config: frame and band settings of the frames.
        network: the vocoder's network.
    """

    def __init__(self, config: MelConfig, network: VocoderNetwork) -> None:
        self.config = config
        # Only functions and variables become attributes: layers would be exported as models.
        self.controls, self.scales = network.call, network.scales

    def __call__(self, frames: tf.Tensor) -> tf.Tensor:
        """Log-mel frames, float32 [frames, mels] → samples, float32 [(frames − 1) × hop]."""
        controls = self.controls(frames[None])
        log_pitch = controls.pitch * self.scales["pitch_deviation"] + self.scales["pitch_mean"]
        source = pulses_graph(log_pitch[0], self.config)
        noise = white_noise_graph(tf.shape(source)[0])
        sources = [(source[None], controls.harmonics), (noise[None], controls.noise)]
        return levelled_graph(filtered_graph(sources, self.config), frames[None], self.config)[0]


def pulses_graph(log_pitch: tf.Tensor, config: MelConfig) -> tf.Tensor:
    """`pulses` on a tensor [frames]; see there."""
    hop = config.hop
    log_pitch = tf.cast(log_pitch, tf.float64)
    share = tf.range(hop, dtype=tf.float64) / hop
    between = log_pitch[:-1, None] * (1 - share) + log_pitch[1:, None] * share
    pitch = tf.exp(tf.reshape(between, [-1]))
    half = np.pi * (tf.cumsum(pitch / config.sample_rate) % 1)
    count = tf.floor(config.sample_rate / 2 / pitch)
    sine = tf.sin(half)
    train = (tf.sin((2 * count + 1) * half) / tf.maximum(sine, 1e-6) - 1) / 2
    train = tf.where(sine < 1e-6, count, train)
    return tf.cast(train * tf.sqrt(2 / count), tf.float32)


def white_noise_graph(count: tf.Tensor) -> tf.Tensor:
    """`white_noise` as a tensor [count]; see there."""
    bits, shift, both = tf.bitwise.bitwise_xor, tf.bitwise.right_shift, tf.bitwise.bitwise_and
    x = tf.range(tf.cast(count, tf.int64))
    for by, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = both(bits(x, shift(x, tf.constant(by, tf.int64))) * factor, 0xFFFFFFFF)
    x = bits(x, shift(x, tf.constant(16, tf.int64)))
    return tf.cast((tf.cast(x, tf.float64) / 2**31 - 1) * np.sqrt(3), tf.float32)


def filtered_graph(sources: list[tuple[tf.Tensor, tf.Tensor]], config: MelConfig) -> tf.Tensor:
    """`filtered` on batches.

    Args:
        sources: signals [batch, (frames − 1) × hop] and the log magnitudes of their envelopes
            [batch, frames, bands].
        config: hop and size of the filters' transform.

    Returns:
        float32 [batch, (frames − 1) × hop].
    """
    hop, fft = config.hop, config.fft
    spectra = []
    for signal, envelope in sources:
        matrices = filter_matrices(config, envelope.shape[-1])
        padded = tf.pad(signal, [[0, 0], [hop, hop]])
        windows = tf.signal.frame(padded, 2 * hop, hop) * tf.signal.hann_window(2 * hop)
        phases = tf.matmul(envelope, matrices.phases)
        size = tf.exp(tf.matmul(envelope, matrices.levels))
        response = tf.complex(size * tf.cos(phases), size * tf.sin(phases))
        spectra.append(tf.signal.rfft(windows, [fft]) * response)
    made = tf.signal.overlap_and_add(tf.signal.irfft(tf.add_n(spectra), [fft]), hop)
    # The first frame begins a hop before the first sample.
    return made[:, hop : tf.shape(sources[0][1])[1] * hop]


def levelled_graph(samples: tf.Tensor, frames: tf.Tensor, config: MelConfig) -> tf.Tensor:
    """`levelled` on batches.

    Args:
        samples: the speech, float32 [batch, (frames − 1) × hop].
        frames: log-mel frames, float32 [batch, frames, mels].
        config: frame and band settings.

    Returns:
        float32 [batch, (frames − 1) × hop].
    """
    for _ in range(PASSES):
        spectrum = stft_graph(samples, config)
        energies = tf.matmul(tf.abs(spectrum), slaney_filters(config))
        missing = frames - tf.math.log(tf.maximum(energies, config.floor))
        gains = tf.exp(tf.matmul(missing, bands_to_bins(config)))
        samples = istft_graph(spectrum * tf.complex(gains, tf.zeros_like(gains)), config)
    return samples


def load_vocoder_network(folder: Path, config: VocoderConfig, mel: MelConfig) -> VocoderNetwork:
    """The Keras network of the vocoder in a voice's directory.

    Raises:
        ModelError: the weights cannot be read, are damaged or do not fit the configuration.
    """
    network = VocoderNetwork(config.shape, mel)
    load_weights(network, folder / VOCODER_FILE, config.weights_sha256)
    return network
