"""Augmentation: what a recording might also have sounded like.

Two kinds. `perturb` changes samples (speed, noise, gain, telephone band). `CepstralAugmenter` changes static
cepstra, so it is cheap enough to be new in every epoch and also serves corpora that come as
features only: the cosine transform is linear, hence its pseudo-inverse gives a smooth log-mel
spectrum that can be warped, masked, band-limited and made noisy, and transformed back.
"""

from __future__ import annotations

import numpy as np
import scipy.signal
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.audio.features import FeatureConfig, cosine_transform, mel_filters
from asr.audio.reading import resample
from asr.base.config import STRICT


@dataclass(frozen=True, config=STRICT)
class AugmentConfig:
    """Strengths; every zero switches its augmentation off."""

    copies: int = Field(default=0, ge=0)
    """Perturbed versions of each recording, made once and cached, taken in turn by the epochs."""
    speed: float = Field(default=0.1, ge=0, lt=0.5)
    """Speed and pitch factor within 1 ± this (Ko et al., 2015)."""
    noise: float = Field(default=0.5, ge=0, le=1)
    """Share of perturbed versions with coloured noise at 5–40 dB signal-to-noise ratio."""
    room: float = Field(default=0.0, ge=0, le=1)
    """Share of perturbed versions as in a room that reverberates for 0.1 to 0.6 s."""
    gain_db: float = Field(default=10.0, ge=0)
    telephone: float = Field(default=0.2, ge=0, le=1)
    """Share of perturbed versions reduced to 8 kHz sampling, half of them through μ-law."""
    stretch: float = Field(default=0.1, ge=0, lt=0.5)
    """Duration factor of the frames within 1 ± this."""
    warp: float = Field(default=0.1, ge=0, lt=0.5)
    """Vocal tract length: frequency factor within 1 ± this (Jaitly & Hinton, 2013)."""
    band_limit: float = Field(default=0.0, ge=0, le=1)
    """Share of utterances that lose everything above 3.4–4 kHz."""
    frame_noise: float = Field(default=0.3, ge=0, le=1)
    """Share of utterances with noise added to the log-mel spectrum."""
    time_masks: int = Field(default=2, ge=0)
    """SpecAugment (Park et al., 2019): stretches of frames replaced by the mean."""
    time_mask_frames: int = Field(default=20, ge=0)
    band_masks: int = Field(default=1, ge=0)
    """SpecAugment: bands of mel filters replaced by the mean."""
    band_mask_mels: int = Field(default=8, ge=0)
    join: float = Field(default=0.0, ge=0, le=1)
    """Share of utterances that go straight on with another one of the same speaker, as sentences in
    a long recording do."""
    jitter: float = Field(default=0.2, ge=0)
    """Standard deviation of Gaussian noise on the normalised features."""


def perturb(
    samples: np.ndarray, sample_rate: int, config: AugmentConfig, rng: np.random.Generator
) -> np.ndarray:
    """Another rendering of mono samples in −1…1: float32 [n] → float32 [about n / speed]."""
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
    samples: np.ndarray, sample_rate: int, seconds: float, rng: np.random.Generator
) -> np.ndarray:
    """What a room adds: samples [n] → [n], with the direct sound where it was.

    The room's answer is noise that decays by 60 dB in `seconds` (Polack's model), from a few
    milliseconds behind the direct sound on and 0 to 12 dB below it in all.
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
    """Add noise whose power falls with frequency^`colour` (0 white, 1 pink, 2 brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(len(samples)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1.0) ** (colour / 2)
    noise = np.fft.irfft(spectrum, len(samples))
    power = np.mean(np.square(samples, dtype=np.float64))
    scale = np.sqrt(power / np.mean(noise**2) / 10 ** (snr_db / 10))
    return (samples + scale * noise).astype(np.float32)


def telephone(samples: np.ndarray, sample_rate: int, companding: bool) -> np.ndarray:
    """What an 8 kHz, 16-bit (or with `companding` 8-bit μ-law, ITU-T G.711) channel leaves."""
    narrow = np.clip(resample(samples, sample_rate, 8000), -1, 1)
    if companding:
        code = np.round(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
        narrow = np.sign(code) * np.expm1(np.abs(code) * np.log(256)) / 255
    narrow = np.round(narrow * 32767) / 32767
    return resample(narrow.astype(np.float32), 8000, sample_rate)


class CepstralAugmenter:
    """Random changes to static cepstra, in the smooth log-mel domain behind them."""

    def __init__(self, features: FeatureConfig, config: AugmentConfig) -> None:
        self.features, self.config = features, config
        self.dct = cosine_transform(features)
        self.inverse = np.linalg.pinv(self.dct)
        bins = np.arange(features.fft // 2 + 1) * features.sample_rate / features.fft
        filters = mel_filters(features)
        self.centres = (bins @ filters) / filters.sum(axis=0)

    def __call__(self, static: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Float32 [frames, coefficients] → float32 [about frames, coefficients]."""
        c = self.config
        if c.stretch:
            static = stretch(static, rng.uniform(1 - c.stretch, 1 + c.stretch))
        energies = static @ self.inverse
        # Only the difference goes back, so what the 13 cepstra do not show is left as it was.
        changed = energies
        if c.warp:
            changed = self._vocal_tract(changed, rng.uniform(1 - c.warp, 1 + c.warp))
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

    def _vocal_tract(self, energies: np.ndarray, factor: float) -> np.ndarray:
        sources = np.interp(self.centres * factor, self.centres, np.arange(len(self.centres)))
        low = np.floor(sources).astype(int)
        high = np.minimum(low + 1, len(self.centres) - 1)
        share = sources - low
        return energies[:, low] * (1 - share) + energies[:, high] * share

    def _noise(self, energies: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        # A stationary noise: a tilted line in log-mel, 5 to 30 dB under the loud frames.
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
            # At most a fifth of the utterance each: a short word must stay readable.
            width = int(rng.integers(0, min(c.time_mask_frames, frames // 5) + 1))
            start = int(rng.integers(0, frames - width + 1))
            energies[start : start + width] = mean
        for _ in range(c.band_masks):
            width = int(rng.integers(0, c.band_mask_mels + 1))
            start = int(rng.integers(0, mels - width + 1))
            energies[:, start : start + width] = mean[start : start + width]
        return energies


def stretch(static: np.ndarray, factor: float) -> np.ndarray:
    """Linear interpolation of frames to `factor` times as many."""
    frames = max(2, round(len(static) * factor))
    position = np.linspace(0, len(static) - 1, frames)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, len(static) - 1)
    share = (position - low)[:, None].astype(np.float32)
    return static[low] * (1 - share) + static[high] * share
