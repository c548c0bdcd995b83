"""`encode_utterance`: an utterance → the member of a shard."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from asr.audio.feature_cache import FeatureCache
from asr.audio.features import FeatureConfig, load_features
from asr.audio.mono import to_mono
from asr.audio.reading import probe
from asr.audio.segments import read_segment
from asr.base.units import Hertz
from asr.data.manifest import Utterance
from asr.data.packs.packed_utterance import (
    FEATURES_SUFFIX,
    PackedUtterance,
    decode_audio,
    encode_flac,
)
from asr.errors import AsrError, AudioError, reason

COPIED_FORMATS = {"FLAC": ".flac", "OGG": ".ogg", "MP3": ".mp3"}
"""Formats of libsndfile that are copied, if the whole recording is packed → suffix."""


@dataclass(frozen=True)
class PackSettings:
    """What a pack holds.

    Attributes:
        content: "audio", or "features": static cepstra.
        features: settings of the features; not used for audio.
        sample_rate: recordings with a higher rate are resampled to it, in Hz; 0: none are.
        shard_megabytes: a shard ends when it has this many MB.
    """

    content: Literal["audio", "features"] = "audio"
    features: FeatureConfig = field(default_factory=FeatureConfig)
    sample_rate: Hertz = 0
    shard_megabytes: float = 256


@dataclass(frozen=True)
class EncodedUtterance:
    """The member of an utterance.

    Attributes:
        suffix: of the member's name: the format.
        data: its bytes.
        computed: whether they are features that were computed from audio.
    """

    suffix: str
    data: bytes
    computed: bool = False


def encode_or_explain(utterance: Utterance, settings: PackSettings) -> EncodedUtterance | str:
    """The member of an utterance, or the message why there is none."""
    try:
        return encode_utterance(utterance, settings)
    except AsrError as error:
        return str(error)
    except OSError as error:
        return f"{utterance.name}: cannot be read ({reason(error)})"


def encode_utterance(utterance: Utterance, settings: PackSettings) -> EncodedUtterance:
    """Read an utterance and encode it.

    Raises:
        AsrError: it cannot be read; the message names the file.
    """
    if isinstance(utterance, PackedUtterance) and not utterance.has_audio:
        if settings.content == "features":
            utterance.check_features(settings.features)
        return EncodedUtterance(FEATURES_SUFFIX, utterance.read(), utterance.settings is not None)
    if not isinstance(utterance, PackedUtterance) and utterance.audio_filepath is None:
        return EncodedUtterance(
            FEATURES_SUFFIX, _npy(load_features(utterance.path, settings.features))
        )
    if settings.content == "features":
        if isinstance(utterance, PackedUtterance):
            static = utterance.static(settings.features)
        else:
            static = FeatureCache(None, settings.features).static(
                utterance.path, utterance.offset, utterance.duration, utterance.channel
            )
        return EncodedUtterance(FEATURES_SUFFIX, _npy(static), computed=True)
    return _encode_audio(utterance, settings)


def _encode_audio(utterance: Utterance, settings: PackSettings) -> EncodedUtterance:
    if isinstance(utterance, PackedUtterance):
        raw, suffix = utterance.read(), Path(utterance.member).suffix
        rate, subtype = utterance.sample_rate, ""
        samples = utterance.samples(rate)
    else:
        info = probe(utterance.path)
        rate, subtype, suffix = info.sample_rate, info.subtype, ""
        samples = read_segment(
            utterance.path, rate, utterance.channel, utterance.offset, utterance.duration
        )
        raw = b"" if utterance.offset else utterance.path.read_bytes()
    if settings.sample_rate and rate > settings.sample_rate:
        samples = to_mono(samples, rate, settings.sample_rate, None, utterance.name)
        rate = settings.sample_rate
    elif suffix or (suffix := _copied_as(raw, samples, rate, utterance.name)):
        return EncodedUtterance(suffix, raw)
    try:
        return EncodedUtterance(".flac", encode_flac(samples, rate, subtype))
    except soundfile.SoundFileError as error:
        raise AudioError(f"{utterance.name}: cannot be written as FLAC: {error}") from None


def _copied_as(raw: bytes, samples: np.ndarray, rate: Hertz, name: str) -> str:
    """Suffix for a copy of a recording's file; "" if a copy would not have the same samples."""
    try:
        with soundfile.SoundFile(BytesIO(raw)) as file:
            suffix = COPIED_FORMATS.get(file.format, "")
        if suffix:
            decoded, decoded_rate = decode_audio(raw)
            same = np.array_equal(to_mono(decoded, decoded_rate, rate, None, name), samples)
            return suffix if same else ""
    except (soundfile.SoundFileError, AudioError):
        pass  # FFmpeg has read what libsndfile cannot
    return ""


def _npy(static: np.ndarray) -> bytes:
    file = BytesIO()
    np.save(file, static)
    return file.getvalue()
