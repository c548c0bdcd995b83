"""FLAC: the number of samples in the header, and in the last frame."""

from __future__ import annotations

import re

from asr.audio.containers.file_bytes import FileBytes
from asr.audio.containers.joined import join_points
from asr.audio.containers.part import Part
from asr.base.units import Samples

MAGIC = b"fLaC\0\0\0\x22"
"""First bytes: the name, and the header of the first block of metadata."""
SEARCHED = 1 << 20
"""Bytes at the end that are searched for the last frame."""
SYNC = re.compile(rb"\xff[\xf8\xf9]")
BLOCK_SIZES = {1: 192, **{n: 144 << n for n in range(2, 6)}, **{n: 1 << n for n in range(8, 16)}}
"""Code → samples of a block; the codes 6 and 7 have the number after the frame's number."""


def flac_parts(data: FileBytes, size: int, joined: bool) -> list[Part]:
    """Parts of a FLAC file; none if it is no FLAC file.

    Args:
        data: the file.
        size: its size.
        joined: whether to search the whole file for others that were appended.
    """
    if data[: len(MAGIC)] != MAGIC:
        return []
    starts = [0, *(join_points(data, MAGIC) if joined else ())]
    return [_part(data, start, end) for start, end in zip(starts, [*starts[1:], size], strict=True)]


def _part(data: FileBytes, start: int, end: int) -> Part:
    fields = int.from_bytes(data[start + 18 : start + 26], "big")
    total = fields & 0xFFFFFFFFF or None
    block_size = int.from_bytes(data[start + 10 : start + 12], "big")
    largest_frame = int.from_bytes(data[start + 15 : start + 18], "big")
    window = min(2 * largest_frame + 64 if largest_frame else SEARCHED, SEARCHED)
    found = _last_sample(data[max(end - window, start + 42) : end], block_size)
    whole = total is not None and found in (total, None)
    return Part(
        start,
        end,
        decoder="libsndfile" if whole else "ffmpeg",
        promised=total,
        frames=total if whole else found,
        format=None if whole else "flac",
    )


def _last_sample(data: bytes, block_size: int) -> Samples | None:
    """Samples up to the end of the last frame in `data`; None if no frame is found."""
    last = None
    for match in SYNC.finditer(data):
        last = _samples_until(data[match.start() : match.start() + 16], block_size) or last
    return last


def _samples_until(header: bytes, block_size: int) -> Samples | None:
    """Samples up to the end of the frame with this header; None if it is no header."""
    if len(header) < 16 or header[2] >> 4 == 0 or header[2] & 15 == 15 or header[3] & 1:
        return None
    # The number is coded like a character of UTF-8, with up to 36 bits.
    first = header[4]
    length = 8 - (first ^ 0xFF).bit_length()
    if length == 1 or length > 7:
        return None
    length = max(length, 1)
    number = first & 0x7F if length == 1 else first & (0x7F >> length)
    for value in header[5 : 4 + length]:
        number = number << 6 | value & 0x3F
    at = 4 + length
    code, rate_code = header[2] >> 4, header[2] & 15
    if code in (6, 7):
        block = int.from_bytes(header[at : at + code - 5], "big") + 1
        at += code - 5
    else:
        block = BLOCK_SIZES[code]
    at += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if at >= len(header) or _crc8(header[:at]) != header[at]:
        return None
    variable = header[1] & 1
    return (number if variable else number * block_size) + block


def _crc8(data: bytes) -> int:
    crc = 0
    for value in data:
        crc ^= value
        for _ in range(8):
            crc = crc << 1 & 0xFF ^ (7 if crc & 0x80 else 0)
    return crc
