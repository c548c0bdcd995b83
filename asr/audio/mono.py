"""Converting samples of any type, sample rate and channel count to mono float32 in −1…1."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import soxr

from asr.base.units import Hertz, Samples, Seconds
from asr.errors import AudioError

MIN_SAMPLE_RATE: Hertz = 1000
"""Hz. A lower rate means a wrong header, and resampling would turn a small file into gigabytes."""
MIN_DURATION: Seconds = 0.05
"""Shorter recordings cannot hold a word."""
BLOCK: Samples = 65_536
"""Samples per channel that are converted at once."""
MIX_BLOCK: Seconds = 0.5
"""Blocks of several channels; in each of them, a mix that cancels is replaced by one channel."""
MIN_MIX_BLOCK: Seconds = 0.1
"""A shorter last block is mixed like the block before."""
CANCELLED = 0.01
"""A mix cancels if its energy is below this part of the loudest channel's energy (−20 dB). Two
unrelated channels have −6 dB."""
SILENCE = 1e-8
"""Energy (−80 dB) below which a block is silent, so that nothing can cancel."""


def to_mono(
    samples: np.ndarray, source_rate: Hertz, target_rate: Hertz, channel: int | None, name: str
) -> np.ndarray:
    """Convert samples as `to_mono_blocks` does, to one array: float32 [samples]."""
    return np.concatenate(list(to_mono_blocks(samples, source_rate, target_rate, channel, name)))


def to_mono_blocks(
    samples: np.ndarray,
    source_rate: Hertz,
    target_rate: Hertz,
    channel: int | None,
    name: str,
    warn: Callable[[str], object] | None = None,
) -> Iterator[np.ndarray]:
    """Check samples and convert them to blocks of mono samples.

    Args:
        samples: [n] or [n, channels]. Integers of 8 to 32 bits are scaled from the range of their
            type to −1…1. Floats are not scaled, nor clipped to −1…1.
        source_rate: sample rate of `samples` in Hz.
        target_rate: sample rate of the result in Hz.
        channel: the channel to convert, counted from 0; None: the mean of all channels.
        name: name of the samples in error messages.
        warn: called with a warning if the channels cancel each other; default: none.

    Yields:
        float32 [samples].

    Raises:
        AudioError: the samples are empty, too short, not finite or of an unusable type, the sample
            rate is too low, or the channel does not exist; the message has `name`.
    """
    samples = np.atleast_1d(samples)
    mono = MonoStream(source_rate, target_rate, channel, name, warn)
    # Feed one block even if there are no samples: the type and the shape are checked there.
    for start in range(0, max(len(samples), 1), BLOCK):
        yield mono.feed(samples[start : start + BLOCK])
    mono.check_length()
    yield mono.finish()


class MonoStream:
    """Converts a stream of samples to mono float32 at another sample rate, and checks them.

    The lengths of the pieces do not matter: the joined output is the same, to the bit. The
    resampler delays its output, and several channels are mixed in blocks of 0.5 s; `finish` returns
    the rest.

    A mix can cancel: if one channel is the other one inverted, their mean is silence. Blocks with
    such a mix are replaced by the loudest channel.

    Args:
        source_rate: sample rate of the input in Hz.
        target_rate: sample rate of the output in Hz.
        channel: the channel to convert, counted from 0; default: the mean of all channels.
        name: name of the stream in error messages; default: "samples".
        warn: called with a warning if the channels cancel each other; default: none.

    Attributes:
        count: samples per channel fed so far, at `source_rate`.
        channels: channels of the last piece.

    Raises:
        AudioError: `source_rate` is below 1000 Hz.
    """

    def __init__(
        self,
        source_rate: Hertz,
        target_rate: Hertz,
        channel: int | None = None,
        name: str = "samples",
        warn: Callable[[str], object] | None = None,
    ) -> None:
        if source_rate < MIN_SAMPLE_RATE:
            raise AudioError(
                f"{name}: sample rate {source_rate} Hz is below the minimum, {MIN_SAMPLE_RATE} Hz"
            )
        self.source_rate, self.channel, self.name = source_rate, channel, name
        self.count, self.channels = 0, 1
        self._warn = warn
        self._held: list[np.ndarray] = []
        self._held_count = self._mixed = 0
        self._loudest: int | None = None
        self._cancelled = False
        self._resampler = None
        if source_rate != target_rate:
            self._resampler = soxr.ResampleStream(
                source_rate, target_rate, 1, dtype="float32", quality="HQ"
            )

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Convert the next samples.

        Args:
            samples: [n] or [n, channels]; n may be 0.

        Returns:
            float32 [samples], possibly empty.

        Raises:
            AudioError: the samples are not finite or of an unusable type, or the channel does not
                exist.
        """
        samples = self._as_float32(samples)
        if not samples.size:
            return np.zeros(0, np.float32)
        channels = samples.shape[1]
        if self.channel is not None and not 0 <= self.channel < channels:
            raise AudioError(
                f"{self.name}: no channel {self.channel}: there are {channels}, counted from 0"
            )
        mono = [np.zeros(0, np.float32)]
        if channels != self.channels:
            mono.append(self._mix_held())
        self.channels = channels
        self.count += len(samples)
        if self.channel is not None or channels == 1:
            mono.append(samples[:, self.channel or 0])
        else:
            mono += self._mix(samples)
        return self._resample(np.concatenate(mono))

    def finish(self) -> np.ndarray:
        """End the stream and return the samples that are still held."""
        return self._resample(self._mix_held(), last=True)

    def _resample(self, mono: np.ndarray, last: bool = False) -> np.ndarray:
        """Check mono samples and convert their sample rate."""
        finite = np.isfinite(mono)
        if not finite.all():
            at = (self._mixed + int(finite.argmin())) / self.source_rate
            raise AudioError(
                f"{self.name}: samples that are not finite (NaN or infinite), first at {at:.3f} s"
            )
        self._mixed += len(mono)
        mono = np.ascontiguousarray(mono)
        if self._resampler is None:
            return mono
        return self._resampler.resample_chunk(mono, last=last)

    def _mix(self, samples: np.ndarray) -> list[np.ndarray]:
        """Mix whole blocks, and hold the rest."""
        size = round(MIX_BLOCK * self.source_rate)
        self._held.append(samples)
        self._held_count += len(samples)
        if self._held_count < size:
            return []
        held = np.concatenate(self._held)
        whole = len(held) - len(held) % size
        self._held, self._held_count = [held[whole:].copy()], len(held) - whole
        return [self._mix_block(held[start : start + size]) for start in range(0, whole, size)]

    def _mix_held(self) -> np.ndarray:
        """Mix the last samples, which are less than a block."""
        if not self._held_count:
            return np.zeros(0, np.float32)
        block = np.concatenate(self._held)
        self._held, self._held_count = [], 0
        return self._mix_block(block)

    def _mix_block(self, block: np.ndarray) -> np.ndarray:
        mono = _mean(block)
        if len(block) >= MIN_MIX_BLOCK * self.source_rate or self._loudest is None:
            self._cancelled = _cancels(block, mono)
        if not self._cancelled:
            return mono
        if self._loudest is None:
            self._loudest = int(_energies(block).argmax())
            if self._warn is not None:
                self._warn(
                    f"{self.name}: the channels cancel each other in a mix (one of them is "
                    f"inverted); channel {self._loudest}, the loudest, is used instead"
                )
        return block[:, min(self._loudest, block.shape[1] - 1)]

    def check_length(self) -> None:
        """Check that the stream is long enough for a word.

        Raises:
            AudioError: the stream is empty or shorter than 50 ms.
        """
        if not self.count:
            raise AudioError(f"{self.name}: empty: no samples")
        if self.count < MIN_DURATION * self.source_rate:
            shape = (self.count, self.channels)
            hint = f"; expected [n, channels], found {shape}" if self.channels > 100 else ""
            raise AudioError(
                f"{self.name}: too short: {1000 * self.count / self.source_rate:.0f} ms, "
                f"the minimum is {1000 * MIN_DURATION:.0f} ms{hint}"
            )

    def _as_float32(self, samples: np.ndarray) -> np.ndarray:
        """Samples of any usable type and shape as float32 [n, channels], scaled to −1…1."""
        samples = np.asarray(samples)
        if samples.ndim not in (1, 2):
            raise AudioError(
                f"{self.name}: expected samples [n] or [n, channels], found {samples.shape}"
            )
        if samples.dtype.kind in "iu" and samples.dtype.itemsize <= 4:
            lowest, half = np.iinfo(samples.dtype).min, 2.0 ** (8 * samples.dtype.itemsize - 1)
            samples = (samples - (lowest + half)) / half
        elif samples.dtype.kind != "f":
            raise AudioError(
                f"{self.name}: expected floats or integers of 8 to 32 bits, found {samples.dtype}"
            )
        # Always the same order in memory, because sums over many channels depend on it.
        samples = np.ascontiguousarray(samples, np.float32)
        return samples[:, None] if samples.ndim == 1 else samples


def _mean(block: np.ndarray) -> np.ndarray:
    """Mean of the channels of float32 [n, channels]."""
    if block.shape[1] == 2:  # the same result as below, but several times as fast
        return (block[:, 0] + block[:, 1]) / np.float32(2)
    return block.mean(axis=1)


def _cancels(block: np.ndarray, mono: np.ndarray) -> bool:
    """Whether the mean of the channels is nearly silent although a channel is not."""
    mixed = np.dot(mono, mono)
    if mixed >= CANCELLED * np.vdot(block, block):  # the loudest channel has no more than all
        return False
    loudest = _energies(block).max()
    return bool(loudest > SILENCE and mixed / len(block) < CANCELLED * loudest)


def _energies(block: np.ndarray) -> np.ndarray:
    """Mean square of each channel."""
    return np.einsum("tc,tc->c", block, block, dtype=np.float64) / len(block)


def resample(samples: np.ndarray, source_rate: Hertz, target_rate: Hertz) -> np.ndarray:
    """Resample mono samples with a band limit.

    Args:
        samples: float32 [n].
        source_rate: sample rate of `samples` in Hz.
        target_rate: sample rate of the result in Hz.

    Returns:
        float32 [about n × target_rate / source_rate].
    """
    if source_rate == target_rate:
        return samples
    return soxr.resample(samples, source_rate, target_rate, quality="HQ")
