"""`Part`: the piece of a file that one decoder reads, and `PartFile`: its bytes as a file."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from asr.base.units import Samples

PACKET: Samples = 1152
"""Samples per channel in a packet of MP3."""
CODEC_TOLERANCE: Samples = 4 * PACKET
"""Normal difference between a header and the samples of a lossy codec: delay and padding."""
SAMPLE_TOLERANCE: Samples = 1
"""Normal difference between a header and uncompressed or lossless samples."""


@dataclass(frozen=True)
class RawLayout:
    """Where uncompressed samples are, in a file whose header has a wrong length.

    Attributes:
        start: first byte of the samples.
        end: byte after the last whole sample.
        length_at: position of the length in the header.
        order: byte order of the header.
    """

    start: int
    end: int
    length_at: int
    order: Literal["little", "big"]


@dataclass(frozen=True)
class Part:
    """A piece of a file that holds one recording.

    Attributes:
        start: first byte.
        end: byte after the last one.
        decoder: "libsndfile"; "raw" for uncompressed samples whose header has a wrong length;
            "ffmpeg" for everything that libsndfile cannot decode completely.
        promised: samples per channel according to the header; None if the header has no length,
            or if the decoder reads it from the header.
        frames: samples per channel according to the structure; None if only decoding tells.
        layout: for "raw".
        format: FFmpeg's name of the format; None detects it.
        tolerance: largest normal difference between header and samples, in samples.
        cut: whether the end is missing although the header has no length.
        spans: first byte, and byte after the last one, of each stretch of samples if tags between
            them must be left out; empty: all bytes belong to the part.
    """

    start: int
    end: int
    decoder: Literal["libsndfile", "raw", "ffmpeg"] = "libsndfile"
    promised: Samples | None = None
    frames: Samples | None = None
    layout: RawLayout | None = None
    format: str | None = None
    tolerance: Samples = SAMPLE_TOLERANCE
    cut: bool = False
    spans: tuple[tuple[int, int], ...] = ()


class PartFile(io.RawIOBase):
    """Stretches of a file, joined to a file of their own.

    Args:
        path: the file.
        spans: first byte, and byte after the last one, of each stretch.
        patch: position in the joined file, and bytes that replace those that are there.
    """

    def __init__(
        self,
        path: Path,
        spans: Sequence[tuple[int, int]],
        patch: tuple[int, bytes] | None = None,
    ) -> None:
        self._file = path.open("rb", buffering=0)
        self._spans, self._at, self._patch = spans, 0, patch
        ends = accumulate(end - start for start, end in spans)
        self._starts = [0, *ends]
        self._size = self._starts.pop()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0
        number = bisect_right(self._starts, self._at) - 1
        start, end = self._spans[number]
        start += self._at - self._starts[number]
        view = memoryview(buffer).cast("B")[: end - start]
        self._file.seek(start)
        count = self._file.readinto(view) or 0
        if self._patch is not None:
            position, data = self._patch
            for i, value in enumerate(data, position - self._at):
                if 0 <= i < count:
                    view[i] = value
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
