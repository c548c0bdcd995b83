"""Reading recordings of any format, sample rate and channel count as mono float32 in −1…1.

`read_audio` and `read_blocks` read files, `to_mono` and `to_mono_blocks` convert samples in memory,
and `MonoStream` converts a stream. `find_audio` expands folders and glob patterns.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import soundfile
import soxr

from asr.base.units import Hertz, Samples, Seconds
from asr.errors import AudioError

UNKNOWN_LENGTH = 0x7EFF0000
"""Lengths in bytes from here up to 4 GiB are placeholders, as written by programs that stream."""
SAMPLE_CHUNKS: dict[bytes, tuple[Literal["little", "big"], bytes]] = {
    b"RIFF": ("little", b"data"),
    b"RF64": ("little", b"data"),
    b"RIFX": ("big", b"data"),
    b"FORM": ("big", b"SSND"),
}
"""First bytes of WAV and AIFF files → their byte order, and the name of the chunk of samples."""
MIN_SAMPLE_RATE: Hertz = 1000
"""Hz. A lower rate means a wrong header, and resampling would turn a small file into gigabytes."""
MIN_DURATION: Seconds = 0.05
"""Shorter recordings cannot hold a word."""
UNREADABLE = (soundfile.SoundFileError, OSError, TypeError, ValueError)
"""Errors of soundfile. The last two are for formats without a header, such as .raw and .gsm."""
BLOCK: Samples = 65_536
"""Samples per channel that are read at once."""
SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au"})


@dataclass(frozen=True)
class AudioInfo:
    """The contents of a recording's header.

    Attributes:
        path: the file.
        sample_rate: Hz.
        channels: number of channels.
        frames: samples per channel.
        duration: seconds.
        subtype: encoding of the samples, as soundfile calls it, such as "PCM_16".
    """

    path: Path
    sample_rate: Hertz
    channels: int
    frames: Samples
    duration: Seconds
    subtype: str


def probe(path: Path) -> AudioInfo:
    """Read the header of a recording.

    Raises:
        AudioError: the file is missing, cannot be read, is truncated, or is no audio that
            libsndfile knows; the message names the file.
    """
    path = Path(path)
    _check_file(path)
    try:
        info = soundfile.info(os.fsencode(path))
    except UNREADABLE as error:
        raise _unreadable(path, error) from None
    _check_complete(path)
    return AudioInfo(
        path,
        info.samplerate,
        info.channels,
        info.frames,
        info.frames / info.samplerate,
        info.subtype,
    )


def read_audio(
    path: str | PathLike[str], sample_rate: Hertz = 16_000, channel: int | None = None
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

    Returns:
        float32 [samples] in −1…1.

    Raises:
        AudioError: see `read_blocks`.
    """
    return np.concatenate(list(read_blocks(path, sample_rate, channel)))


def read_blocks(
    path: str | PathLike[str], sample_rate: Hertz = 16_000, channel: int | None = None
) -> Iterator[np.ndarray]:
    """Read a recording as blocks of a few seconds, so that long recordings fit into memory.

    Args:
        path: the recording.
        sample_rate: rate of the result in Hz; default: 16,000.
        channel: the channel to read, counted from 0; default: the mean of all channels.

    Yields:
        float32 [samples] in −1…1.

    Raises:
        AudioError: the file is missing, unreadable, truncated, empty or too short, holds samples
            that are not finite, or lacks the channel; the message names the file. Some errors are
            found only after several blocks.
    """
    path = Path(path)
    _check_file(path)
    _check_complete(path)
    try:
        file = soundfile.SoundFile(os.fsencode(path))
    except UNREADABLE as error:
        raise _unreadable(path, error) from None
    with file:
        mono = MonoStream(file.samplerate, sample_rate, channel, str(path))
        while True:
            try:
                samples = file.read(BLOCK, dtype="float32", always_2d=True)
            except UNREADABLE as error:
                raise _unreadable(path, error) from None
            if not len(samples):
                break
            yield mono.feed(samples)
        if mono.count < file.frames:
            promised, found = (n / file.samplerate for n in (file.frames, mono.count))
            raise _truncated(path, f"{promised:.2f} s", f"{found:.2f} s")
        mono.check_length()
        yield mono.finish()


def to_mono(
    samples: np.ndarray, source_rate: Hertz, target_rate: Hertz, channel: int | None, name: str
) -> np.ndarray:
    """Convert samples as `to_mono_blocks` does, to one array: float32 [samples]."""
    return np.concatenate(list(to_mono_blocks(samples, source_rate, target_rate, channel, name)))


def to_mono_blocks(
    samples: np.ndarray, source_rate: Hertz, target_rate: Hertz, channel: int | None, name: str
) -> Iterator[np.ndarray]:
    """Check samples and convert them to blocks of mono samples.

    Args:
        samples: [n] or [n, channels]. Integers of 8 to 32 bits are scaled from the range of their
            type to −1…1. Floats are not scaled, nor clipped to −1…1.
        source_rate: sample rate of `samples` in Hz.
        target_rate: sample rate of the result in Hz.
        channel: the channel to convert, counted from 0; None: the mean of all channels.
        name: name of the samples in error messages.

    Yields:
        float32 [samples].

    Raises:
        AudioError: the samples are empty, too short, not finite or of an unusable type, the sample
            rate is too low, or the channel does not exist; the message has `name`.
    """
    samples = np.atleast_1d(samples)
    mono = MonoStream(source_rate, target_rate, channel, name)
    # Feed one block even if there are no samples: the type and the shape are checked there.
    for start in range(0, max(len(samples), 1), BLOCK):
        yield mono.feed(samples[start : start + BLOCK])
    mono.check_length()
    yield mono.finish()


class MonoStream:
    """Converts a stream of samples to mono float32 at another sample rate, and checks them.

    The lengths of the pieces do not matter: the joined output is the same, to the bit. The
    resampler delays its output; `finish` returns the rest.

    Args:
        source_rate: sample rate of the input in Hz.
        target_rate: sample rate of the output in Hz.
        channel: the channel to convert, counted from 0; default: the mean of all channels.
        name: name of the stream in error messages; default: "samples".

    Attributes:
        count: samples per channel fed so far, at `source_rate`.
        channels: channels of the last piece.

    Raises:
        AudioError: `source_rate` is below 1000 Hz.
    """

    def __init__(
        self,
        source_rate: Hertz,
        target_rate: Hertz,
        channel: int | None = None,
        name: str = "samples",
    ) -> None:
        if source_rate < MIN_SAMPLE_RATE:
            raise AudioError(
                f"{name}: sample rate {source_rate} Hz is below the minimum, {MIN_SAMPLE_RATE} Hz"
            )
        self.source_rate, self.channel, self.name = source_rate, channel, name
        self.count, self.channels = 0, 1
        self._resampler = None
        if source_rate != target_rate:
            self._resampler = soxr.ResampleStream(
                source_rate, target_rate, 1, dtype="float32", quality="HQ"
            )

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Convert the next samples.

        Args:
            samples: [n] or [n, channels]; n may be 0.

        Returns:
            float32 [samples], possibly empty.

        Raises:
            AudioError: the samples are not finite or of an unusable type, or the channel does not
                exist.
        """
        samples = self._as_float32(samples)
        if not samples.size:
            return np.zeros(0, np.float32)
        self.channels = channels = samples.shape[1]
        if self.channel is not None and not 0 <= self.channel < channels:
            raise AudioError(
                f"{self.name}: no channel {self.channel}: there are {channels}, counted from 0"
            )
        mono = samples.mean(axis=1) if self.channel is None else samples[:, self.channel]
        finite = np.isfinite(mono)
        if not finite.all():
            at = (self.count + int(finite.argmin())) / self.source_rate
            raise AudioError(
                f"{self.name}: samples that are not finite (NaN or infinite), first at {at:.3f} s"
            )
        self.count += len(mono)
        mono = np.ascontiguousarray(mono)
        return mono if self._resampler is None else self._resampler.resample_chunk(mono)

    def finish(self) -> np.ndarray:
        """End the stream and return the samples that the resampler still holds."""
        rest = np.zeros(0, np.float32)
        return rest if self._resampler is None else self._resampler.resample_chunk(rest, last=True)

    def check_length(self) -> None:
        """Check that the stream is long enough for a word.

        Raises:
            AudioError: the stream is empty or shorter than 50 ms.
        """
        if not self.count:
            raise AudioError(f"{self.name}: empty: no samples")
        if self.count < MIN_DURATION * self.source_rate:
            shape = (self.count, self.channels)
            hint = f"; expected [n, channels], found {shape}" if self.channels > 100 else ""
            raise AudioError(
                f"{self.name}: too short: {1000 * self.count / self.source_rate:.0f} ms, "
                f"the minimum is {1000 * MIN_DURATION:.0f} ms{hint}"
            )

    def _as_float32(self, samples: np.ndarray) -> np.ndarray:
        """Samples of any usable type and shape as float32 [n, channels], scaled to −1…1."""
        samples = np.asarray(samples)
        if samples.ndim not in (1, 2):
            raise AudioError(
                f"{self.name}: expected samples [n] or [n, channels], found {samples.shape}"
            )
        if samples.dtype.kind in "iu" and samples.dtype.itemsize <= 4:
            lowest, half = np.iinfo(samples.dtype).min, 2.0 ** (8 * samples.dtype.itemsize - 1)
            samples = (samples - (lowest + half)) / half
        elif samples.dtype.kind != "f":
            raise AudioError(
                f"{self.name}: expected floats or integers of 8 to 32 bits, found {samples.dtype}"
            )
        samples = samples.astype(np.float32, copy=False)
        return samples[:, None] if samples.ndim == 1 else samples


def resample(samples: np.ndarray, source_rate: Hertz, target_rate: Hertz) -> np.ndarray:
    """Resample mono samples with a band limit.

    Args:
        samples: float32 [n].
        source_rate: sample rate of `samples` in Hz.
        target_rate: sample rate of the result in Hz.

    Returns:
        float32 [about n × target_rate / source_rate].
    """
    if source_rate == target_rate:
        return samples
    return soxr.resample(samples, source_rate, target_rate, quality="HQ")


def find_audio(paths: Iterable[str]) -> list[Path]:
    """Expand folders and glob patterns to recordings.

    Args:
        paths: files, which need not exist; folders, which are searched to any depth for files with
            one of `SUFFIXES`; and glob patterns.

    Returns:
        The recordings, each once, sorted within each folder and pattern.

    Raises:
        AudioError: a path is empty, a pattern matches no file, or a folder holds no recording.
    """
    found: list[Path] = []
    for item in paths:
        if not item:
            raise AudioError("an empty path names no recording; write . for this folder")
        path = Path(item)
        if path.is_dir():
            inside = _walk(path)
            if not inside:
                raise AudioError(
                    f"{path}: this folder holds no recordings ({' '.join(sorted(SUFFIXES))})"
                )
            found += inside
        elif path.exists() or not glob.has_magic(item):
            # A missing file is no error here: it is reported when it is read, and does not stop the
            # other files.
            found.append(path)
        else:
            matches = sorted(Path(p) for p in glob.glob(item, recursive=True))
            inside = [q for p in matches for q in (_walk(p) if p.is_dir() else [p])]
            if not inside:
                raise AudioError(f"{item}: matches no file")
            found += inside
    return list(dict.fromkeys(found))


def _walk(folder: Path) -> list[Path]:
    """Recordings at any depth, sorted.

    Folders that cannot be listed are included, so that reading them reports their names.
    """
    found: list[Path] = []
    seen: set[str] = set()
    for parent, folders, names in os.walk(
        folder, onerror=lambda e: found.append(Path(e.filename)), followlinks=True
    ):
        real = os.path.realpath(parent)
        if real in seen:  # reached through a link before
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        found.extend(
            Path(parent, name)
            for name in names
            # macOS writes a file ._NAME, which is no audio, beside NAME.
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("._")
        )
    return sorted(found)


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


def _check_complete(path: Path) -> None:
    """Compare the length in the header with the size of the file.

    libsndfile does not report that uncompressed WAV, AIFF and AU files are truncated. Decoders of
    compressed formats do.

    Raises:
        AudioError: the file is truncated.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        kind = file.read(4)
        if kind == b".snd":
            start, length = (int.from_bytes(file.read(4), "big") for _ in range(2))
        elif kind in SAMPLE_CHUNKS:
            start, length = _find_chunk(file, *SAMPLE_CHUNKS[kind])
        else:
            return
    if length < UNKNOWN_LENGTH and start + length > size:
        raise _truncated(path, f"{length} bytes of samples", str(max(size - start, 0)))


def _find_chunk(file: BinaryIO, order: Literal["little", "big"], name: bytes) -> tuple[int, int]:
    """Start and length in bytes of the named chunk; 0, 0 if there is none."""
    file.seek(12)
    long_length = 0
    while len(chunk := file.read(8)) == 8:
        length = int.from_bytes(chunk[4:], order)
        if chunk[:4] == name:
            return file.tell(), long_length or length
        following = file.tell() + length + length % 2
        if chunk[:4] == b"ds64":  # RF64: sizes too large for 32 bits
            file.seek(8, os.SEEK_CUR)
            long_length = int.from_bytes(file.read(8), order)
        file.seek(following)
    return 0, 0


def _truncated(path: Path, promised: str, found: str) -> AudioError:
    return AudioError(
        f"{path}: truncated: the header promises {promised}, the file holds {found}; "
        "copy the recording again, or save the part that is left as a new file"
    )


def _unreadable(path: Path, error: Exception) -> AudioError:
    reason = getattr(error, "error_string", None) or str(error)
    return AudioError(
        f"{path}: not readable as audio: {reason.strip().rstrip('.')}; convert it to WAV or FLAC"
    )
