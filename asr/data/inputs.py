"""Recordings as they are asked for: what arguments name, and what headers say of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from asr.audio.features import FeatureConfig, MfccStream, load_features
from asr.audio.reading import find_audio, probe, read_blocks, to_mono_blocks
from asr.data.manifest import Utterance, read_manifest
from asr.errors import AsrError, AudioError
from asr.results import Failure

RecordingRef = str | Path | Utterance
AudioLike = str | PathLike[str] | np.ndarray | Utterance
"""A recording, or samples ([n] or [n, channels] in −1…1)."""


def find_recordings(paths: Iterable[str]) -> tuple[list[RecordingRef], list[Failure]]:
    """What the arguments of `asr transcribe` name: files, folders, globs, manifests, - for stdin.

    A list on stdin has a name a line, or names that end in NUL, as `find -print0` writes them.
    What names nothing is a `Failure`, so that it cannot stop the others.
    """
    found: list[RecordingRef] = []
    failures: list[Failure] = []
    for item in paths:
        try:
            if item == "-":
                # Names are bytes and may hold all but NUL: no decoding that could refuse them.
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
    """The file that holds a recording or its features."""
    return recording.path if isinstance(recording, Utterance) else Path(recording)


def missing_file(recording: RecordingRef) -> Failure:
    """What a recording is that does not exist."""
    name = str(recording_path(recording))
    return Failure(name, f"{name}: no such file")


def duration_and_channels(recording: RecordingRef) -> tuple[float, int]:
    """Seconds and channels, by the header; what cannot be read will say so in its turn."""
    if isinstance(recording, Utterance) and recording.audio_filepath is None:
        return recording.duration, 1
    try:
        info = probe(recording_path(recording))
    except AudioError:
        return 0.0, 1
    return info.duration, info.channels


def feature_blocks(
    audio: AudioLike, config: FeatureConfig, sample_rate: int | None, channel: int | None
) -> Iterator[tuple[np.ndarray, int]]:
    """Static features [frames, coefficients] piece by piece, and the samples each came from."""
    if isinstance(audio, Utterance) and audio.audio_filepath is None:
        assert audio.feature_filepath is not None
        if channel is not None:
            raise AudioError(f"{audio.path}: no channel {channel}: features have none")
        static = load_features(audio.feature_filepath, config)
        yield static, len(static) * config.hop
        return
    if isinstance(audio, np.ndarray):
        name, rate = "samples", config.sample_rate if sample_rate is None else sample_rate
        blocks = to_mono_blocks(audio, rate, config.sample_rate, channel, name)
    else:
        path = audio.audio_filepath if isinstance(audio, Utterance) else Path(audio)
        assert path is not None
        name, blocks = str(path), read_blocks(path, config.sample_rate, channel)
    stream = MfccStream(config)
    for samples in blocks:
        yield stream.feed(samples), len(samples)
    stream.check_length(name)


def display_name(audio: AudioLike) -> str | None:
    """What a recording is called in results; None for samples."""
    if isinstance(audio, np.ndarray):
        return None
    return str(audio.path) if isinstance(audio, Utterance) else fspath(audio)
