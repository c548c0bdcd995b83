"""Recordings named on the command line or passed to a recogniser, and their features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asr.audio.features import FeatureConfig, MfccStream, load_features
from asr.audio.find_audio import find_audio
from asr.audio.mono import to_mono_blocks
from asr.audio.reading import probe, python_warning, read_audio, read_blocks
from asr.audio.segments import TOLERANCE, read_segment, segment_blocks
from asr.base.units import Hertz, Samples, Seconds
from asr.data import standard_input
from asr.data.in_memory import (
    EncodedAudio,
    SampleValues,
    TemporaryRecording,
    is_encoded,
    is_samples,
    name_of,
    temporary_file,
    to_array,
    wrong_type,
)
from asr.data.manifest import Utterance, is_manifest, read_manifest
from asr.data.packs.packed_utterance import PackedUtterance
from asr.errors import AsrError, AudioError, TextError
from asr.results import Failure
from asr.text.languages import UNKNOWN_LANGUAGE, language_code

RecordingRef = str | Path | Utterance | TemporaryRecording
"""A path of a recording, a line of a manifest, or the recording on stdin."""
AudioLike = str | PathLike[str] | SampleValues | EncodedAudio | Utterance | TemporaryRecording
"""A path of a recording, its samples ([n] or [n, channels] in −1…1), the bytes of its file, an open
binary file, a line of a manifest, or the recording on stdin."""


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


def find_recordings(
    paths: Iterable[str], audio_on_stdin: bool = True
) -> tuple[list[RecordingRef], list[Failure]]:
    """Find the recordings that the arguments of `asr transcribe` name.

    Args:
        paths: files, folders, glob patterns, manifests (.jsonl), and "-" for stdin: a recording or
            a list of files, see `asr.data.standard_input`.
        audio_on_stdin: whether stdin may be a recording; False where results name files that stay.
            Default True.

    Returns:
        The recordings, and a failure for each argument that names no recording or cannot be read.
    """
    found: list[RecordingRef] = []
    failures: list[Failure] = []
    for item in paths:
        try:
            if item == standard_input.NAME:
                on_stdin = standard_input.recording_or_names()
                if isinstance(on_stdin, list):
                    found += on_stdin
                elif audio_on_stdin:
                    found.append(on_stdin)
                else:
                    raise AudioError(f"{item}: stdin is a recording; save it to a file first")
            elif is_manifest(item):
                found += read_manifest(Path(item))
            elif Path(item).is_file():
                found.append(item)
            else:
                found += find_audio([item])
        except AsrError as error:
            failures.append(Failure(item, str(error)))
        except OSError as error:  # such as a name that is too long for the file system
            failures.append(Failure(item, f"{item}: cannot be read ({error.strerror})"))
    return found, failures


def recording_path(recording: RecordingRef) -> Path:
    """The file of a recording, or of its features."""
    if isinstance(recording, (Utterance, TemporaryRecording)):
        return recording.path
    return Path(recording)


def recording_name(recording: RecordingRef) -> str:
    """Name of a recording in messages: its path, or "-" for stdin."""
    if isinstance(recording, TemporaryRecording):
        return recording.name
    return str(recording_path(recording))


def result_path(recording: RecordingRef) -> Path:
    """The path that results of a recording are named after, see `Utterance.result_path`."""
    if isinstance(recording, TemporaryRecording):
        return Path("stdin")
    return recording.result_path if isinstance(recording, Utterance) else Path(recording)


def exists(recording: RecordingRef) -> bool:
    """Whether the file of a recording exists; False for a name that no file can have."""
    try:
        return recording_path(recording).exists()
    except (OSError, ValueError):
        return False


def missing_file(recording: RecordingRef) -> Failure:
    """The failure of a recording whose file does not exist."""
    name = recording_name(recording)
    return Failure(name, f"{name}: no such file")


def duration_and_channels(recording: RecordingRef) -> RecordingSize:
    """Read the length and the channels of a recording from its header.

    Features count as one channel, with the duration in the manifest, and so does a channel that a
    manifest names. A segment has the duration in the manifest. For a file that cannot be read the
    result is 0 seconds and one channel: transcription reports the error later.
    """
    if isinstance(recording, Utterance) and recording.audio_filepath is None:
        return RecordingSize(recording.duration, 1)
    try:
        info = probe(recording_path(recording))
    except AudioError:
        return RecordingSize(0.0, 1)
    if not isinstance(recording, Utterance):
        return RecordingSize(info.duration, info.channels)
    duration = info.duration - (recording.offset or 0.0)
    if recording.duration and (recording.offset or duration > recording.duration + TOLERANCE):
        duration = recording.duration
    return RecordingSize(max(duration, 0.0), info.channels if recording.channel is None else 1)


def read_utterance(utterance: Utterance, sample_rate: Hertz) -> np.ndarray:
    """Read the samples of an utterance: its segment and its channel.

    Args:
        utterance: a manifest line with a recording.
        sample_rate: rate of the result in Hz.

    Returns:
        float32 [samples] in −1…1.

    Raises:
        AudioError: the recording cannot be read, or lacks the segment or the channel.
    """
    if isinstance(utterance, PackedUtterance):
        return utterance.samples(sample_rate)
    if utterance.audio_filepath is None:
        return read_audio(utterance.path, sample_rate)  # raises: features are no audio
    return read_segment(
        utterance.path, sample_rate, utterance.channel, utterance.offset, utterance.duration
    )


def chosen_channel(audio: AudioLike, channel: int | None) -> int | None:
    """The channel to read: that of the manifest line, or else the caller's.

    Args:
        audio: the recording.
        channel: the caller's channel, counted from 0; None for no choice.

    Raises:
        AudioError: the two differ.
    """
    if not isinstance(audio, Utterance) or audio.channel is None:
        return channel
    own = audio.channel
    if channel is not None and channel != own:
        raise AudioError(
            f"{audio.name}: channel {own} in the manifest, but channel {channel} is asked "
            "for; leave one of them out"
        )
    return own


def start_of(audio: AudioLike) -> Seconds:
    """Where the audio begins in its recording: the offset of a segment, else 0."""
    return (audio.offset or 0.0) if isinstance(audio, Utterance) else 0.0


def check_language(audio: AudioLike, language: str | None) -> None:
    """Check that a manifest line has the language of the model.

    Args:
        audio: the recording.
        language: language of the model, such as "en"; None if unknown.

    Raises:
        TextError: the line has another language.
    """
    if not isinstance(audio, Utterance) or not audio.language or not language:
        return
    own = audio.language
    if language_code(own) not in (language_code(language), *UNKNOWN_LANGUAGE):
        raise TextError(
            f"{audio.name}: lang {own!r} in the manifest, but the model's language is "
            f"{language!r}; use a model for {own!r} (`language: {language_code(own)}` in its "
            "training configuration), or correct the key"
        )


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
        channel: the channel to read, counted from 0; None: the channel of the manifest line, or the
            mean of all channels.
        warn: called with each warning, such as a header that states another length than the file
            has; default: `warnings.warn`.

    Raises:
        AudioError: the recording cannot be read, is too short, or lacks the channel or the segment.
    """
    channel = chosen_channel(audio, channel)
    if isinstance(audio, PackedUtterance):
        static = audio.static(config)
        yield FeatureBlock(static, round(audio.duration * config.sample_rate))
        return
    if isinstance(audio, Utterance) and audio.audio_filepath is None:
        if channel is not None:
            raise AudioError(f"{audio.path}: no channel {channel}: features have no channels")
        static = load_features(audio.path, config)
        yield FeatureBlock(static, len(static) * config.hop)
        return
    if is_encoded(audio):
        with temporary_file(audio) as stored:
            yield from feature_blocks(stored, config, sample_rate, channel, warn)
        return
    if isinstance(audio, TemporaryRecording):
        say, rename = warn or python_warning, audio.with_name
        with audio.named():
            yield from feature_blocks(
                audio.path, config, sample_rate, channel, lambda message: say(rename(message))
            )
        return
    if is_samples(audio):
        name, rate = "samples", config.sample_rate if sample_rate is None else sample_rate
        blocks = to_mono_blocks(to_array(audio), rate, config.sample_rate, channel, name, warn)
    elif isinstance(audio, Utterance):
        name = audio.name
        blocks = segment_blocks(
            audio.path, config.sample_rate, channel, audio.offset, audio.duration, warn
        )
    elif not isinstance(audio, (str, PathLike)):
        raise wrong_type(audio)
    else:
        path = Path(audio)
        name, blocks = str(path), read_blocks(path, config.sample_rate, channel, warn)
    stream = MfccStream(config)
    for samples in blocks:
        yield FeatureBlock(stream.feed(samples), len(samples))
    stream.check_length(name)


def display_name(audio: AudioLike) -> str | None:
    """Name of a recording in results: its path, or the name of an open file; None for others."""
    if isinstance(audio, Utterance):
        return str(audio.path)
    if isinstance(audio, TemporaryRecording):
        return audio.name
    if is_encoded(audio):
        return name_of(audio)
    return fspath(audio) if isinstance(audio, (str, PathLike)) else None


def is_recording(audio: object) -> bool:
    """Whether `audio` is one recording, not an iterable of recordings."""
    paths = (str, PathLike, Utterance, TemporaryRecording)
    return isinstance(audio, paths) or is_encoded(audio) or is_samples(audio)
