"""Files of the same format that were appended to each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from asr.audio.containers.file_bytes import FileBytes
from asr.audio.containers.part import CODEC_TOLERANCE, Part

EBML = b"\x1aE\xdf\xa3"
"""First bytes of WebM and Matroska."""
AMR = (b"#!AMR\n", b"#!AMR-WB\n")


def join_points(data: FileBytes, magic: bytes) -> Iterator[int]:
    """Positions of first bytes after those of the file itself."""
    at = 0
    while (at := data.find(magic, at + 1)) >= 0:
        yield at


def matroska_parts(data: FileBytes, size: int, joined: bool) -> list[Part]:
    """Parts of a WebM or Matroska file; none if it is of another format."""
    if data[:4] != EBML:
        return []
    starts = [0]
    for at in join_points(data, EBML) if joined else ():
        if any(name in data[at : at + 64] for name in (b"webm", b"matroska")):
            starts.append(at)
    return _ffmpeg_parts(starts, size)


def mp4_parts(data: FileBytes, size: int) -> list[Part]:
    """Parts of an MP4, M4A, MOV or 3GP file; none if it is of another format."""
    if data[4:8] != b"ftyp":
        return []
    starts, movie, at = [0], False, 0
    while at + 8 <= size:
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if length == 1:
            length = int.from_bytes(data[at + 8 : at + 16], "big")
        if kind == b"ftyp" and movie:
            starts.append(at)
        movie = kind == b"moov" or (movie and kind != b"ftyp")
        if length < 8:
            break
        at += length
    parts = _ffmpeg_parts(starts, size)
    return parts if movie else [*parts[:-1], replace(parts[-1], cut=True)]


def amr_parts(data: FileBytes, size: int) -> list[Part]:
    """Parts of an AMR file; none if it is of another format."""
    magic = next((m for m in AMR if data[: len(m)] == m), None)
    if magic is None:
        return []
    starts = [0, *join_points(data, magic)]
    return _ffmpeg_parts(starts, size)


def _ffmpeg_parts(starts: list[int], size: int) -> list[Part]:
    return [
        Part(start, end, decoder="ffmpeg", tolerance=CODEC_TOLERANCE)
        for start, end in zip(starts, [*starts[1:], size], strict=True)
    ]
