"""Reading recordings that are labelled in worker processes, because a file may crash a decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile

from asr.audio.features import FeatureConfig
from asr.audio.reading import probe
from asr.audio.segments import segment_blocks
from asr.base.units import Hertz
from asr.data.inputs import FeatureBlock, feature_blocks
from asr.data.manifest import Utterance

LOWEST_RATE: Hertz = 8_000
HIGHEST_RATE: Hertz = 48_000
"""Sample rates of what a browser gets; recordings keep theirs in between."""


@dataclass(frozen=True)
class FeaturesToRead:
    """A recording or segment whose features are computed.

    Attributes:
        utterance: where the audio is.
        features: features to compute.
    """

    utterance: Utterance
    features: FeatureConfig


@dataclass(frozen=True)
class WavToWrite:
    """A recording or segment that is written as WAV, which every browser can play.

    Attributes:
        utterance: where the audio is.
        path: the file to write.
    """

    utterance: Utterance
    path: Path


def read_labelled(task: FeaturesToRead | WavToWrite) -> Iterator[FeatureBlock | str]:
    """Do one of the two; `WorkerPool` runs this in its processes.

    Yields:
        Blocks of features and warnings about the file as strings; for a WAV file, an empty string
        after each block, so that the pool sees that the process works.

    Raises:
        AudioError: the recording cannot be read; the message names it.
    """
    if isinstance(task, WavToWrite):
        yield from _write_wav(task)
        return
    warnings: list[str] = []
    for block in feature_blocks(task.utterance, task.features, None, None, warnings.append):
        yield block
        yield from warnings
        warnings.clear()
    yield from warnings


def _write_wav(task: WavToWrite) -> Iterator[str]:
    """Write mono 16-bit samples of the segment and channel that the manifest means."""
    u = task.utterance
    rate = min(max(probe(u.path).sample_rate, LOWEST_RATE), HIGHEST_RATE)
    blocks = segment_blocks(u.path, rate, u.channel, u.offset, u.duration, lambda warning: None)
    with soundfile.SoundFile(task.path, "w", rate, 1, "PCM_16", format="WAV") as file:
        for block in blocks:
            file.write(block)
            yield ""
