"""Reading recordings: any rate, bit depth, channel count and length to mono float32 in −1…1."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from asr.errors import AudioError

UNKNOWN_LENGTH = 0x7FFF0000
"""Bytes; streaming writers, who cannot know it, leave something between this and 4 GiB."""
MIN_DURATION = 0.05
"""Seconds; anything shorter holds no word."""
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
        AudioError: missing, not readable, or no audio format that libsndfile knows.
    """
    path = Path(path)
    _check_file(path)
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        raise AudioError(f"{path}: not readable as audio: {_reason(error)}") from None
    return AudioInfo(
        path,
        info.samplerate,
        info.channels,
        info.frames,
        info.frames / info.samplerate,
        info.subtype,
    )


def read_audio(path: Path, sample_rate: int = 16_000, channel: int | None = None) -> np.ndarray:
    """Read a recording: float32 [samples] at `sample_rate`.

    Channels are mixed, or one is taken by its number from 0.

    Raises:
        AudioError: missing, unreadable, truncated, empty, too short, not finite, no such channel.
    """
    path = Path(path)
    _check_file(path)
    try:
        with soundfile.SoundFile(str(path)) as file:
            promised, rate = file.frames, file.samplerate
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        raise AudioError(f"{path}: not readable as audio: {_reason(error)}") from None
    if len(samples) < promised:
        raise AudioError(
            f"{path}: truncated: its header promises {promised / rate:.2f} s, "
            f"the file holds {len(samples) / rate:.2f} s"
        )
    _check_wav_size(path)
    return prepare(samples, rate, sample_rate, channel, str(path))


def prepare(
    samples: np.ndarray, source_rate: int, target_rate: int, channel: int | None, name: str
) -> np.ndarray:
    """Check samples [n] or [n, channels] and make them mono float32 at `target_rate`.

    Integers, as some readers give, are scaled from their type's range to −1…1.

    Raises:
        AudioError: empty, too short, not finite, or no such channel; the message has `name`.
    """
    samples = np.asarray(samples)
    if samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    samples = samples.astype(np.float32, copy=False)
    if samples.ndim not in (1, 2):
        raise AudioError(f"{name}: expected samples [n] or [n, channels], found {samples.shape}")
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.size == 0:
        raise AudioError(f"{name}: empty: holds no samples")
    channels = samples.shape[1]
    if channel is not None and not 0 <= channel < channels:
        raise AudioError(f"{name}: no channel {channel}: it has {channels}, counted from 0")
    if len(samples) < MIN_DURATION * source_rate:
        raise AudioError(
            f"{name}: too short: {1000 * len(samples) / source_rate:.0f} ms, "
            f"at least {1000 * MIN_DURATION:.0f} ms are needed"
        )
    mono = samples.mean(axis=1) if channel is None else samples[:, channel]
    if not np.isfinite(mono).all():
        bad = int(np.count_nonzero(~np.isfinite(mono)))
        raise AudioError(f"{name}: {bad} samples are not finite (NaN or infinite)")
    return resample(np.ascontiguousarray(mono), source_rate, target_rate)


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
            if not matches:
                raise AudioError(f"{item}: matches no file")
            found += [p for p in matches if p.is_file()]
    return list(dict.fromkeys(found))


def _walk(folder: Path) -> list[Path]:
    """Recordings at any depth, and the folders that cannot be listed, each to fail by its name."""
    found: list[Path] = []
    for parent, _, names in os.walk(folder, onerror=lambda e: found.append(Path(e.filename))):
        found.extend(Path(parent, n) for n in names if Path(n).suffix.lower() in SUFFIXES)
    return sorted(found)


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            os.listdir(path)  # says so if that is what is wrong with it
            raise AudioError(f"{path}: is a folder, not a recording")
        if path.stat().st_size == 0:
            raise AudioError(f"{path}: empty: the file has no bytes")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file") from None
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from None


def _check_wav_size(path: Path) -> None:
    """libsndfile quietly shortens a truncated WAV to what is there: compare with its header."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        size = path.stat().st_size
        while len(chunk := file.read(8)) == 8:
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                if length < UNKNOWN_LENGTH and file.tell() + length > size:
                    raise AudioError(
                        f"{path}: truncated: its header promises {length} bytes of samples, "
                        f"the file holds {size - file.tell()}"
                    )
                return
            file.seek(length + length % 2, 1)


def _reason(error: Exception) -> str:
    return getattr(error, "error_string", None) or str(error)
