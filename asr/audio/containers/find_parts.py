"""`find_parts`: the parts of a file of any format."""

from __future__ import annotations

from pathlib import Path

from asr.audio.containers.file_bytes import FileBytes
from asr.audio.containers.flac import flac_parts
from asr.audio.containers.joined import amr_parts, matroska_parts, mp4_parts
from asr.audio.containers.mpeg import mpeg_parts, read_frame
from asr.audio.containers.ogg import ogg_parts
from asr.audio.containers.part import Part
from asr.audio.containers.sixty_four_bit import sixty_four_bit_parts
from asr.audio.containers.uncompressed import uncompressed_parts

MPEG_SUFFIXES = frozenset({".mp1", ".mp2", ".mp3", ".mpga"})


def find_parts(path: Path, joined: bool = True) -> list[Part]:
    """Divide a file into the parts that decoders read.

    Args:
        path: a regular file that is not empty.
        joined: whether to search the whole file for others of the same format that were appended.
            Without the search, long FLAC and Matroska files need not be read; default: yes.

    Returns:
        At least one part. A file of an unknown format is one part for libsndfile.
    """
    with FileBytes(path) as data:
        size = len(data)
        return (
            uncompressed_parts(data, size)
            or sixty_four_bit_parts(data, size)
            or flac_parts(data, size, joined)
            or ogg_parts(data, size)
            or matroska_parts(data, size, joined)
            or mp4_parts(data, size)
            or amr_parts(data, size)
            or (mpeg_parts(data, 0, size) if _may_be_mpeg(data, path) else [])
            or [Part(0, size)]
        )


def _may_be_mpeg(data: FileBytes, path: Path) -> bool:
    return (
        data[:3] == b"ID3"
        or read_frame(data[:4]) is not None
        or path.suffix.lower() in MPEG_SUFFIXES
    )
