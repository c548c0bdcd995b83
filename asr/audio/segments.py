"""Reading a segment of a recording: from an offset, for a duration."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from asr.audio.containers.find_parts import find_parts
from asr.audio.decoders import UNREADABLE
from asr.audio.mono import BLOCK, MIN_DURATION, MonoStream
from asr.audio.reading import Warn, python_warning, read_blocks
from asr.base.units import Hertz, Samples, Seconds
from asr.errors import AudioError

TOLERANCE: Seconds = 0.1
"""Largest difference between a duration in a manifest and in the recording. A segment that begins
with the recording and ends within this time of its end is the whole recording."""
HELD: Seconds = 30.0
"""Decoded samples that are kept, because the next segment may overlap the last one."""
DECODED_FROM_THE_START = frozenset({"MP3"})
"""Formats of libsndfile without quick and exact seeking."""


def segment_blocks(
    path: Path,
    sample_rate: Hertz,
    channel: int | None,
    offset: Seconds | None,
    duration: Seconds,
    warn: Warn | None = None,
) -> Iterator[np.ndarray]:
    """Read a segment of a recording as blocks of a few seconds.

    Args:
        path: the recording.
        sample_rate: rate of the result in Hz.
        channel: the channel to read, counted from 0; None: the mean of all channels.
        offset: start of the segment. None: the start of the recording, and then `duration` may be
            longer than the recording; a warning says so if it is shorter.
        duration: length of the segment; 0: to the end of the recording.
        warn: called with each warning, see `read_blocks`; default: `warnings.warn` with an
            `AudioWarning`.

    Yields:
        float32 [samples] in −1…1. Without an offset, the whole recording if its length is
        `duration` within `TOLERANCE`, to the bit as `read_blocks` yields it.

    Raises:
        AudioError: see `read_blocks`; or the segment ends more than `TOLERANCE` behind the end of
            the recording, or is shorter than 50 ms.
    """
    if not duration and not offset:
        yield from read_blocks(path, sample_rate, channel, warn)
        return
    warn = warn or python_warning
    name = segment_name(path, offset, duration)
    start = offset or 0.0
    seek = None
    if start and duration:
        seek = _seek(path, sample_rate, channel, start, duration, name, warn)
    if seek is not None:
        yield from seek
        return
    count, reusable = 0, False
    decoding = _decoding(path, sample_rate, channel, round(start * sample_rate))
    strict = offset is not None
    try:
        blocks = decoding.blocks(warn)
        for block in _cut(blocks, sample_rate, start, duration, name, strict, warn, decoding.start):
            count += len(block)
            yield block
        reusable = True
    except GeneratorExit:
        reusable = True
        raise
    finally:
        if reusable:
            _last.decoding = decoding
    if count < MIN_DURATION * sample_rate:
        raise _too_short(name, count / sample_rate)


def read_segment(
    path: Path,
    sample_rate: Hertz,
    channel: int | None,
    offset: Seconds | None,
    duration: Seconds,
    warn: Warn | None = None,
) -> np.ndarray:
    """Read a segment as `segment_blocks` does, to one array: float32 [samples]."""
    return np.concatenate(list(segment_blocks(path, sample_rate, channel, offset, duration, warn)))


def segment_name(path: Path, offset: Seconds | None, duration: Seconds) -> str:
    """Name of a segment in messages: the path, and the times if there is an offset."""
    if offset is None:
        return str(path)
    end = f"{offset + duration:.2f} s" if duration else "the end"
    return f"{path}, {offset:.2f} s to {end}"


def _seek(
    path: Path,
    sample_rate: Hertz,
    channel: int | None,
    start: Seconds,
    duration: Seconds,
    name: str,
    warn: Warn,
) -> Iterator[np.ndarray] | None:
    """The blocks of a segment in a file that can seek; None if it must be decoded from the start.

    A header that says the recording ends before the segment may be wrong.
    """
    if not _has_exact_positions(path):
        return None
    try:
        file = soundfile.SoundFile(os.fsencode(path))
    except UNREADABLE:
        return None  # read_blocks raises an error that names the cause
    rate = file.samplerate
    first, last = (round(time * rate) for time in (start, start + duration))
    slack = round(TOLERANCE * rate)
    if (
        last > file.frames
        or file.frames >= 2**62
        or not file.seekable()
        or file.format in DECODED_FROM_THE_START
    ):
        file.close()
        return None

    def blocks() -> Iterator[np.ndarray]:
        with file:
            mono = MonoStream(rate, sample_rate, channel, name, warn)
            left = last - first
            try:
                file.seek(first)
                while left > 0:
                    samples = file.read(min(BLOCK, left), dtype="float32", always_2d=True)
                    if not len(samples):
                        if left > slack:
                            raise _behind_end(name, (first + mono.count) / rate)
                        break
                    left -= len(samples)
                    yield mono.feed(samples)
            except UNREADABLE as error:
                raise AudioError(f"{name}: not readable as audio: {error}") from None
            mono.check_length()
            yield mono.finish()

    return blocks()


def _has_exact_positions(path: Path) -> bool:
    """Whether libsndfile alone can read the whole file, so that its positions are right."""
    try:
        if not path.is_file() or not path.stat().st_size:
            return False
        parts = find_parts(path, joined=False)
    except (OSError, ValueError):
        return False  # read_blocks raises an error that names the cause
    return len(parts) == 1 and parts[0].decoder == "libsndfile" and not parts[0].cut


class _Decoding:
    """A recording that is decoded once for segments that follow each other.

    Args:
        key: the recording, sample rate and channel.
        path, sample_rate, channel: see `read_blocks`.

    Attributes:
        key: as given.
        start: position of the first sample that is still there.
    """

    def __init__(
        self, key: tuple[object, ...], path: Path, sample_rate: Hertz, channel: int | None
    ) -> None:
        self.key, self.start = key, 0
        self._source = read_blocks(path, sample_rate, channel, self._say)
        self._held: deque[np.ndarray] = deque()
        self._held_count: Samples = 0
        self._limit: Samples = round(HELD * sample_rate)
        self._said: list[str] = []
        self._warn: Warn = python_warning

    def blocks(self, warn: Warn) -> Iterator[np.ndarray]:
        """The blocks from `start` on.

        Args:
            warn: called with each warning about the recording, also those of earlier calls.
        """
        for message in self._said:
            warn(message)
        self._warn = warn
        yield from list(self._held)
        for block in self._source:
            self._held.append(block)
            self._held_count += len(block)
            while self._held_count - len(self._held[0]) >= self._limit:
                dropped = len(self._held.popleft())
                self._held_count -= dropped
                self.start += dropped
            yield block

    def _say(self, message: str) -> None:
        self._said.append(message)
        self._warn(message)


class _Last(threading.local):
    """The decoding of each thread's last segment, unless a generator is using it."""

    decoding: _Decoding | None = None


_last = _Last()


def _decoding(path: Path, sample_rate: Hertz, channel: int | None, first: Samples) -> _Decoding:
    """Take the last segment's decoding if it can go on to sample `first`, or begin a new one."""
    try:
        state = path.stat()
        key = (path, state.st_ino, state.st_size, state.st_mtime_ns, sample_rate, channel)
    except (OSError, ValueError):  # read_blocks raises an error that names the cause
        return _Decoding((), path, sample_rate, channel)
    last, _last.decoding = _last.decoding, None
    if last is not None and last.key == key and last.start <= first:
        return last
    return _Decoding(key, path, sample_rate, channel)


def _cut(
    blocks: Iterator[np.ndarray],
    sample_rate: Hertz,
    start: Seconds,
    duration: Seconds,
    name: str,
    strict: bool,
    warn: Warn,
    at: Samples,
) -> Iterator[np.ndarray]:
    """Cut a segment out of the blocks of a recording.

    Args:
        blocks: mono samples from `at` on.
        sample_rate: rate of the samples in Hz.
        start: start of the segment.
        duration: length of the segment; 0: to the end.
        name: name of the segment in errors.
        strict: whether the segment must lie within the recording.
        warn: called with a warning if the recording is longer than the segment; not if `strict`.
        at: position of the first block in the recording, in samples.
    """
    first, last = (round(time * sample_rate) for time in (start, start + duration))
    slack = round(TOLERANCE * sample_rate)
    beyond: list[np.ndarray] = []
    for block in blocks:
        here, at = at, at + len(block)
        if not duration:
            yield block[max(first - here, 0) :]
            continue
        yield block[max(first - here, 0) : max(last - here, 0)]
        beyond.append(block[max(last - here, 0) :])
        if at > last + slack and not strict:
            warn(
                f"{name}: only the first {duration:.2f} s are read, its duration in the manifest; "
                "correct the duration, or give offset 0 if a segment is meant"
            )
        if at > last + slack or (first and at >= last):
            return
    if first and at <= first:
        raise _behind_end(name, at / sample_rate)
    if strict and duration and at < last - slack:
        raise _behind_end(name, at / sample_rate)
    if not first:
        yield from beyond


def _behind_end(name: str, seconds: Seconds) -> AudioError:
    return AudioError(
        f"{name}: the segment ends behind the end of the recording, {seconds:.2f} s; correct its "
        "offset and duration"
    )


def _too_short(name: str, seconds: Seconds) -> AudioError:
    return AudioError(
        f"{name}: too short: {1000 * seconds:.0f} ms, the minimum is {1000 * MIN_DURATION:.0f} ms"
    )
