"""Audio with a header that arrives on a pipe, decoded while it arrives.

The file of a recording can be searched for its end, and a pipe cannot. So this module reads WAV by
itself, whatever length its header states, and leaves all other formats to FFmpeg.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import BinaryIO, NamedTuple

import numpy as np

from asr.audio.containers.part import Part
from asr.audio.containers.uncompressed import EXTENSIBLE, KNOWN_CHUNKS, PLACEHOLDERS, TAGS
from asr.audio.decoders import FfmpegDecoder
from asr.audio.signatures import HEAD_BYTES, is_audio_stream
from asr.base.units import Hertz, Seconds
from asr.errors import AudioError

READ_BYTES = 1 << 16
"""Upper limit of one read; a read returns as soon as any bytes are available."""
WAVES = (b"RIFF", b"RIFX", b"RF64", b"BW64")
"""First bytes of WAV files."""
MAX_CHUNK = 1 << 24
"""A larger chunk before the samples means a damaged header."""
LENGTH_TOLERANCE: Seconds = 0.01
"""A stream that ends this much earlier than its header says is complete."""
INTEGER, FLOAT, A_LAW, MU_LAW = 1, 3, 6, 7
"""Format tags of WAV."""
FFMPEG_OPTIONS = {"probesize": "65536", "analyzeduration": "500000"}
"""Limits of what FFmpeg reads before it decodes, in bytes and µs, so that results come soon."""


class StreamedAudio(NamedTuple):
    """Audio that is decoded while it arrives.

    Attributes:
        sample_rate: Hz.
        channels: number of channels.
        blocks: samples [n, channels], floats in −1…1 or integers.
    """

    sample_rate: Hertz
    channels: int
    blocks: Iterator[np.ndarray]


class PeekableStream:
    """A binary stream whose next bytes can be seen without being taken.

    Args:
        file: the stream, such as `sys.stdin.buffer`.
    """

    def __init__(self, file: BinaryIO) -> None:
        # `read` would wait for all bytes; a buffered file's `read1` returns the available ones.
        self._read: Callable[[int], bytes] = getattr(file, "read1", file.read)
        self._held = b""

    def peek(self, count: int) -> bytes:
        """The next `count` bytes; fewer only at the end of the stream."""
        while len(self._held) < count and (data := self._read(READ_BYTES)):
            self._held += data
        return self._held[:count]

    def read(self, count: int) -> bytes:
        """Take the bytes that are there, at least one and at most `count`; none at the end."""
        if not self._held:
            return self._read(count)
        data, self._held = self._held[:count], self._held[count:]
        return data

    def take(self, count: int) -> bytes:
        """Take `count` bytes; fewer only at the end of the stream."""
        data = self.peek(count)
        self._held = self._held[count:]
        return data

    def close(self) -> None:
        """Do nothing: the stream belongs to the caller. Decoders close what they read."""


def open_stream(
    stream: PeekableStream, name: str, warn: Callable[[str], object]
) -> StreamedAudio | None:
    """Read the header of a stream, and decode what follows while it arrives.

    Args:
        stream: the stream, at its start.
        name: name of the stream in messages.
        warn: called with each warning, such as a header that states another length than the stream
            has.

    Returns:
        The audio; None if the stream has no header, as raw samples. Then nothing is taken from it.

    Raises:
        AudioError: the header is damaged, or the format cannot be decoded while it arrives.
    """
    if not is_audio_stream(stream.peek):
        return None
    head = stream.peek(HEAD_BYTES)
    if head[:4] in WAVES and head[8:12] == b"WAVE":
        header = _wav_header(stream, name)
        if isinstance(header, _WavHeader):
            return StreamedAudio(header.rate, header.channels, _wav(stream, header, name, warn))
    return _ffmpeg(stream, name, warn)


class _WavHeader(NamedTuple):
    """What the chunks before the samples say.

    Attributes:
        kind: one of `WAVES`.
        encoding: INTEGER, FLOAT, A_LAW or MU_LAW.
        width: bytes of a sample.
        channels: number of channels.
        rate: Hz.
        length: bytes of all samples; None if the header has a placeholder.
    """

    kind: bytes
    encoding: int
    width: int
    channels: int
    rate: Hertz
    length: int | None

    def samples(self, data: bytes) -> np.ndarray:
        """Whole frames of bytes as samples [n, channels]."""
        order = ">" if self.kind == b"RIFX" else "<"
        values: np.ndarray
        if self.encoding == FLOAT:
            values = np.frombuffer(data, f"{order}f{self.width}")
        elif self.encoding in (A_LAW, MU_LAW):
            values = (_a_law if self.encoding == A_LAW else _mu_law)()[np.frombuffer(data, "u1")]
        elif self.width == 3:  # the upper bytes of 32 bits
            wide = np.zeros([len(data) // 3, 4], np.uint8)
            first = 0 if order == ">" else 1
            wide[:, first : first + 3] = np.frombuffer(data, "u1").reshape(-1, 3)
            values = wide.view(f"{order}i4")
        else:
            values = np.frombuffer(data, "u1" if self.width == 1 else f"{order}i{self.width}")
        return values.reshape(-1, self.channels)


def _wav_header(stream: PeekableStream, name: str) -> _WavHeader | None:
    """Take the header of a WAV file, up to its samples; None for an encoding of FFmpeg's.

    Nothing is taken if the result is None.
    """
    at, form, long_length = 12, b"", 0
    kind = stream.peek(4)
    while True:
        head = stream.peek(at + 8)[at:]
        if len(head) < 8:
            raise AudioError(f"{name}: the WAV header is cut off: it has no samples")
        chunk, length = head[:4], _number(head[4:], kind)
        if chunk == b"data":
            break
        if length > MAX_CHUNK:
            raise AudioError(f"{name}: the WAV header is damaged at byte {at}")
        body = stream.peek(at + 8 + length)[at + 8 :]
        if chunk == b"fmt ":
            form = body
        elif chunk == b"ds64":  # lengths beyond 32 bits
            long_length = _number(body[8:16], kind)
        at += 8 + length + length % 2
    if len(form) < 16:
        raise AudioError(f"{name}: the WAV header is damaged: it has no format before the samples")
    encoding, channels, rate, align = (
        _number(form[start:end], kind) for start, end in ((0, 2), (2, 4), (4, 8), (12, 14))
    )
    if encoding == EXTENSIBLE:
        encoding = _number(form[24:26], kind)
    width = align // channels if channels else 0
    widths = {INTEGER: (1, 2, 3, 4), FLOAT: (4, 8), A_LAW: (1,), MU_LAW: (1,)}
    if width not in widths.get(encoding, ()) or align != width * channels:
        return None
    stream.take(at + 8)
    if long_length:
        length = long_length
    unknown = length == 0 or any(length in lengths for lengths in PLACEHOLDERS)
    return _WavHeader(kind, encoding, width, channels, rate, None if unknown else length)


def _wav(
    stream: PeekableStream, header: _WavHeader, name: str, warn: Callable[[str], object]
) -> Iterator[np.ndarray]:
    """The samples of a WAV stream, and of others that follow it."""
    first = header
    while True:
        frame, count, rest = header.width * header.channels, 0, b""
        left = header.length
        while left is None or left > 0:
            wanted = READ_BYTES if left is None else min(READ_BYTES, left)
            data = stream.read(wanted)
            if not data:
                break
            count += len(data)
            if left is not None:
                left -= len(data)
            data = rest + data
            whole = len(data) - len(data) % frame
            rest = data[whole:]
            if whole:
                yield header.samples(data[:whole])
            if left == 0 and not _ends(stream, header):
                promised = count / frame / header.rate
                warn(
                    f"{name}: wrong length: the header promises {promised:.2f} s, and more samples "
                    "follow; everything that is there is read"
                )
                left = None
        if left and left / frame / header.rate > LENGTH_TOLERANCE:
            promised, found = ((count + n) / frame / header.rate for n in (left, 0))
            warn(
                f"{name}: truncated: the header promises {promised:.2f} s, the stream has "
                f"{found:.2f} s; everything that is there is read"
            )
        if stream.peek(4) not in WAVES:
            return
        following = _wav_header(stream, name)
        if following is None or following.rate != first.rate:
            raise AudioError(
                f"{name}: a second recording of another format follows the first one; transcribe "
                "them one by one, or convert both to the same format"
            )
        header = following


def _ends(stream: PeekableStream, header: _WavHeader) -> bool:
    """Take the chunks after the samples; whether there are no more samples behind them."""
    if header.length is not None and header.length % 2 and stream.peek(1) == b"\0":
        stream.take(1)  # chunks begin at even positions
    while head := stream.peek(12):
        if head[:4] in WAVES and head[8:12] == b"WAVE":
            return True
        if head.startswith(TAGS) or head[:4] in KNOWN_CHUNKS:
            length = _number(head[4:8], header.kind)
            left = (1 << 62) if head.startswith(TAGS) else 8 + length + length % 2
            while left > 0 and (data := stream.read(min(left, READ_BYTES))):
                left -= len(data)
            continue
        return False
    return True


def _number(data: bytes, kind: bytes) -> int:
    return int.from_bytes(data, "big" if kind == b"RIFX" else "little")


def _ffmpeg(stream: PeekableStream, name: str, warn: Callable[[str], object]) -> StreamedAudio:
    remedy = (
        "this format cannot be decoded while it arrives; use asr transcribe -, or convert it: "
        "ffmpeg -i FILE -f s16le -ac 1 -ar 16000 - | asr listen"
    )
    try:
        decoder = FfmpegDecoder(stream, Part(0, 0, decoder="ffmpeg", cut=True), FFMPEG_OPTIONS)
    except AudioError as error:
        raise AudioError(f"{name}: {error}; {remedy}") from None
    rate = decoder.sample_rate

    def blocks() -> Iterator[np.ndarray]:
        count = 0
        with closing(decoder):
            for piece in decoder.pieces():
                count += len(piece.samples)
                if piece.sample_rate != rate:
                    raise AudioError(
                        f"{name}: the sample rate changes from {rate} to {piece.sample_rate} Hz; "
                        "use asr transcribe -"
                    )
                yield piece.samples
        if not count:  # such as M4A with its index behind the samples
            raise AudioError(f"{name}: no samples are found; {remedy}")
        for notice in decoder.notices:
            warn(f"{name}: {notice}")

    return StreamedAudio(rate, decoder.channels, blocks())


def _mu_law() -> np.ndarray:
    """The sample of each byte of µ-law, int16 [256]."""
    code = ~np.arange(256) & 0xFF
    size = ((((code & 15) << 3) + 0x84) << (code >> 4 & 7)) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.int16)


def _a_law() -> np.ndarray:
    """The sample of each byte of A-law, int16 [256]."""
    code = np.arange(256) ^ 0x55
    exponent, fraction = code >> 4 & 7, (code & 15) << 4
    size = np.where(exponent == 0, fraction + 8, (fraction + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int16)
