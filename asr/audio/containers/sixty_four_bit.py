"""W64 and CAF, whose lengths have 64 bits, and NIST SPHERE: the length that the header promises.

libsndfile reads these files to their end, and does not tell that the header promises more.
"""

from __future__ import annotations

import re

from asr.audio.containers.file_bytes import FileBytes
from asr.audio.containers.part import Part

CAF = b"caff"
W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
W64_CHUNK_HEADER = 24
NIST = b"NIST_1A\n"
UNKNOWN = range(1 << 62, 1 << 64)
"""Lengths that stand for "unknown"."""


def sixty_four_bit_parts(data: FileBytes, size: int) -> list[Part]:
    """Parts of a W64, CAF or SPHERE file; none if it is of another format."""
    if data[: len(CAF)] == CAF:
        return _caf_parts(data, size)
    if data[: len(W64)] == W64:
        return _w64_parts(data, size)
    if data[: len(NIST)] == NIST:
        count = re.search(rb"\nsample_count -i (\d+)", data[:1024])
        return [Part(0, size, promised=int(count[1]) if count else None)]
    return []


def _caf_parts(data: FileBytes, size: int) -> list[Part]:
    bytes_per_packet, promised, start, at = 0, None, 0, 8
    parts: list[Part] = []
    while at + 12 <= size:
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 12], "big")
        if kind == CAF:  # another file
            parts.append(Part(start, at, promised=promised))
            bytes_per_packet, promised, start, at = 0, None, at, at + 8
            continue
        if kind == b"desc":
            bytes_per_packet = int.from_bytes(data[at + 28 : at + 32], "big")
        if length in UNKNOWN:
            break
        if kind == b"data" and bytes_per_packet:
            promised = max(length - 4, 0) // bytes_per_packet
        at += 12 + length
    return [*parts, Part(start, size, promised=promised)]


def _w64_parts(data: FileBytes, size: int) -> list[Part]:
    align, promised, start, at = 0, None, 0, 40
    parts: list[Part] = []
    while at + W64_CHUNK_HEADER <= size:
        kind = data[at : at + 4]
        length = int.from_bytes(data[at + 16 : at + W64_CHUNK_HEADER], "little")
        if data[at : at + len(W64)] == W64:  # another file
            parts.append(Part(start, at, promised=promised))
            align, promised, start, at = 0, None, at, at + 40
            continue
        if kind == b"fmt ":
            place = at + W64_CHUNK_HEADER
            pcm = int.from_bytes(data[place : place + 2], "little") in (1, 3, 6, 7, 0xFFFE)
            align = int.from_bytes(data[place + 12 : place + 14], "little") if pcm else 0
        if length in UNKNOWN or length < W64_CHUNK_HEADER:
            break
        if kind == b"data" and align:
            promised = (length - W64_CHUNK_HEADER) // align
        at += (length + 7) // 8 * 8
    return [*parts, Part(start, size, promised=promised)]
