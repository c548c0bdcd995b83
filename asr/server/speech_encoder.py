"""`SpeechEncoder`: speech in the formats of OpenAI's audio API, encoded while it is spoken."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from asr.base.units import Hertz

UNKNOWN_LENGTH = 0xFFFFFFFF
"""Length in the header of a WAV file that is written before its end is known."""


@dataclass(frozen=True)
class SpeechFormat:
    """A format of speech.

    Attributes:
        media_type: its MIME type.
        container: FFmpeg's name of the container; "" for plain samples.
        codec: FFmpeg's name of the codec; "" for plain samples.
        sample_rate: the only sample rate in Hz; None for the voice's.
    """

    media_type: str
    container: str = ""
    codec: str = ""
    sample_rate: Hertz | None = None


SPEECH_FORMATS = {
    "mp3": SpeechFormat("audio/mpeg", "mp3", "libmp3lame"),
    "opus": SpeechFormat("audio/ogg", "ogg", "libopus", 24_000),
    "aac": SpeechFormat("audio/aac", "adts", "aac"),
    "flac": SpeechFormat("audio/flac", "flac", "flac"),
    "wav": SpeechFormat("audio/wav"),
    "pcm": SpeechFormat("audio/pcm", sample_rate=24_000),  # without a header, so its rate is fixed
}
"""Values of `response_format` → formats. WAV and PCM have 16 bits."""

CONTAINER_OPTIONS = {
    "mp3": {"write_xing": "0"},  # this header is completed at the end, by going back to the start
    "opus": {"page_duration": "200000"},  # µs; pages of the default, 1 s, would delay the speech
}


class SpeechEncoder:
    """Encodes samples piece by piece.

    Args:
        name: a key of `SPEECH_FORMATS`.
        sample_rate: rate of the samples in Hz.
    """

    def __init__(self, name: str, sample_rate: Hertz) -> None:
        import av  # here, because the server process imports this module for the list of formats

        self._av, self._rate = av, sample_rate
        self._format = SPEECH_FORMATS[name]
        rate = self._format.sample_rate or sample_rate
        self._out = _Bytes()
        self._container: Any = None
        if not self._format.codec:
            self._resampler = av.AudioResampler("s16", "mono", rate)
            if name == "wav":
                self._out.write(_wav_header(rate))
            return
        self._container = av.open(
            self._out, "w", format=self._format.container, options=CONTAINER_OPTIONS.get(name, {})
        )
        self._stream: Any = self._container.add_stream(self._format.codec, rate=rate, layout="mono")
        context = self._stream.codec_context
        context.open(strict=False)
        self._resampler = av.AudioResampler(
            context.format, "mono", rate, context.frame_size or None
        )

    def encode(self, samples: np.ndarray) -> bytes:
        """Encode samples, float32 [n] in −1…1, and return the bytes that are complete."""
        clipped = np.clip(samples, -1.0, 1.0).astype(np.float32)[None]
        frame = self._av.AudioFrame.from_ndarray(np.ascontiguousarray(clipped), "flt", "mono")
        frame.sample_rate = self._rate
        self._write(frame)
        return self._out.take()

    def finish(self) -> bytes:
        """The last bytes."""
        self._write(None)
        if self._container is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        return self._out.take()

    def _write(self, frame: Any) -> None:
        for resampled in self._resampler.resample(frame):
            if self._container is None:
                self._out.write(resampled.to_ndarray().astype("<i2").tobytes())
            else:
                self._container.mux(self._stream.encode(resampled))


class _Bytes:
    """A file that cannot seek, for FFmpeg to write to."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """What was written since the last call."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def _wav_header(rate: Hertz) -> bytes:
    """The header of a mono WAV file of 16 bits whose length is not known yet."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", UNKNOWN_LENGTH, b"WAVE")
        + form
        + struct.pack("<4sI", b"data", UNKNOWN_LENGTH)
    )
