"""Recordings in memory: the bytes of an audio file, an open file, or samples that are no array."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeGuard

import numpy as np

from asr.errors import AudioError, reason


class BinaryReader(Protocol):
    """A file object opened in binary mode, such as `open(path, "rb")` or `io.BytesIO`."""

    def read(self, size: int = -1, /) -> bytes: ...


BYTES = (bytes, bytearray, memoryview)
PIECE = 1 << 20
"""Bytes that are read at once from an open file."""
EncodedAudio = bytes | bytearray | memoryview | BinaryReader
"""The content of an audio file in any format that can be read from a path."""
SampleValues = np.ndarray | Sequence[float]
"""Samples, [n] or [n, channels] as an array, [n] as a list."""
EXPECTED = (
    "expected a path, an open binary file, the bytes of an audio file, samples, or an Utterance"
)


class TemporaryRecording(NamedTuple):
    """A recording in a temporary file.

    Attributes:
        path: the file.
        name: name of the recording for messages.
    """

    path: Path
    name: str

    def with_name(self, message: str) -> str:
        """A message with the name of the recording instead of the temporary path."""
        return message.replace(str(self.path), self.name)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Put the recording's name into errors of the block instead of the temporary path."""
        try:
            yield
        except AudioError as error:
            raise AudioError(self.with_name(str(error))) from None


def is_encoded(audio: object) -> TypeGuard[EncodedAudio]:
    """Whether `audio` is the content of an audio file, or an open file."""
    return isinstance(audio, BYTES) or hasattr(audio, "read")


def is_samples(audio: object) -> TypeGuard[SampleValues]:
    """Whether `audio` is samples: an array or tensor of numbers, or a sequence of numbers."""
    if isinstance(audio, np.ndarray):
        return True
    if isinstance(audio, (str, PathLike)) or is_encoded(audio):
        return False
    if hasattr(audio, "__array__"):
        return np.asarray(audio).dtype.kind in "iuf"
    return isinstance(audio, Sequence) and bool(audio) and isinstance(audio[0], Real)


def to_array(samples: SampleValues) -> np.ndarray:
    """Samples as an array.

    Raises:
        AudioError: a list holds whole numbers only, whose full scale is unknown, or something else
            than numbers.
    """
    if isinstance(samples, np.ndarray):
        return samples
    try:
        array = np.asarray(samples)
    except ValueError:
        raise AudioError("samples: a list of samples must hold numbers only") from None
    if not hasattr(samples, "__array__") and not hasattr(samples, "typecode"):
        if array.dtype.kind in "iub":
            raise AudioError(
                "samples: the scale of a list of whole numbers is unknown; give floats in −1…1, or "
                "a NumPy array such as int16"
            )
        if array.dtype.kind != "f" or array.ndim != 1:
            raise AudioError("samples: a list of samples must hold numbers only")
    return array


def as_items(audio: object) -> list[Any]:
    """The items of an iterable of recordings, or of samples.

    Raises:
        AudioError: `audio` is no iterable, or a mapping, whose items are no recordings.
    """
    if not isinstance(audio, Iterable) or isinstance(audio, Mapping):
        raise wrong_type(audio)
    return list(audio)


def wrong_type(audio: object) -> AudioError:
    """The error for an object that is no recording."""
    return AudioError(f"{EXPECTED}; found {type(audio).__name__}")


def name_of(audio: EncodedAudio) -> str | None:
    """The name of an open file; None if it has none, as the bytes of a file."""
    name = getattr(audio, "name", None)
    return name if isinstance(name, str) and name else None


@contextmanager
def temporary_file(audio: EncodedAudio) -> Iterator[TemporaryRecording]:
    """Write a recording to a temporary file for the block, because decoders read paths.

    An open file is read from its position to its end. It is not closed.

    Raises:
        AudioError: the recording cannot be read or stored, or is empty. In errors that the block
            raises, the recording's name replaces the temporary path.
    """
    name = name_of(audio) or ("file object" if hasattr(audio, "read") else "bytes")
    try:
        folder = tempfile.TemporaryDirectory(prefix="asr-", ignore_cleanup_errors=True)
    except OSError as error:
        raise no_space(name, tempfile.gettempdir(), error) from None
    with folder:
        path = Path(folder.name, "recording" + Path(name).suffix)
        try:
            size = sum(_write_pieces(audio, path, name))
        except OSError as error:
            raise no_space(name, folder.name, error) from None
        if not size:
            hint = "" if isinstance(audio, BYTES) else ": nothing follows its position; try seek(0)"
            raise AudioError(f"{name}: empty{hint}")
        stored = TemporaryRecording(path, name)
        with stored.named():
            yield stored


def _write_pieces(audio: EncodedAudio, path: Path, name: str) -> Iterator[int]:
    with path.open("wb") as file:
        for piece in _pieces(audio, name):
            yield file.write(piece)


def _pieces(audio: EncodedAudio, name: str) -> Iterator[bytes | bytearray | memoryview]:
    if isinstance(audio, BYTES):
        yield audio
        return
    while True:
        try:
            piece = audio.read(PIECE)
        except UnicodeDecodeError:
            raise AudioError(f"{name}: opened as text; open it in binary mode, 'rb'") from None
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            raise AudioError(f"{name}: cannot be read: {reason(error)}") from None
        if not isinstance(piece, BYTES):  # text, or a coroutine of an asynchronous file
            raise AudioError(
                f"{name}: its read() must return bytes, found {type(piece).__name__}; open it in "
                "binary mode, 'rb'"
            )
        if not piece:
            return
        yield piece


def no_space(name: str, folder: str, error: OSError) -> AudioError:
    """The error for a recording that cannot be written to a temporary folder."""
    return AudioError(
        f"{name}: cannot be stored in {folder}: {reason(error)}; set TMPDIR to another folder"
    )
