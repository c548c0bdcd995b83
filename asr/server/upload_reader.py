"""Reading uploaded recordings in worker processes, because a file may crash a decoder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from asr.audio.features import FeatureConfig
from asr.data.in_memory import TemporaryRecording
from asr.data.inputs import FeatureBlock, feature_blocks

NAME = "file"
"""Name of an uploaded recording in messages of OpenAI's API: the field of the request."""
PRELOADED = ("soundfile", "av", "soxr")
"""Libraries that decode; importing them takes longer than decoding."""
SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


@dataclass(frozen=True)
class Upload:
    """A recording that was uploaded to a temporary file.

    Attributes:
        path: the temporary file.
        features: features to compute.
        title: name of the recording in messages.
    """

    path: Path
    features: FeatureConfig
    title: str = NAME


def read_upload(upload: Upload) -> Iterator[FeatureBlock | str]:
    """Compute the features of a recording; `WorkerPool` runs this in its processes.

    Yields:
        Blocks of features, and warnings about the file as strings.

    Raises:
        AudioError: the recording cannot be read; the message has the upload's title.
    """
    warnings: list[str] = []
    recording = TemporaryRecording(upload.path, upload.title)
    for block in feature_blocks(recording, upload.features, None, None, warnings.append):
        yield block
        yield from warnings
        warnings.clear()
    yield from warnings


def safe_suffix(name: str | None) -> str:
    """The suffix of a client's file name, which tells some formats apart; "" if it is unusual."""
    suffix = Path(name or "").suffix
    return suffix if SUFFIX.fullmatch(suffix) else ""
