"""Reading recordings of any format, sample rate and channel count as mono float32 in −1…1.

`read_audio` and `read_blocks` read files. `probe` reads headers, and `measure` counts samples.
Headers are estimates: all samples of a file are read, and a header that disagrees with them is
reported as a warning.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from asr.audio.containers.find_parts import find_parts
from asr.audio.containers.part import Part
from asr.audio.decoders import DecodedBlock, PartDecoder, SndfileDecoder, open_part
from asr.audio.mono import MonoStream
from asr.base.units import Hertz, Samples, Seconds
from asr.errors import AudioError, AudioWarning

Warn = Callable[[str], object]
"""Receives a warning, which names the file."""
CONTENTS = {
    b"<!doctype html": "an HTML page; was the download refused?",
    b"<html": "an HTML page; was the download refused?",
    b"<?xml": "XML",
    b"version https://git-lfs": "a pointer of Git LFS; run git lfs pull",
    b"{": "JSON or other text",
    b"%pdf": "PDF",
    b"pk\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "compressed by gzip",
    b"\x89png": "an image",
    b"\xff\xd8\xff": "an image",
    b"gif8": "an image",
    b"#extm3u": "a playlist",
}
"""First bytes, in lower case, of files that are often taken for audio → their contents."""


@dataclass(frozen=True)
class AudioInfo:
    """Length and format of a recording.

    Attributes:
        path: the file.
        sample_rate: Hz.
        channels: number of channels.
        frames: samples per channel; 0 if the header has no length.
        duration: seconds.
        subtype: encoding of the samples, such as "PCM_16".
        warnings: what is wrong with the file; `probe` finds only some of it.
    """

    path: Path
    sample_rate: Hertz
    channels: int
    frames: Samples
    duration: Seconds
    subtype: str
    warnings: tuple[str, ...] = ()


def probe(path: Path) -> AudioInfo:
    """Read the header of a recording, and correct its length where the file's structure tells.

    Raises:
        AudioError: the file is missing, cannot be read, or no decoder knows it; the message names
            the file.
    """
    return _probe(Path(path), joined=False)[0]


def _probe(path: Path, joined: bool) -> tuple[AudioInfo, bool]:
    """As `probe`, and whether the length needs no decoding."""
    _check_file(path)
    rate, channels, subtype, frames, exact = 0, 1, "", 0, True
    for part in _parts(path, joined):
        with closing(_open(path, part)) as decoder:
            count = part.frames
            if count is None:
                count = (
                    decoder.frames if isinstance(decoder, SndfileDecoder) else decoder.promised or 0
                )
            promised = part.promised if part.promised is not None else count
            exact &= decoder.exact and not part.cut and abs(promised - count) <= part.tolerance
            if not rate:
                rate, channels, subtype = decoder.sample_rate, decoder.channels, decoder.subtype
            frames += round(count * rate / decoder.sample_rate)
    return AudioInfo(path, rate, channels, frames, frames / rate, subtype), exact


def measure(path: Path) -> AudioInfo:
    """Count the samples of a recording.

    Headers of WAV, FLAC and Ogg are trusted if they agree with the file's structure. All other
    recordings are decoded.

    Raises:
        AudioError: see `read_blocks`.
    """
    info, exact = _probe(Path(path), joined=True)
    if exact and info.frames:
        return info
    found: list[str] = []
    reader = _Reader(info.path, found.append)
    seconds = sum(len(piece.samples) / piece.sample_rate for piece in reader.pieces())
    frames = round(seconds * info.sample_rate)
    return AudioInfo(
        info.path,
        info.sample_rate,
        info.channels,
        frames,
        frames / info.sample_rate,
        info.subtype,
        tuple(found),
    )


def read_audio(
    path: str | PathLike[str],
    sample_rate: Hertz = 16_000,
    channel: int | None = None,
    warn: Warn | None = None,
) -> np.ndarray:
    """Read a whole recording as mono samples.

    >>> from asr import read_audio
    >>> samples = read_audio("tests/fixtures/goforward.wav")
    >>> samples.shape, samples.dtype
    ((44580,), dtype('float32'))

    Args:
        path: the recording.
        sample_rate: rate of the result in Hz; default: 16,000.
        channel: the channel to read, counted from 0; default: the mean of all channels.
        warn: see `read_blocks`.

    Returns:
        float32 [samples] in −1…1.

    Raises:
        AudioError: see `read_blocks`.
    """
    return np.concatenate(list(read_blocks(path, sample_rate, channel, warn)))


def read_blocks(
    path: str | PathLike[str],
    sample_rate: Hertz = 16_000,
    channel: int | None = None,
    warn: Warn | None = None,
) -> Iterator[np.ndarray]:
    """Read a recording as blocks of a few seconds, so that long recordings fit into memory.

    Args:
        path: the recording.
        sample_rate: rate of the result in Hz; default: 16,000.
        channel: the channel to read, counted from 0; default: the mean of all channels.
        warn: called with each warning, such as a header that states another length than the file
            has; default: `warnings.warn` with an `AudioWarning`.

    Yields:
        float32 [samples] in −1…1.

    Raises:
        AudioError: the file is missing, unreadable, empty or too short, holds samples that are not
            finite, or lacks the channel; the message names the file. Some errors are found only
            after several blocks.
    """
    path = Path(path)
    _check_file(path)
    reader = _Reader(path, warn or python_warning)
    mono: MonoStream | None = None
    for rate, samples in reader.pieces():
        if mono is None or rate != mono.source_rate:
            if mono is not None:
                yield mono.finish()
            mono = MonoStream(rate, sample_rate, channel, str(path), reader.warn)
        yield mono.feed(samples)
    if mono is None or reader.single_rate:
        mono = mono or MonoStream(reader.sample_rate, sample_rate, channel, str(path))
        try:
            mono.check_length()
        except AudioError as error:
            raise AudioError(f"{error}{reader.promise}") from None
    yield mono.finish()


class _Reader:
    """Decodes all parts of a file, and compares their lengths with their headers."""

    def __init__(self, path: Path, warn: Warn) -> None:
        self.path, self.warn = path, warn
        self.sample_rate: Hertz = 0
        self.single_rate = True
        self.promise = ""

    def pieces(self) -> Iterator[DecodedBlock]:
        parts = _parts(self.path)
        promised: Seconds | None = None
        found: Seconds = 0.0
        for number, part in enumerate(parts):
            with closing(_open(self.path, part)) as decoder:
                count = 0.0
                self.single_rate &= self.sample_rate in (0, decoder.sample_rate)
                self.sample_rate = self.sample_rate or decoder.sample_rate
                try:
                    for piece in decoder.pieces():
                        self.single_rate &= piece.sample_rate == self.sample_rate
                        count += len(piece.samples) * decoder.sample_rate / piece.sample_rate
                        yield piece
                except AudioError as error:
                    raise self._named(error) from None
                seconds = count / decoder.sample_rate
                found += seconds
                if number == 0 and decoder.promised is not None:
                    promised = decoder.promised / decoder.sample_rate
                self._compare(part, decoder, round(count), len(parts))
        if len(parts) > 1:
            first = "" if promised is None else f"{promised:.2f} s in the first header, "
            self.warn(
                f"{self.path}: {len(parts)} recordings one after the other, {first}"
                f"{found:.2f} s in all; all of them are read"
            )

    def _compare(self, part: Part, decoder: PartDecoder, count: Samples, parts: int) -> None:
        where = f"{self.path}: " if parts == 1 else f"{self.path}, at byte {part.start}: "
        for notice in decoder.notices:
            self.warn(where + notice)
        if part.cut:
            held = f"{count / decoder.sample_rate:.2f} s"
            self.warn(f"{where}cut off: the end is missing; the file holds {held}")
        if decoder.promised is None or abs(decoder.promised - count) <= decoder.tolerance:
            return
        promised, held = _lengths(decoder.promised, count, decoder.sample_rate)
        self.promise = f"; the header promises {promised}"
        if count:
            kind = "truncated: the" if count < decoder.promised else "wrong length: the"
            self.warn(
                f"{where}{kind} header promises {promised}, the file holds {held}; "
                "everything that is there is read"
            )

    def _named(self, error: AudioError) -> AudioError:
        return _unreadable(self.path, str(error))


def _lengths(promised: Samples, found: Samples, rate: Hertz) -> tuple[str, str]:
    """Two lengths in seconds, and in samples if their seconds look the same."""
    a, b = (f"{count / rate:.2f} s" for count in (promised, found))
    return (a, b) if a != b else (f"{promised} samples", f"{found} samples")


def _parts(path: Path, joined: bool = True) -> list[Part]:
    try:
        return find_parts(path, joined)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from None


def _open(path: Path, part: Part) -> PartDecoder:
    try:
        return open_part(path, part)
    except AudioError as error:
        raise _unreadable(path, str(error)) from None


def python_warning(message: str) -> None:
    """Issue a warning about a recording as an `AudioWarning`."""
    warnings.warn(message, AudioWarning, stacklevel=2)


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            os.listdir(path)  # raises an error if the folder cannot be listed
            raise AudioError(f"{path}: is a folder, not a recording")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(f"{path}: is a pipe or a device; save the recording to a file first")
        if status.st_size == 0:
            raise AudioError(f"{path}: empty: the file has no bytes")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file") from None
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:  # a NUL character in the name, as from `find -print0`
        raise AudioError(f"{str(path)!r}: not a valid file name") from None


def _unreadable(path: Path, reason: str) -> AudioError:
    with path.open("rb") as file:
        head = file.read(1024).lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    for start, contents in CONTENTS.items():
        if head.startswith(start):
            return AudioError(f"{path}: not readable as audio: it is {contents}")
    reason = reason.strip().rstrip(".")
    return AudioError(f"{path}: not readable as audio: {reason}; convert it to WAV or FLAC")
