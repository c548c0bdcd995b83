"""Ogg: pages, and streams that follow each other."""

from __future__ import annotations

from asr.audio.containers.file_bytes import FileBytes
from asr.audio.containers.part import Part

MAGIC = b"OggS"
PAGE_HEADER = 27
FIRST_PAGE, LAST_PAGE = 2, 4
"""Flags of a page: the first or the last one of its stream."""


def ogg_parts(data: FileBytes, size: int) -> list[Part]:
    """Parts of an Ogg file, one for each link of a chain; none if it is no Ogg file.

    A link that does not end with a last page is cut.
    """
    if data[: len(MAGIC)] != MAGIC:
        return []
    starts: list[int] = []
    cut: list[bool] = []
    in_headers = False
    at = 0
    while 0 <= at < size:
        if data[at : at + 4] != MAGIC:
            at = data.find(MAGIC, at + 1)
            continue
        if at + PAGE_HEADER > size:
            break
        flags, segments = data[at + 5], data[at + 26]
        first = bool(flags & FIRST_PAGE)
        if first and not in_headers:
            starts.append(at)
            cut.append(True)
        in_headers = first
        at += PAGE_HEADER + segments + sum(data[at + PAGE_HEADER : at + PAGE_HEADER + segments])
        if cut:
            cut[-1] = at > size or not flags & LAST_PAGE
    ends = [*starts[1:], size]
    return [
        Part(start, end, cut=missing) for start, end, missing in zip(starts, ends, cut, strict=True)
    ]
