"""Augmentation of training data.

`perturb` changes samples: speed, noise, room, telephone band, gain. Its results are cached.

`CepstralAugmenter` changes static cepstra. It is fast enough to run anew in every epoch, and it
works for corpora that come as features without recordings. The cosine transform is linear, so its
pseudo-inverse returns a smooth log-mel spectrum. That spectrum is warped, masked, band-limited and
mixed with noise, and then transformed back.
"""

from __future__ import annotations

import numpy as np
import scipy.signal
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.audio.features import FeatureConfig, cosine_transform, mel_filters
from asr.audio.mono import resample
from asr.base.config import STRICT
from asr.base.units import Hertz, Seconds


@dataclass(frozen=True, config=STRICT)
class AugmentConfig:
    """Strengths of the augmentations; 0 switches an augmentation off."""

    copies: int = Field(default=0, ge=0)
    """Perturbed versions of each recording. They are cached; the epochs use them in turn."""
    speed: float = Field(default=0.1, ge=0, lt=0.5)
    """Largest change of speed and pitch: the factor is 1 ± this (Ko et al., 2015)."""
    noise: float = Field(default=0.5, ge=0, le=1)
    """Share of perturbed versions with coloured noise, at a signal-to-noise ratio of 5 to 40 dB."""
    room: float = Field(default=0.0, ge=0, le=1)
    """Share of perturbed versions with the reverberation of a room, 0.1 to 0.6 s long."""
    gain_db: float = Field(default=10.0, ge=0)
    """Largest change of the level of perturbed versions, up or down, in dB."""
    telephone: float = Field(default=0.2, ge=0, le=1)
    """Share of perturbed versions resampled to 8 kHz; half of them are also coded with μ-law."""
    stretch: float = Field(default=0.1, ge=0, lt=0.5)
    """Largest change of the number of frames: the factor is 1 ± this."""
    warp: float = Field(default=0.1, ge=0, lt=0.5)
    """Largest change of vocal tract length: the factor is 1 ± this (Jaitly & Hinton, 2013)."""
    band_limit: float = Field(default=0.0, ge=0, le=1)
    """Share of utterances without frequencies above 3.4 to 4 kHz."""
    frame_noise: float = Field(default=0.3, ge=0, le=1)
    """Share of utterances with noise in the log-mel spectrum."""
    time_masks: int = Field(default=2, ge=0)
    """Stretches of frames that are replaced by the mean (SpecAugment; Park et al., 2019)."""
    time_mask_frames: int = Field(default=20, ge=0)
    """Longest time mask in frames; also at most a fifth of the utterance."""
    band_masks: int = Field(default=1, ge=0)
    """Bands of mel filters that are replaced by the mean (SpecAugment)."""
    band_mask_mels: int = Field(default=8, ge=0)
    """Widest band mask in mel filters."""
    join: float = Field(default=0.0, ge=0, le=1)
    """Share of utterances joined with another utterance of the same speaker, without a pause.

    Sentences in a long recording follow each other like this.
    """
    jitter: float = Field(default=0.2, ge=0)
    """Standard deviation of the Gaussian noise added to normalised features."""


def perturb(
    samples: np.ndarray, sample_rate: Hertz, config: AugmentConfig, rng: np.random.Generator
) -> np.ndarray:
    """Apply random speed, room, noise, telephone band and gain to a recording.

    Args:
        samples: mono samples in −1…1, float32 [n].
        sample_rate: Hz.
        config: strengths.
        rng: source of all random choices.

    Returns:
        float32 [about n / speed].
    """
    if config.speed:
        factor = rng.uniform(1 - config.speed, 1 + config.speed)
        samples = resample(samples, round(sample_rate * factor), sample_rate)
    if config.room and rng.random() < config.room:
        samples = reverberate(samples, sample_rate, rng.uniform(0.1, 0.6), rng)
    if rng.random() < config.noise:
        samples = add_noise(samples, rng.uniform(5, 40), rng.uniform(0, 2), rng)
    if rng.random() < config.telephone:
        samples = telephone(samples, sample_rate, companding=rng.random() < 0.5)
    gain = 10 ** (rng.uniform(-config.gain_db, config.gain_db) / 20)
    return (samples * gain).astype(np.float32)


def reverberate(
    samples: np.ndarray, sample_rate: Hertz, seconds: Seconds, rng: np.random.Generator
) -> np.ndarray:
    """Add the reverberation of a random room.

    The impulse response is noise that decays exponentially (Polack's model). It starts 2 to 10 ms
    after the direct sound, and its energy is 0 to 12 dB lower.

    Args:
        samples: float32 [n].
        sample_rate: Hz.
        seconds: time in which the reverberation decays by 60 dB.
        rng: source of all random choices.

    Returns:
        float32 [n]; the direct sound is not delayed.
    """
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    late = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    late[: round(rng.uniform(0.002, 0.01) * sample_rate)] = 0
    late *= 10 ** (-rng.uniform(0, 12) / 20) / np.sqrt(np.sum(late**2))
    wet = scipy.signal.fftconvolve(samples, late)[: len(samples)]
    return (samples + wet).astype(np.float32)


def add_noise(
    samples: np.ndarray, snr_db: float, colour: float, rng: np.random.Generator
) -> np.ndarray:
    """Add noise.

    Args:
        samples: float32 [n].
        snr_db: signal-to-noise ratio in dB.
        colour: the noise's power falls with frequency^colour: 0 is white, 1 pink, 2 brown.
        rng: source of the noise.

    Returns:
        float32 [n].
    """
    spectrum = np.fft.rfft(rng.standard_normal(len(samples)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1.0) ** (colour / 2)
    noise = np.fft.irfft(spectrum, len(samples))
    power = np.mean(np.square(samples, dtype=np.float64))
    scale = np.sqrt(power / np.mean(noise**2) / 10 ** (snr_db / 10))
    return (samples + scale * noise).astype(np.float32)


def telephone(samples: np.ndarray, sample_rate: Hertz, companding: bool) -> np.ndarray:
    """Send samples through a telephone line: 8 kHz, 16 bits.

    Args:
        samples: float32 [n].
        sample_rate: Hz.
        companding: whether the line also codes samples with 8-bit μ-law (ITU-T G.711).

    Returns:
        float32 [about n], at `sample_rate`.
    """
    narrow = np.clip(resample(samples, sample_rate, 8000), -1, 1)
    if companding:
        code = np.round(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
        narrow = np.sign(code) * np.expm1(np.abs(code) * np.log(256)) / 255
    narrow = np.round(narrow * 32767) / 32767
    return resample(narrow.astype(np.float32), 8000, sample_rate)


class CepstralAugmenter:
    """Changes static cepstra at random, in the log-mel domain.

    Args:
        features: settings of the features.
        config: strengths.

    Attributes:
        dct: cosine transform, [mels, coefficients].
        inverse: its pseudo-inverse, [coefficients, mels].
        centres: centre frequency of each mel filter in Hz, [mels].
    """

    def __init__(self, features: FeatureConfig, config: AugmentConfig) -> None:
        self.features, self.config = features, config
        self.dct = cosine_transform(features)
        self.inverse = np.linalg.pinv(self.dct)
        bins = np.arange(features.fft // 2 + 1) * features.sample_rate / features.fft
        filters = mel_filters(features)
        self.centres = (bins @ filters) / filters.sum(axis=0)

    def __call__(self, static: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Apply random stretching, vocal tract length, noise, band limit and masks.

        Args:
            static: float32 [frames, coefficients].
            rng: source of all random choices.

        Returns:
            float32 [about frames, coefficients].
        """
        c = self.config
        if c.stretch:
            static = stretch(static, rng.uniform(1 - c.stretch, 1 + c.stretch))
        energies = static @ self.inverse
        # Transform only the difference back, so that frames without changes stay exact.
        changed = energies
        if c.warp:
            changed = self.warp_vocal_tract(changed, rng.uniform(1 - c.warp, 1 + c.warp))
        if rng.random() < c.frame_noise:
            changed = self._noise(changed, rng)
        if rng.random() < c.band_limit:
            above = self.centres > rng.uniform(3400, 4000)
            changed = np.where(above, np.log(self.features.log_floor), changed)
        changed = self._masks(changed, rng)
        return (static + (changed - energies) @ self.dct).astype(np.float32)

    def jitter(self, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Add Gaussian noise to normalised features."""
        noise = rng.standard_normal(features.shape, np.float32)
        return features + self.config.jitter * noise

    def warp_vocal_tract(self, energies: np.ndarray, factor: float) -> np.ndarray:
        """Change the vocal tract length: each filter gets the energy at `factor` × its frequency.

        Args:
            energies: log-mel energies, [frames, mels].
            factor: above 1, the spectrum moves to lower frequencies.

        Returns:
            [frames, mels].
        """
        sources = np.interp(self.centres * factor, self.centres, np.arange(len(self.centres)))
        low = np.floor(sources).astype(int)
        high = np.minimum(low + 1, len(self.centres) - 1)
        share = sources - low
        return energies[:, low] * (1 - share) + energies[:, high] * share

    def _noise(self, energies: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        # Stationary noise: a sloping line over the log-mel bands, 5 to 30 dB below loud frames.
        loud = np.percentile(energies.mean(axis=1), 95)
        level = loud - rng.uniform(5, 30) * np.log(10) / 10
        tilt = rng.normal(0, 1.5) * np.linspace(-1, 1, energies.shape[1])
        noise = level + tilt + rng.normal(0, 0.5, energies.shape)
        return np.logaddexp(energies, noise)

    def _masks(self, energies: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        c = self.config
        energies = energies.copy()
        mean = energies.mean(axis=0)
        frames, mels = energies.shape
        for _ in range(c.time_masks):
            # At most a fifth of the utterance, so that a short word stays intelligible.
            width = int(rng.integers(0, min(c.time_mask_frames, frames // 5) + 1))
            start = int(rng.integers(0, frames - width + 1))
            energies[start : start + width] = mean
        for _ in range(c.band_masks):
            width = int(rng.integers(0, c.band_mask_mels + 1))
            start = int(rng.integers(0, mels - width + 1))
            energies[:, start : start + width] = mean[start : start + width]
        return energies


def stretch(static: np.ndarray, factor: float) -> np.ndarray:
    """Change the number of frames by linear interpolation.

    Args:
        static: float32 [frames, n].
        factor: ratio of the new number of frames to the old one.

    Returns:
        float32 [factor × frames, but at least 2, n].
    """
    frames = max(2, round(len(static) * factor))
    position = np.linspace(0, len(static) - 1, frames)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, len(static) - 1)
    share = (position - low)[:, None].astype(np.float32)
    return static[low] * (1 - share) + static[high] * share
