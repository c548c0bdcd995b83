"""WAV, RF64, RIFX, AIFF and AU: chunks, and lengths that their headers get wrong.

Programs that write to a pipe do not know the length and write a placeholder. Lengths beyond 4 GiB
do not fit into 32 bits and wrap around. Interrupted copies are shorter than their header says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from asr.audio.containers.file_bytes import FileBytes
from asr.audio.containers.mpeg import mpeg_parts
from asr.audio.containers.part import Part, RawLayout
from asr.base.units import Samples

ByteOrder = Literal["little", "big"]

CONTAINERS: dict[bytes, tuple[ByteOrder, bytes]] = {
    b"RIFF": ("little", b"data"),
    b"RF64": ("little", b"data"),
    b"RIFX": ("big", b"data"),
    b"FORM": ("big", b"SSND"),
}
"""First bytes of WAV and AIFF files → their byte order, and the name of the chunk of samples."""
AU = b".snd"
AU_SAMPLE_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
"""Encoding of AU → bytes of a sample."""
PLACEHOLDERS = (range(0x7EFF0000, 0x80000001), range(0xFFFF0000, 0x100000000))
"""Lengths in bytes that stand for "unknown", as written by programs that stream."""
KNOWN_CHUNKS = frozenset(
    name.encode()
    for name in re.findall(
        r"[^,]+",
        "LIST,id3 ,ID3 ,bext,cue ,fact,smpl,junk,JUNK,PAD ,FLLR,afsp,_PMX,iXML,axml,inst,acid,"
        "DISP,peak,PEAK,plst,MARK,INST,COMT,NAME,AUTH,ANNO,APPL,CHAN",
    )
)
"""Chunks that may follow the samples; one of them may be cut off at the end of the file."""
TAGS = (b"TAG", b"ID3", b"APETAGEX")
"""First bytes of tags that some programs append without a chunk."""
MAX_PADDING = 4096
"""Bytes of zeros after the samples that count as padding of the file."""
MPEG_ENCODINGS = (0x50, 0x55)
"""Format tags of MP2 and MP3 inside WAV."""
BLOCK_ENCODINGS = (0x02, 0x11, 0x31)
"""Format tags of two kinds of ADPCM and of GSM: blocks of many samples."""
SAMPLE_ENCODINGS = (0x01, 0x03, 0x06, 0x07)
"""Format tags of integers, floats, A-law and µ-law."""
ENCODINGS = (*SAMPLE_ENCODINGS, *BLOCK_ENCODINGS, *MPEG_ENCODINGS)
EXTENSIBLE = 0xFFFE
"""Format tag that is followed by another one."""


@dataclass
class _Header:
    """The chunks before the samples.

    Attributes:
        encoding: format tag of WAV.
        align: bytes of a block.
        block: samples per channel in a block.
        length: length of the samples in bytes, as written.
        length_at: where that length is written.
        samples_start: first byte of the samples; 0 if there are none.
    """

    encoding: int = 0
    align: int = 0
    block: Samples = 1
    length: int = 0
    length_at: int = 0
    samples_start: int = 0


def uncompressed_parts(data: FileBytes, size: int) -> list[Part]:
    """Parts of a WAV, AIFF or AU file; none if the file has no samples or another format."""
    parts: list[Part] = []
    at: int | None = 0
    while at is not None and at < size:
        found, at = _part(data, at, size)
        if not found:
            break
        parts += found
    return parts


def _part(data: FileBytes, at: int, size: int) -> tuple[list[Part], int | None]:
    """The part that starts at a position, and where the next one starts; None: nowhere."""
    kind = data[at : at + 4]
    if kind == AU:
        header = _au_header(data, at)
    elif kind in CONTAINERS:
        header = _chunk_header(data, at, size, *CONTAINERS[kind])
    else:
        return [], None
    start, rest = header.samples_start, size - header.samples_start
    if not start or rest < 0 or not header.align:
        return [], None
    if kind in (b"RIFF", b"RIFX", b"RF64") and header.encoding not in ENCODINGS:
        return [], None
    unknown = header.length == 0 or any(header.length in lengths for lengths in PLACEHOLDERS)
    order: ByteOrder = CONTAINERS[kind][0] if kind in CONTAINERS else "big"
    end_of_samples = start + header.length
    if header.length % 2 and data[end_of_samples : end_of_samples + 1] == b"\0":
        end_of_samples += 1  # chunks begin at even positions
    end = _end_of_chunks(data, end_of_samples, size, order, kind)
    length, following = rest, None
    if end is not None and header.length <= rest and (header.length or end > start):
        length, following = header.length, end
    if header.encoding in MPEG_ENCODINGS:
        return mpeg_parts(data, start, start + length), following
    agrees = length == min(header.length, rest)
    part = Part(
        at,
        size if following is None else following,
        decoder="libsndfile" if agrees and not unknown else "raw",
        promised=None if unknown else header.length // header.align * header.block,
        frames=length // header.align * header.block,
        tolerance=header.block,
        layout=RawLayout(start, start + length - length % header.align, header.length_at, order),
    )
    return [part], following


def _chunk_header(data: FileBytes, at: int, size: int, order: ByteOrder, name: bytes) -> _Header:
    header = _Header()
    long_length = 0
    position = at + 12
    while position + 8 <= size:
        chunk, length = data[position : position + 4], _number(data, position + 4, 4, order)
        body = position + 8
        if chunk == b"fmt ":
            header.encoding = _number(data, body, 2, order)
            header.align = _number(data, body + 12, 2, order)
            if header.encoding == EXTENSIBLE:
                header.encoding = _number(data, body + 24, 2, order)
            elif header.encoding in BLOCK_ENCODINGS:
                header.block = _number(data, body + 18, 2, order)
        elif chunk == b"COMM":
            channels, bits = _number(data, body, 2, order), _number(data, body + 6, 2, order)
            header.align = channels * ((bits + 7) // 8)
            if data[body + 18 : body + 22].lower() in (b"ulaw", b"alaw"):
                header.align = channels
            elif data[body + 18 : body + 22].lower() in (b"ima4", b"gsm "):
                return _Header()
        elif chunk == b"ds64":  # RF64: sizes too large for 32 bits
            long_length = _number(data, body + 8, 8, order)
        if chunk == name:
            header.length_at, header.samples_start = position + 4, body
            header.length = long_length or length
            if name == b"SSND":
                header.length = max(length - 8, 0)
                header.samples_start += 8 + _number(data, body, 4, order)
            return header
        position = body + length + length % 2
    return _Header()


def _au_header(data: FileBytes, at: int) -> _Header:
    start, length, encoding, _, channels = (
        _number(data, position, 4, "big") for position in range(at + 4, at + 24, 4)
    )
    return _Header(
        align=AU_SAMPLE_BYTES.get(encoding, 0) * channels,
        length=length,
        length_at=at + 8,
        samples_start=at + start,
    )


def _number(data: FileBytes, at: int, count: int, order: ByteOrder) -> int:
    return int.from_bytes(data[at : at + count], order)


def _end_of_chunks(
    data: FileBytes, at: int, size: int, order: ByteOrder, kind: bytes
) -> int | None:
    """Where the chunks after the samples end; None if samples follow instead of chunks.

    Args:
        data: the file.
        at: byte after the samples, according to the header.
        size: size of the file.
        order: byte order of the file.
        kind: first bytes of the file.

    Returns:
        The size of the file, or the start of another file that was appended.
    """
    while at < size:
        head = data[at : at + 8]
        if head[:4] == kind and data[at + 8 : at + 12] in (b"WAVE", b"AIFF", b"AIFC"):
            return at
        if kind == AU and head[:4] == AU:
            return at
        if size - at < 8 or head.startswith(TAGS):
            return size
        if size - at <= MAX_PADDING and not any(data[at:size]):
            return size
        if kind == AU or not all(32 <= value < 127 for value in head[:4]):
            return None
        length = int.from_bytes(head[4:], order)
        if at + 8 + length > size:
            return size if head[:4] in KNOWN_CHUNKS else None
        at += 8 + length + length % 2
    return size
