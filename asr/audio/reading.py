"""Reading recordings: any rate, bit depth, channel count and length to mono float32 in −1…1."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import soundfile
import soxr

from asr.errors import AudioError

UNKNOWN_LENGTH = 0x7EFF0000
"""Bytes; streaming writers, who cannot know it, leave something between this and 4 GiB."""
CHUNKED: dict[bytes, tuple[Literal["little", "big"], bytes]] = {
    b"RIFF": ("little", b"data"),
    b"RF64": ("little", b"data"),
    b"RIFX": ("big", b"data"),
    b"FORM": ("big", b"SSND"),
}
"""First bytes of WAV and AIFF → byte order, and the chunk of the samples."""
MIN_SAMPLE_RATE = 1000
"""Hz; below, a header is wrong, and resampling would make gigabytes of a small file."""
MIN_DURATION = 0.05
"""Seconds; anything shorter holds no word."""
UNREADABLE = (soundfile.SoundFileError, OSError, TypeError, ValueError)
"""What soundfile raises; the last two for formats without a header, such as .raw and .gsm."""
BLOCK = 65_536
"""Samples a channel read at once."""
SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au"})


@dataclass(frozen=True)
class AudioInfo:
    """What a recording's header says; `frames` are samples a channel, `duration` is in seconds."""

    path: Path
    sample_rate: int
    channels: int
    frames: int
    duration: float
    subtype: str


def probe(path: Path) -> AudioInfo:
    """Read the header only.

    Raises:
        AudioError: missing, not readable, truncated, or no audio format that libsndfile knows.
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


def read_audio(path: Path, sample_rate: int = 16_000, channel: int | None = None) -> np.ndarray:
    """Read a recording whole: float32 [samples] at `sample_rate`; see `read_blocks`."""
    return np.concatenate(list(read_blocks(path, sample_rate, channel)))


def read_blocks(
    path: Path, sample_rate: int = 16_000, channel: int | None = None
) -> Iterator[np.ndarray]:
    """Read a recording in pieces of some seconds: float32 [samples] at `sample_rate`.

    Channels are mixed, or one is taken by its number from 0. What is wrong with a recording may
    show only after pieces of it were given.

    Raises:
        AudioError: missing, unreadable, truncated, empty, too short, not finite, no such channel.
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
            promised, held = (n / file.samplerate for n in (file.frames, mono.count))
            raise _truncated(path, f"{promised:.2f} s", f"{held:.2f} s")
        mono.check_length()
        yield mono.finish()


def to_mono(
    samples: np.ndarray, source_rate: int, target_rate: int, channel: int | None, name: str
) -> np.ndarray:
    """Samples of any rate as mono float32 [samples] at `target_rate`; see `to_mono_blocks`."""
    return np.concatenate(list(to_mono_blocks(samples, source_rate, target_rate, channel, name)))


def to_mono_blocks(
    samples: np.ndarray, source_rate: int, target_rate: int, channel: int | None, name: str
) -> Iterator[np.ndarray]:
    """Check samples [n] or [n, channels] and give them as `read_blocks` does.

    Integers of 8 to 32 bits, as some readers give, are scaled from their type's range to −1…1;
    floats beyond that are left as they are.

    Raises:
        AudioError: empty, too short, not finite, of no sample type or rate, or no such channel;
            the message has `name`.
    """
    samples = np.atleast_1d(samples)
    mono = MonoStream(source_rate, target_rate, channel, name)
    # At least one piece, so that what is wrong with no samples at all is found too.
    for start in range(0, max(len(samples), 1), BLOCK):
        yield mono.feed(samples[start : start + BLOCK])
    mono.check_length()
    yield mono.finish()


class MonoStream:
    """Samples piece by piece → checked, mono, float32 at `target_rate`.

    The pieces may be of any length: joined, what comes out is the same, to the bit. What a
    resampler holds back comes later, the last of it from `finish`.

    Attributes:
        count: samples a channel fed so far, at `source_rate`.
    """

    def __init__(
        self, source_rate: int, target_rate: int, channel: int | None = None, name: str = "samples"
    ) -> None:
        if source_rate < MIN_SAMPLE_RATE:
            raise AudioError(
                f"{name}: sample rate {source_rate} Hz, at least {MIN_SAMPLE_RATE} Hz are needed"
            )
        self.source_rate, self.channel, self.name = source_rate, channel, name
        self.count, self.channels = 0, 1
        self._resampler = None
        if source_rate != target_rate:
            self._resampler = soxr.ResampleStream(
                source_rate, target_rate, 1, dtype="float32", quality="HQ"
            )

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """The next samples, [n] or [n, channels].

        Raises:
            AudioError: not finite, of no sample type, or no such channel.
        """
        samples = self._floats(samples)
        if not samples.size:
            return np.zeros(0, np.float32)
        self.channels = channels = samples.shape[1]
        if self.channel is not None and not 0 <= self.channel < channels:
            raise AudioError(
                f"{self.name}: no channel {self.channel}: it has {channels}, counted from 0"
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
        """The samples that the resampler still held."""
        rest = np.zeros(0, np.float32)
        return rest if self._resampler is None else self._resampler.resample_chunk(rest, last=True)

    def check_length(self) -> None:
        """Raise an `AudioError` if what was fed is no recording: empty, or too short for a word."""
        if not self.count:
            raise AudioError(f"{self.name}: empty: holds no samples")
        if self.count < MIN_DURATION * self.source_rate:
            shape = (self.count, self.channels)
            hint = f"; [n, channels] was expected, not {shape}" if self.channels > 100 else ""
            raise AudioError(
                f"{self.name}: too short: {1000 * self.count / self.source_rate:.0f} ms, "
                f"at least {1000 * MIN_DURATION:.0f} ms are needed{hint}"
            )

    def _floats(self, samples: np.ndarray) -> np.ndarray:
        """Samples of any usable type and shape as float32 [n, channels]."""
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
                f"{self.name}: samples are {samples.dtype}, not floats or 8 to 32 bit integers"
            )
        samples = samples.astype(np.float32, copy=False)
        return samples[:, None] if samples.ndim == 1 else samples


def resample(samples: np.ndarray, source_rate: int, target_rate: int) -> np.ndarray:
    """Band-limited resampling: float32 [n] → float32 [about n × target_rate / source_rate]."""
    if source_rate == target_rate:
        return samples
    return soxr.resample(samples, source_rate, target_rate, quality="HQ")


def find_audio(paths: Iterable[str]) -> list[Path]:
    """Expand files, folders (searched to any depth for known suffixes) and glob patterns.

    Raises:
        AudioError: a path that names nothing, or a folder without a recording.
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
                    f"{path}: no recordings in this folder ({' '.join(sorted(SUFFIXES))})"
                )
            found += inside
        elif path.exists() or not glob.has_magic(item):
            # A missing file is its own reported failure later: the other ones are still done.
            found.append(path)
        else:
            matches = sorted(Path(p) for p in glob.glob(item, recursive=True))
            inside = [q for p in matches for q in (_walk(p) if p.is_dir() else [p])]
            if not inside:
                raise AudioError(f"{item}: matches no file")
            found += inside
    return list(dict.fromkeys(found))


def _walk(folder: Path) -> list[Path]:
    """Recordings at any depth, and the folders that cannot be listed, each to fail by its name."""
    found: list[Path] = []
    seen: set[str] = set()
    for parent, folders, names in os.walk(
        folder, onerror=lambda e: found.append(Path(e.filename)), followlinks=True
    ):
        real = os.path.realpath(parent)
        if real in seen:  # a link back up the tree, or to another part of it
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        found.extend(
            Path(parent, name)
            for name in names
            # macOS leaves a ._NAME without sound beside each NAME.
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("._")
        )
    return sorted(found)


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            os.listdir(path)  # says so if that is what is wrong with it
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
    except ValueError:  # a NUL byte, as find -print0 writes
        raise AudioError(f"{str(path)!r}: no file can have this name") from None


def _check_complete(path: Path) -> None:
    """libsndfile quietly shortens truncated samples to what is there: compare with the header.

    For uncompressed WAV, AIFF and AU; decoders of compressed samples notice by themselves.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        kind = file.read(4)
        if kind == b".snd":
            start, length = (int.from_bytes(file.read(4), "big") for _ in range(2))
        elif kind in CHUNKED:
            start, length = _find_samples(file, *CHUNKED[kind])
        else:
            return
    if length < UNKNOWN_LENGTH and start + length > size:
        raise _truncated(path, f"{length} bytes of samples", str(max(size - start, 0)))


def _find_samples(file: BinaryIO, order: Literal["little", "big"], name: bytes) -> tuple[int, int]:
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


def _truncated(path: Path, promised: str, held: str) -> AudioError:
    return AudioError(
        f"{path}: truncated: its header promises {promised}, the file holds {held}; "
        f"get it again, or save what is left of it as a new file"
    )


def _unreadable(path: Path, error: Exception) -> AudioError:
    reason = getattr(error, "error_string", None) or str(error)
    return AudioError(
        f"{path}: not readable as audio: {reason.strip().rstrip('.')}; convert it to WAV or FLAC"
    )
