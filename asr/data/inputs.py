"""Recordings named on the command line or passed to a recogniser, and their features."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asr.audio.features import FeatureConfig, MfccStream, load_features
from asr.audio.find_audio import find_audio
from asr.audio.mono import to_mono_blocks
from asr.audio.reading import probe, read_blocks
from asr.base.units import Hertz, Samples, Seconds
from asr.data.in_memory import (
    EncodedAudio,
    SampleValues,
    is_encoded,
    is_samples,
    name_of,
    temporary_file,
    to_array,
    wrong_type,
)
from asr.data.manifest import Utterance, read_manifest
from asr.errors import AsrError, AudioError, AudioWarning
from asr.results import Failure

RecordingRef = str | Path | Utterance
"""A path of a recording, or a line of a manifest."""
AudioLike = str | PathLike[str] | SampleValues | EncodedAudio | Utterance
"""A path of a recording, its samples ([n] or [n, channels] in −1…1), the bytes of its file, an open
binary file, or a line of a manifest."""


class RecordingSize(NamedTuple):
    """Length and channels of a recording, from its header; an estimate."""

    duration: Seconds
    channels: int


class FeatureBlock(NamedTuple):
    """Features of a piece of a recording.

    Attributes:
        static: cepstra, float32 [frames, coefficients].
        samples: length of the piece in samples, at the sample rate of the features.
    """

    static: np.ndarray
    samples: Samples


def find_recordings(paths: Iterable[str]) -> tuple[list[RecordingRef], list[Failure]]:
    """Find the recordings that the arguments of `asr transcribe` name.

    Args:
        paths: files, folders, glob patterns, manifests (.jsonl), and "-" for a list of files on
            stdin. The list has one name per line, or names that end in NUL, as from `find -print0`.

    Returns:
        The recordings, and a failure for each argument that names no recording or cannot be read.
    """
    found: list[RecordingRef] = []
    failures: list[Failure] = []
    for item in paths:
        try:
            if item == "-":
                # File names may hold any bytes but NUL, so decode them as the file system does.
                listed = os.fsdecode(sys.stdin.buffer.read())
                names = listed.split("\0" if "\0" in listed else "\n")
                found += [name for name in (n.removesuffix("\r") for n in names) if name.strip()]
            elif item.endswith(".jsonl"):
                found += read_manifest(Path(item))
            elif Path(item).is_file():
                found.append(item)
            else:
                found += find_audio([item])
        except AsrError as error:
            failures.append(Failure(item, str(error)))
    return found, failures


def recording_path(recording: RecordingRef) -> Path:
    """The file of a recording, or of its features."""
    return recording.path if isinstance(recording, Utterance) else Path(recording)


def missing_file(recording: RecordingRef) -> Failure:
    """The failure of a recording whose file does not exist."""
    name = str(recording_path(recording))
    return Failure(name, f"{name}: no such file")


def duration_and_channels(recording: RecordingRef) -> RecordingSize:
    """Read the length and the channels of a recording from its header.

    Features count as one channel, with the duration in the manifest. For a file that cannot be read
    the result is 0 seconds and one channel: transcription reports the error later.
    """
    if isinstance(recording, Utterance) and recording.audio_filepath is None:
        return RecordingSize(recording.duration, 1)
    try:
        info = probe(recording_path(recording))
    except AudioError:
        return RecordingSize(0.0, 1)
    return RecordingSize(info.duration, info.channels)


def feature_blocks(
    audio: AudioLike,
    config: FeatureConfig,
    sample_rate: Hertz | None,
    channel: int | None,
    warn: Callable[[str], object] | None = None,
) -> Iterator[FeatureBlock]:
    """Compute the static features of a recording in blocks of a few seconds.

    Args:
        audio: the recording, samples or features.
        config: settings of the features.
        sample_rate: sample rate of samples in Hz; None: the rate of the features. Not used for
            files.
        channel: the channel to read, counted from 0; None: the mean of all channels.
        warn: called with each warning, such as a header that states another length than the file
            has; default: `warnings.warn`.

    Raises:
        AudioError: the recording cannot be read, is too short, or lacks the channel.
    """
    if isinstance(audio, Utterance) and audio.audio_filepath is None:
        if channel is not None:
            raise AudioError(f"{audio.path}: no channel {channel}: features have no channels")
        static = load_features(audio.path, config)
        yield FeatureBlock(static, len(static) * config.hop)
        return
    if is_encoded(audio):
        with temporary_file(audio) as stored:
            yield from feature_blocks(
                stored.path,
                config,
                sample_rate,
                channel,
                lambda message: (warn or _python_warning)(stored.with_name(message)),
            )
        return
    if is_samples(audio):
        name, rate = "samples", config.sample_rate if sample_rate is None else sample_rate
        blocks = to_mono_blocks(to_array(audio), rate, config.sample_rate, channel, name, warn)
    elif not isinstance(audio, (str, PathLike, Utterance)):
        raise wrong_type(audio)
    else:
        path = audio.path if isinstance(audio, Utterance) else Path(audio)
        name, blocks = str(path), read_blocks(path, config.sample_rate, channel, warn)
    stream = MfccStream(config)
    for samples in blocks:
        yield FeatureBlock(stream.feed(samples), len(samples))
    stream.check_length(name)


def display_name(audio: AudioLike) -> str | None:
    """Name of a recording in results: its path, or the name of an open file; None for others."""
    if isinstance(audio, Utterance):
        return str(audio.path)
    if is_encoded(audio):
        return name_of(audio)
    return fspath(audio) if isinstance(audio, (str, PathLike)) else None


def is_recording(audio: object) -> bool:
    """Whether `audio` is one recording, not an iterable of recordings."""
    return isinstance(audio, (str, PathLike, Utterance)) or is_encoded(audio) or is_samples(audio)


def _python_warning(message: str) -> None:
    warnings.warn(message, AudioWarning, stacklevel=2)
