"""MPEG audio (MP1, MP2, MP3): its frames, and the header that counts them.

An MP3 file is a sequence of frames. The first one may hold a table (Xing, Info or VBRI) with the
number of frames. Without the table, a decoder can only guess the length from the size of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from asr.audio.containers.file_bytes import FileBytes
from asr.audio.containers.part import CODEC_TOLERANCE, Part
from asr.base.units import Hertz, Samples

BITRATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""(MPEG version 1, or 2 and 2.5; layer) → kbit/s of the bit rate indices 1 to 14."""
SAMPLE_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8000)}
"""Version bits → Hz of the sample rate indices."""
MAX_LEADING_BYTES = 65_536
"""Bytes before the first frame that are searched for it."""


class Frame(NamedTuple):
    """The header of a frame.

    Attributes:
        size: bytes.
        samples: samples per channel.
        rate: Hz.
        channels: 1 or 2.
        layer: 1, 2 or 3.
        version: 1; 2 for MPEG-2 and 2.5.
    """

    size: int
    samples: Samples
    rate: Hertz
    channels: int
    layer: int
    version: int


class LengthTable(NamedTuple):
    """The table in the first frame.

    Attributes:
        frames: frames after this one.
        trimmed: samples of delay and padding that a decoder removes.
    """

    frames: int
    trimmed: Samples


@dataclass
class _Run:
    """Frames of one encoder that follow each other."""

    spans: list[tuple[int, int]]
    first: Frame
    table: LengthTable | None
    frames: int = 0
    garbage: int = 0


_frames: dict[bytes, Frame | None] = {}


def read_frame(header: bytes) -> Frame | None:
    """Read the four bytes of a frame's header; None if it is no header."""
    if header[:1] != b"\xff" or len(header) < 4:
        return None
    key = header[1:]
    if key not in _frames:
        _frames[key] = _read_frame(*key)
    return _frames[key]


def _read_frame(b: int, c: int, d: int) -> Frame | None:
    version_bits, layer = b >> 3 & 3, 4 - (b >> 1 & 3)
    bitrate_index, rate_index = c >> 4, c >> 2 & 3
    if b >> 5 != 7 or version_bits == 1 or layer == 4 or rate_index == 3 or d & 3 == 2:
        return None
    if not 0 < bitrate_index < 15:
        return None
    version = 1 if version_bits == 3 else 2
    bitrate = 1000 * BITRATES[version, layer][bitrate_index - 1]
    rate, padding = SAMPLE_RATES[version_bits][rate_index], c >> 1 & 1
    samples = {1: 384, 2: 1152, 3: 1152 if version == 1 else 576}[layer]
    if layer == 1:
        size = (12 * bitrate // rate + padding) * 4
    else:
        size = samples // 8 * bitrate // rate + padding
    return Frame(size, samples, rate, 1 if d >> 6 == 3 else 2, layer, version)


def read_length_table(data: FileBytes, at: int, frame: Frame) -> LengthTable | None:
    """Read the Xing, Info or VBRI table of a frame; None if it has none."""
    if frame.layer != 3:
        return None
    if data[at + 36 : at + 40] == b"VBRI":
        return LengthTable(int.from_bytes(data[at + 50 : at + 54], "big"), 0)
    side_info = {(1, 2): 32, (1, 1): 17, (2, 2): 17, (2, 1): 9}[frame.version, frame.channels]
    at += 4 + side_info
    if data[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags = data[at + 7]
    at += 8
    frames = int.from_bytes(data[at : at + 4], "big") if flags & 1 else 0
    at += 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    trimmed = 0
    if data[at : at + 4] in (b"LAME", b"Lavc", b"Lavf"):
        packed = int.from_bytes(data[at + 21 : at + 24], "big")
        trimmed = (packed >> 12) + (packed & 0xFFF)
    return LengthTable(frames, trimmed)


def mpeg_parts(data: FileBytes, start: int, end: int) -> list[Part]:
    """Parts of MPEG audio between two bytes; none if there is no MPEG audio.

    A part ends where another table or another sample rate begins. libsndfile decodes a whole file
    of MPEG-1 whose table is right. It stops at its own estimate if there is no table, and prints
    errors about valid files of MPEG-2, so FFmpeg decodes all others.
    """
    runs = _runs(data, start, end)
    return [_part(run, data, whole=len(runs) == 1 and start == 0) for run in runs]


def _part(run: _Run, data: FileBytes, whole: bool) -> Part:
    table, first = run.table, run.first
    counted = run.frames * first.samples
    promised = None
    start, end = run.spans[0][0], run.spans[-1][1]
    if table is not None and table.frames:
        promised = table.frames * first.samples - table.trimmed
        if table.frames >= run.frames:
            counted -= table.trimmed
        else:
            # The table would end the decoding early.
            start += first.size
    exact = (
        whole
        and table is not None
        and table.frames == run.frames
        and first.version == 1
        and not run.garbage
    )
    return Part(
        0 if exact else start,
        len(data) if exact else end,
        decoder="libsndfile" if exact else "ffmpeg",
        promised=promised,
        frames=max(counted, 0),
        format=None if exact else "mp3",
        tolerance=CODEC_TOLERANCE,
        spans=() if exact else ((start, run.spans[0][1]), *run.spans[1:]),
    )


def _runs(data: FileBytes, start: int, end: int) -> list[_Run]:
    runs: list[_Run] = []
    at = _first_frame(data, start, end)
    if at is None:
        return []
    while at + 4 <= end:
        head = data[at : at + 40]
        frame = read_frame(head[:4])
        if frame is None:
            following = _after_tag(data, at, end)
            if following == at:
                following = _resync(data, at + 1, end)
                if runs and following < end:
                    runs[-1].garbage += following - at
            at = following
            continue
        if at + frame.size > end:
            break
        table = None
        if b"Xing" in head or b"Info" in head or b"VBRI" in head:
            table = read_length_table(data, at, frame)
        last = runs[-1] if runs else None
        if (
            last is None
            or table is not None
            or (frame.rate, frame.layer, frame.channels)
            != (last.first.rate, last.first.layer, last.first.channels)
        ):
            runs.append(_Run([(at, at)], frame, table))
        run = runs[-1]
        run.frames += table is None
        if run.spans[-1][1] != at:  # a tag or garbage lies between
            run.spans.append((at, at))
        at += frame.size
        run.spans[-1] = (run.spans[-1][0], at)
    return [run for run in runs if run.frames]


def _first_frame(data: FileBytes, at: int, end: int) -> int | None:
    """Position of the first of three frames that follow each other, or of the only ones."""
    while (following := _after_tag(data, at, end)) != at:
        at = following
    limit = min(at + MAX_LEADING_BYTES, end)
    while at < limit:
        position, frame = at, None
        for _ in range(3):
            following_frame = read_frame(data[position : position + 4])
            if following_frame is None or (
                frame is not None and following_frame.rate != frame.rate
            ):
                break
            frame = following_frame
            position += frame.size
            if position >= end:
                return at
        else:
            return at
        at = data.find(b"\xff", at + 1, limit)
        if at < 0:
            return None
    return None


def _resync(data: FileBytes, at: int, end: int) -> int:
    """Position of the next frame that is followed by another one or by the end; or the end."""
    while (at := data.find(b"\xff", at, end)) >= 0:
        frame = read_frame(data[at : at + 4])
        if frame is not None:
            following = at + frame.size
            if following + 4 > end or read_frame(data[following : following + 4]) is not None:
                return at
        at += 1
    return end


def _after_tag(data: FileBytes, at: int, end: int) -> int:
    """Position after an ID3 or APE tag; the same position if there is no tag."""
    if data[at : at + 3] == b"ID3":
        size = 0
        for value in data[at + 6 : at + 10]:
            size = size << 7 | value & 127
        return min(at + 10 + size, end)
    if data[at : at + 3] == b"TAG":
        return min(at + 128, end)
    if data[at : at + 8] == b"APETAGEX":
        size = int.from_bytes(data[at + 12 : at + 16], "little")
        has_header_flag = int.from_bytes(data[at + 20 : at + 24], "little") >> 29 & 1
        return min(at + 32 + (size if has_header_flag else 0), end)
    return at
