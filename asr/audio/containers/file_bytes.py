"""`FileBytes`: a file as a sequence of bytes, of which a small piece is in memory."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import overload

CHUNK = 1 << 18
"""Bytes that are read at once."""


class FileBytes:
    """Reads a file like `bytes`, in chunks.

    Unlike a memory map, it does not count as memory of the process, and a file that becomes shorter
    meanwhile does not end the process.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._size = self._file.seek(0, 2)
        self._start, self._chunk = 0, b""

    def __enter__(self) -> FileBytes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, key: int) -> int: ...

    @overload
    def __getitem__(self, key: slice) -> bytes: ...

    def __getitem__(self, key: int | slice) -> int | bytes:
        if isinstance(key, int):
            return self[key : key + 1][0]
        start, stop = key.start or 0, self._size if key.stop is None else key.stop
        at = start - self._start
        if at < 0 or stop - self._start > len(self._chunk):
            self._load(start, stop - start)
            at = 0
        return self._chunk[at : at + stop - start] if stop > start else b""

    def find(self, wanted: bytes, start: int = 0, end: int | None = None) -> int:
        """Position of the first occurrence of `wanted` in [start, end); -1: there is none."""
        end = self._size if end is None else min(end, self._size)
        while start < end:
            if not self._start <= start < self._start + len(self._chunk) - len(wanted):
                self._load(start, CHUNK)
            found = self._chunk.find(wanted, start - self._start, end - self._start)
            if found >= 0:
                return self._start + found
            following = self._start + len(self._chunk) - len(wanted) + 1
            if len(self._chunk) < len(wanted) or following <= start:
                return -1
            start = following
        return -1

    def _load(self, start: int, length: int) -> None:
        self._file.seek(start)
        wanted, pieces = max(length, CHUNK), []
        while wanted > 0 and (piece := self._file.read(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        self._start, self._chunk = start, b"".join(pieces)
