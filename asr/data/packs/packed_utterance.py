"""`PackedUtterance`: an utterance whose audio or features are in a shard of a pack."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from asr.audio.feature_cache import static_settings
from asr.audio.features import FeatureConfig, mfcc
from asr.audio.mono import to_mono
from asr.base.units import Hertz, Samples
from asr.data.manifest import Utterance
from asr.errors import AudioError, ConfigError, ManifestError, reason

FEATURES_SUFFIX = ".npy"
"""Suffix of members with features. All other members are audio."""
OPEN_SHARDS = 16
"""Shards that `ShardFiles` keeps open."""
REMEDY = (
    "copy the pack anew, or run its `asr data pack` command again, which replaces damaged shards"
)
"""What to do about a damaged pack."""


@dataclass(frozen=True)
class PackedUtterance(Utterance):
    """An utterance in a pack. It has neither `audio_filepath` nor `feature_filepath`.

    Attributes:
        shard: the tar file.
        member: name of the file in the shard with the audio or the features.
        start: position of the member's first byte in the shard.
        size: bytes of the member.
        sha256: digest of these bytes.
        count: samples of the audio at `sample_rate`, or frames of the features.
        sample_rate: Hz; 0 for features.
        source: name of the utterance in the manifest that was packed.
        settings: static settings that the features were computed with; None for audio, and for
            features of a Sphinx file.
    """

    shard: Path = field(default=Path(), kw_only=True)
    member: str = field(default="", kw_only=True)
    start: int = field(default=0, kw_only=True)
    size: int = field(default=0, kw_only=True)
    sha256: bytes = field(default=b"", kw_only=True)
    count: int = field(default=0, kw_only=True)
    sample_rate: Hertz = field(default=0, kw_only=True)
    source: str = field(default="", kw_only=True)
    settings: Mapping[str, Any] | None = field(default=None, kw_only=True)

    @property
    def name(self) -> str:
        """Name in messages: that of the manifest, and the shard."""
        return f"{self.source} in {self.shard}"

    @property
    def path(self) -> Path:
        """The shard."""
        return self.shard

    @property
    def has_audio(self) -> bool:
        """Whether the pack has the audio, not only features."""
        return not self.member.endswith(FEATURES_SUFFIX)

    def frames(self, config: FeatureConfig) -> int:
        """Frames of the features, or fewest frames if the audio has to be resampled."""
        if not self.has_audio:
            return self.count
        return config.frames(self.count * config.sample_rate // self.sample_rate)

    def check_features(self, config: FeatureConfig) -> None:
        """Check that packed features were computed with these settings.

        Raises:
            ConfigError: they were not; the message names the keys.
        """
        if self.settings is None or self.settings == (wanted := static_settings(config)):
            return
        keys = {*wanted, *self.settings}
        different = sorted(k for k in keys if wanted.get(k) != self.settings.get(k))
        listed = ", ".join(
            f"{key} {self.settings.get(key)!r} instead of {wanted.get(key)!r}" for key in different
        )
        raise ConfigError(
            f"{self.shard.parent}: its features were computed with other settings (features: "
            f"{listed}); pack them again with --config, or correct the settings"
        )

    def read(self, files: ShardFiles | None = None) -> bytes:
        """The bytes of the member.

        Args:
            files: open shards; default: the shard is opened for this call.

        Raises:
            ManifestError: the shard cannot be read or is damaged; the message names it.
        """
        if files is None:
            with closing(ShardFiles()) as files:
                return self.read(files)
        data = files.read(self.shard, self.start, self.size)
        if hashlib.sha256(data).digest() != self.sha256:
            raise ManifestError(
                f"{self.shard}: damaged: {self.member}, at byte {self.start}, has not the checksum "
                f"of the index; {REMEDY}"
            )
        return data

    def samples(self, sample_rate: Hertz, files: ShardFiles | None = None) -> np.ndarray:
        """Samples of the audio: float32 [samples] in −1…1.

        Args:
            sample_rate: rate of the result in Hz.
            files: see `read`.

        Raises:
            ManifestError: see `read`.
            AudioError: the pack has only features.
        """
        if not self.has_audio:
            raise AudioError(f"{self.name}: has only features; pack it with --content audio")
        samples, rate = decode_audio(self.read(files))
        return to_mono(samples, rate, sample_rate, None, self.name)

    def static(self, config: FeatureConfig, files: ShardFiles | None = None) -> np.ndarray:
        """Static cepstra: float32 [frames, coefficients].

        Args:
            config: settings of the features.
            files: see `read`.

        Raises:
            ManifestError: see `read`.
            ConfigError: see `check_features`.
        """
        if self.has_audio:
            return mfcc(self.samples(config.sample_rate, files), config, self.name)
        self.check_features(config)
        return np.load(BytesIO(self.read(files)), allow_pickle=False)


class ShardFiles:
    """Shards that stay open between reads, so that the operating system reads ahead.

    Use it in one thread, and close it.
    """

    def __init__(self) -> None:
        self._open: OrderedDict[Path, int] = OrderedDict()

    def close(self) -> None:
        """Close all shards."""
        while self._open:
            os.close(self._open.popitem()[1])

    def read(self, shard: Path, start: int, size: int) -> bytes:
        """Bytes of a shard.

        Raises:
            ManifestError: the shard cannot be read, or is shorter.
        """
        try:
            if shard not in self._open:
                if len(self._open) >= OPEN_SHARDS:
                    os.close(self._open.popitem(last=False)[1])
                self._open[shard] = os.open(shard, os.O_RDONLY)
            self._open.move_to_end(shard)
            os.lseek(self._open[shard], start, os.SEEK_SET)
            data = bytearray()
            while len(data) < size and (piece := os.read(self._open[shard], size - len(data))):
                data += piece
        except OSError as error:
            raise ManifestError(f"{shard}: cannot be read ({reason(error)}); {REMEDY}") from None
        if len(data) < size:
            raise ManifestError(f"{shard}: damaged: it ends before byte {start + size}; {REMEDY}")
        return bytes(data)


def decode_audio(data: bytes) -> tuple[np.ndarray, Hertz]:
    """Decode a member: float32 [samples, channels] and its sample rate."""
    with soundfile.SoundFile(BytesIO(data)) as file:
        return file.read(dtype="float32", always_2d=True), file.samplerate


def encode_flac(samples: np.ndarray, sample_rate: Hertz, subtype: str) -> bytes:
    """Encode mono samples as FLAC.

    Samples that are integers of 16 or 24 bits are kept to the bit. Others are rounded: to 24 bits
    if `subtype` has more than 16 bits, else, as for MP3, to 16.

    Args:
        samples: float32 [samples] in −1…1.
        sample_rate: Hz.
        subtype: encoding of the source as soundfile names it, such as "PCM_16".
    """
    bits = next((bits for bits in (16, 24) if _fits(samples, bits)), None)
    if bits is None:
        bits = 24 if subtype in ("PCM_24", "PCM_32", "FLOAT", "DOUBLE") else 16
    half = 2 ** (bits - 1)
    integers = np.clip(np.rint(samples.astype(np.float64) * half), -half, half - 1)
    file = BytesIO()
    # libsndfile takes the upper bits of 32-bit integers.
    shifted = integers.astype(np.int32) << (32 - bits)
    soundfile.write(file, shifted, sample_rate, format="FLAC", subtype=f"PCM_{bits}")
    return file.getvalue()


def _fits(samples: np.ndarray, bits: int) -> bool:
    """Whether all samples are integers of this size, scaled to −1…1."""
    half = np.float32(2 ** (bits - 1))
    scaled = samples * half
    return bool(
        (scaled == np.rint(scaled)).all() and (-half <= scaled).all() and (scaled < half).all()
    )


def frames_or_samples(data: bytes, suffix: str) -> tuple[Samples, Hertz]:
    """Samples and sample rate of encoded audio; frames and 0 of features."""
    if suffix == FEATURES_SUFFIX:
        return len(np.load(BytesIO(data), allow_pickle=False)), 0
    with soundfile.SoundFile(BytesIO(data)) as file:
        return file.frames, file.samplerate
