"""Audio files, written completely or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import soundfile

from asr.base.files import atomic_write
from asr.base.units import Hertz


@contextmanager
def audio_writer(
    path: Path, sample_rate: Hertz, format: str | None = None, encoding: str | None = None
) -> Iterator[soundfile.SoundFile]:
    """Open a mono audio file to write to; it appears under its name at the end of the block.

    Args:
        path: the file; its folder is created if needed.
        sample_rate: in Hz.
        format: container as soundfile names it, such as "WAV". Default: from the suffix of `path`.
        encoding: of the samples, as soundfile names it, such as "PCM_16". Default: the format's.

    Raises:
        OSError: the file cannot be written; `path` is its file name.
    """
    kind = format or path.suffix.removeprefix(".").upper()
    with atomic_write(path, binary=True) as file:
        sink = _Sink(file)
        try:
            with soundfile.SoundFile(sink, "w", sample_rate, 1, encoding, format=kind) as audio:
                yield audio
        except (AssertionError, soundfile.LibsndfileError):
            if sink.error is None:
                raise
        if sink.error is not None:
            raise sink.error


def write_audio(
    path: Path, samples: np.ndarray, sample_rate: Hertz, encoding: str | None = None
) -> None:
    """Write mono samples, [n], to a file; see `audio_writer`."""
    with audio_writer(path, sample_rate, encoding=encoding) as audio:
        audio.write(samples)


class _Sink:
    """A binary file for libsndfile, whose callbacks cannot raise: keeps the first error.

    Args:
        file: the file.

    Attributes:
        error: the first error; None for none.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = self.error or error
            return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self.file.seek(offset, whence)
        except OSError as error:  # a buffered file writes before it seeks
            self.error = self.error or error
            return 0

    def tell(self) -> int:
        return self.file.tell()

    def flush(self) -> None:
        """libsndfile's files have it; `atomic_write` flushes."""
