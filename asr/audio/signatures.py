"""Recognising audio files by their first bytes."""

from __future__ import annotations

from collections.abc import Callable

from asr.audio.containers.mpeg import read_frame

HEAD_BYTES = 64
"""Bytes that `is_audio` needs from the start of a file."""
AAC = (b"\xff\xf1", b"\xff\xf9")
"""First bytes of AAC in ADTS frames."""
AC3 = b"\x0b\x77"
SIGNATURES = (
    (b"RIFF", 8, b"WAVE"),
    (b"RIFX", 8, b"WAVE"),
    (b"RF64", 8, b"WAVE"),
    (b"BW64", 8, b"WAVE"),
    (b"RIFF", 8, b"AVI "),
    (b"riff\x2e\x91\xcf\x11", 24, b"wave"),  # W64
    (b"FORM", 8, b"AIF"),
    (b".snd\0\0", 0, b""),
    (b"dns.", 5, b"\0\0\0"),  # AU, little endian
    (b"caff\0\x01", 0, b""),
    (b"NIST_1A\n", 0, b""),
    (b"fLaC\0", 0, b""),
    (b"fLaC\x80", 0, b""),
    (b"OggS\0", 0, b""),
    (b"ID3", 3, b"\x02"),
    (b"ID3", 3, b"\x03"),
    (b"ID3", 3, b"\x04"),
    (b"#!AMR\n", 0, b""),
    (b"#!AMR-WB\n", 0, b""),
    (b"\x1a\x45\xdf\xa3", 0, b""),  # Matroska and WebM
    (b"", 4, b"ftyp"),  # MP4, M4A, 3GP, QuickTime
    (b"", 4, b"moov"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, b""),  # ASF: WMA and WMV
    (AC3, 0, b""),
    (b"ADIF", 0, b""),
    (b"FLV\x01", 0, b""),
    (b"MAC ", 5, b"\0\0"),
    (b"wvpk", 10, b"\x04"),
    (b"TTA1\x01", 0, b""),
    *((start, 0, b"") for start in AAC),
)
"""Formats as (first bytes, position of other bytes, these bytes)."""


def is_audio(head: bytes) -> bool:
    """Whether a file that starts with `head` is audio or video, whether it can be decoded or not.

    No list of file names is taken for audio: a signature is longer than letters that a name may
    start with, or has bytes that no name holds.

    >>> is_audio(b"RIFF\\x24\\x00\\x00\\x00WAVEfmt "), is_audio(b"RIFF.wav\\nWAVE.wav\\n")
    (True, False)

    Args:
        head: the first `HEAD_BYTES` bytes, or the whole file if it is shorter.
    """
    if any(
        head.startswith(start) and head[at : at + len(other)] == other
        for start, at, other in SIGNATURES
    ):
        return True
    # A list in UTF-16 starts with FF FE, which could be a frame of layer 1, which nobody uses.
    frame = read_frame(head[:4])
    return frame is not None and frame.layer > 1


def is_audio_stream(peek: Callable[[int], bytes]) -> bool:
    """Whether a stream starts with the header of an audio or video format, not with raw samples.

    Frames of MP3, AAC and AC-3 begin with so few bits that raw samples have them now and then. A
    second frame must follow them.

    Args:
        peek: returns the next bytes of the stream, as many as it is asked for; fewer only at the
            end of the stream.
    """
    head = peek(HEAD_BYTES)
    if not is_audio(head):
        return False
    if head[:2] in AAC:
        size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        return size > 6 and peek(size + 2)[size:] in (head[:2], b"")
    if head[:2] == AC3:
        return head[4] >> 6 != 3 and head[4] & 63 < 38 and head[5] >> 3 <= 16
    if (frame := read_frame(head[:4])) is None:
        return True
    following = peek(frame.size + 4)[frame.size :]
    second = read_frame(following)
    same = second is not None and (second.rate, second.layer) == (frame.rate, frame.layer)
    return same or following == b""
