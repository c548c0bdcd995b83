"""Audio with a header on a pipe has the samples of its file, as they arrive."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import zoo

from asr.audio.mono import MonoStream
from asr.audio.reading import read_audio
from asr.audio.signatures import is_audio_stream
from asr.audio.streamed import PeekableStream, open_stream
from asr.errors import AudioError

RATE = zoo.RATE


class Pipe(io.RawIOBase):
    """Bytes that arrive in small pieces.

    Args:
        data: the bytes.
        waits: bytes that arrive before the reader has to wait; a read behind them fails.
    """

    def __init__(self, data: bytes, waits: int | None = None) -> None:
        self._data, self._waits, self.taken = io.BytesIO(data), waits, 0

    def read(self, count: int = -1) -> bytes:
        assert self._waits is None or self.taken < self._waits, "the reader waits for more"
        data = self._data.read(min(count, 999))
        self.taken += len(data)
        return data


def decoded(data: bytes) -> tuple[np.ndarray, int, list[str]]:
    """Mono samples, sample rate and warnings of a stream."""
    warnings: list[str] = []
    audio = open_stream(PeekableStream(Pipe(data)), "-", warnings.append)  # type: ignore[arg-type]
    assert audio is not None
    mono = MonoStream(audio.sample_rate, audio.sample_rate)
    pieces = [mono.feed(block) for block in audio.blocks]
    return np.concatenate([*pieces, mono.finish()]), audio.sample_rate, warnings


def sized(data: bytes, size: int) -> bytes:
    """A WAV file whose header states another length of the samples, in bytes."""
    at = data.index(b"data") + 4
    return data[:at] + struct.pack("<I", size) + data[at + 4 :]


@pytest.mark.parametrize(
    ("format", "subtype", "endian"),
    [
        *(("WAV", s, "FILE") for s in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
        ("WAV", "ULAW", "FILE"),
        ("WAV", "ALAW", "FILE"),
        ("WAV", "PCM_16", "BIG"),
        ("WAV", "PCM_24", "BIG"),
        ("WAV", "FLOAT", "BIG"),
        ("WAVEX", "PCM_24", "FILE"),
        ("RF64", "PCM_16", "FILE"),
        ("WAV", "MS_ADPCM", "FILE"),
        ("AU", "PCM_16", "FILE"),
        ("AIFF", "PCM_24", "FILE"),
        ("FLAC", "PCM_16", "FILE"),
        ("NIST", "PCM_16", "FILE"),
        ("W64", "FLOAT", "FILE"),
    ],
)
def test_samples_are_those_of_the_file(
    tmp_path: Path, format: str, subtype: str, endian: str
) -> None:
    values = np.stack([zoo.speech(0.3, 8000), 0.5 * zoo.speech(0.3, 8000)], axis=1)
    path = tmp_path / "x"
    soundfile.write(path, values, 8000, format=format, subtype=subtype, endian=endian)
    samples, rate, warnings = decoded(path.read_bytes())
    expected = read_audio(path, 8000)
    assert (rate, warnings) == (8000, [])
    ours = 2e-3 if subtype == "MS_ADPCM" else 1e-6
    np.testing.assert_allclose(samples[: len(expected)], expected, atol=ours)
    assert abs(len(samples) - len(expected)) <= (256 if subtype == "MS_ADPCM" else 0)


@pytest.mark.parametrize("name", ["MP3", "OGG"])
def test_lossy_formats_are_decoded(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "x", zoo.speech(2.0), RATE, format=name)
    samples, rate, _ = decoded((tmp_path / "x").read_bytes())
    assert rate == RATE and len(samples) / rate == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("change", "seconds", "warning"),
    [
        (lambda wav: sized(wav, 0), 1.0, ""),
        (lambda wav: sized(wav, 0xFFFFFFFF), 1.0, ""),
        (lambda wav: sized(wav, 0x7FFFF000), 1.0, ""),
        (lambda wav: sized(wav, 16_000), 1.0, "promises 0.50 s, and more samples follow"),
        (lambda wav: wav[:16_044], 0.5, "promises 1.00 s, the stream has 0.50 s"),
        (lambda wav: wav[:-1], 1.0, ""),
        (lambda wav: wav + b"LIST\4\0\0\0INFO", 1.0, ""),
        (lambda wav: wav + b"TAG" + bytes(125), 1.0, ""),
        (lambda wav: wav[:12] + b"JUNK\3\0\0\0abc\0" + wav[12:], 1.0, ""),
        (lambda wav: wav + wav, 2.0, ""),
        (lambda wav: wav + b"LIST\4\0\0\0INFO" + wav, 2.0, ""),
    ],
)
def test_lengths_of_the_header_are_no_promises(
    tmp_path: Path, change, seconds: float, warning: str
) -> None:  # type: ignore[no-untyped-def]
    soundfile.write(tmp_path / "x.wav", zoo.speech(), RATE)
    samples, _, warnings = decoded(change((tmp_path / "x.wav").read_bytes()))
    assert len(samples) / RATE == pytest.approx(seconds, abs=1e-3)
    np.testing.assert_allclose(samples[:8000], zoo.speech()[:8000], atol=1e-4)
    assert [warning in message for message in warnings] == ([True] if warning else [])


@pytest.mark.parametrize("format", ["WAV", "MP3", "FLAC", "OGG"])
def test_the_first_samples_come_before_the_last_bytes(tmp_path: Path, format: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 20 * RATE)
    soundfile.write(tmp_path / "x", noise, RATE, format=format)
    pipe = Pipe((tmp_path / "x").read_bytes(), waits=80_000)
    audio = open_stream(PeekableStream(pipe), "-", print)  # type: ignore[arg-type]
    assert audio is not None and len(next(audio.blocks)) > 0


def test_raw_samples_are_no_header(tmp_path: Path) -> None:
    """Raw samples that begin like a frame of MP3, AAC or AC-3 have no second frame."""
    rng = np.random.default_rng(0)
    for start in (b"\xff\xfb\x90\x00", b"\xff\xf1\x50\x80", b"\xff\xf9\x50\x80", b"\0\0\0\0", b""):
        raw = start + rng.integers(-3000, 3000, 4000).astype("<i2").tobytes()
        stream = PeekableStream(Pipe(raw))  # type: ignore[arg-type]
        assert open_stream(stream, "-", print) is None
        assert stream.take(len(raw)) == raw
    for name, codec in (("x.mp3", "libmp3lame"), ("x.aac", "aac"), ("x.ac3", "ac3")):
        format = "adts" if name == "x.aac" else None
        path = zoo.encode(tmp_path / name, zoo.speech(0.5, 48_000), 48_000, codec, format)
        assert is_audio_stream(PeekableStream(io.BytesIO(path.read_bytes())).peek)


def test_what_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", zoo.speech(), RATE)
    wav = (tmp_path / "x.wav").read_bytes()
    soundfile.write(tmp_path / "y.wav", zoo.speech(1.0, 8000), 8000)
    noise = np.random.default_rng(0).normal(0, 0.1, 6 * 44_100)  # more than FFmpeg keeps
    m4a = zoo.encode(tmp_path / "x.m4a", noise, 44_100, "aac").read_bytes()
    for data, message in (
        (wav[:20], r"-: the WAV header is cut off"),
        (wav[:12] + b"JUNK\xff\xff\xff\x7f" + wav[36:], r"-: the WAV header is damaged at byte 12"),
        (wav[:12] + wav[36:], r"-: .*no format before the samples"),
        (m4a, r"-: .*asr transcribe -, or convert it: ffmpeg .* \| asr listen"),
        (wav + (tmp_path / "y.wav").read_bytes(), "-: a second recording of another format"),
    ):
        with pytest.raises(AudioError, match=message):
            decoded(data)
