"""Decoding one part of an audio file with libsndfile or with FFmpeg.

libsndfile reads WAV, FLAC, Ogg, AIFF, AU and MP3s whose header is right. FFmpeg, in the wheel of
PyAV, reads all other formats, and MP3s without length. PyAV is imported when a file needs it,
because the import takes longer than reading a short file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np
import soundfile

from asr.audio.containers.part import CODEC_TOLERANCE, Part, PartFile
from asr.base.units import Hertz, Samples
from asr.errors import AudioError

UNREADABLE = (soundfile.SoundFileError, OSError, TypeError, ValueError)
"""Errors of soundfile. The last two are for formats without a header, such as .raw and .gsm."""
BLOCK: Samples = 65_536
"""Samples per channel that are read at once."""
DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,eac3,flac,flv,gsm,loas,matroska,webm,"
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpc,mpc8,mpeg,mpegts,mpegvideo,nistsphere,ogg,rm,"
    "sox,tta,voc,w64,wav,wv"
)
"""Formats that FFmpeg may detect. Playlists, which name other files or addresses, are not among
them."""
RAW_STREAMS = frozenset({"aac", "ac3", "amr", "amrnb", "amrwb", "dts", "eac3", "loas", "mp3"})
"""Formats without a header that has the length: FFmpeg estimates it from the bit rate."""


class DecodedBlock(NamedTuple):
    """Decoded samples.

    Attributes:
        sample_rate: Hz.
        samples: floats or integers [n, channels].
    """

    sample_rate: Hertz
    samples: np.ndarray


class PartDecoder(Protocol):
    """Decodes a part.

    Attributes:
        sample_rate: Hz, according to the header.
        channels: number of channels, according to the header.
        subtype: encoding of the samples.
        promised: samples per channel according to the header, or None.
        exact: whether `promised` is right, unless the file is damaged.
        tolerance: largest normal difference between `promised` and the decoded samples.
        notices: messages about damage, complete once `pieces` is exhausted.
    """

    sample_rate: Hertz
    channels: int
    subtype: str
    promised: Samples | None
    exact: bool
    tolerance: Samples
    notices: list[str]

    def pieces(self) -> Iterator[DecodedBlock]: ...

    def close(self) -> None: ...


def open_part(path: Path, part: Part) -> PartDecoder:
    """Open a part with the decoder that it names, or else with the other one.

    Raises:
        AudioError: no decoder can open the part; the message has no file name.
    """
    reason = ""
    if part.decoder != "ffmpeg":
        try:
            return SndfileDecoder(path, part)
        except UNREADABLE as error:
            reason = getattr(error, "error_string", None) or str(error)
    try:
        return FfmpegDecoder(part_file(path, part), part)
    except AudioError as error:
        if part.cut:
            raise AudioError(f"cut off, and the missing end is needed ({error})") from None
        raise AudioError(reason.strip().rstrip(".") or str(error)) from None


def part_file(path: Path, part: Part) -> PartFile:
    """The bytes of a part of a file."""
    return PartFile(path, part.spans or [(part.start, part.end)])


class SndfileDecoder:
    """Decodes a part with libsndfile; after an error it goes on with FFmpeg.

    Args:
        path: the file.
        part: the part.

    Raises:
        soundfile.SoundFileError, OSError, TypeError, ValueError: libsndfile cannot open the part.
    """

    def __init__(self, path: Path, part: Part) -> None:
        self._path, self._part = path, part
        self._file = self._open()
        self.sample_rate, self.channels = self._file.samplerate, self._file.channels
        self.subtype = self._file.subtype
        self.promised = self._file.frames if part.promised is None else part.promised
        if part.decoder == "raw" and part.promised is None:
            self.promised = None
        self.exact = part.tolerance != CODEC_TOLERANCE
        self.tolerance, self.notices = part.tolerance, list[str]()

    def _open(self) -> soundfile.SoundFile:
        path, part = self._path, self._part
        if part.start == 0 and part.end == path.stat().st_size:
            file = soundfile.SoundFile(os.fsencode(path))
        else:
            file = soundfile.SoundFile(PartFile(path, [(part.start, part.end)]))
        layout = part.layout
        if part.decoder != "raw" or layout is None or file.frames == part.frames:
            return file
        if file.subtype in soundfile.available_subtypes("RAW"):
            return soundfile.SoundFile(
                PartFile(path, [(layout.start, layout.end)]),
                samplerate=file.samplerate,
                channels=file.channels,
                format="RAW",
                subtype=file.subtype,
                endian="BIG" if layout.order == "big" and file.endian != "LITTLE" else "LITTLE",
            )
        length = min(layout.end - layout.start, 0xFFFFFFFF).to_bytes(4, layout.order)
        patch = (layout.length_at - part.start, length)
        return soundfile.SoundFile(PartFile(path, [(part.start, part.end)], patch))

    @property
    def frames(self) -> Samples:
        """Samples per channel that libsndfile expects."""
        return self._file.frames

    def pieces(self) -> Iterator[DecodedBlock]:
        count = 0
        while True:
            try:
                samples = self._file.read(BLOCK, dtype="float32", always_2d=True)
            except UNREADABLE as error:
                yield from self._rest(count, error)
                return
            if not len(samples):
                return
            count += len(samples)
            yield DecodedBlock(self.sample_rate, samples)

    def _rest(self, count: Samples, error: Exception) -> Iterator[DecodedBlock]:
        """Samples after the first `count`, decoded by FFmpeg."""
        try:
            decoder = FfmpegDecoder(part_file(self._path, self._part), self._part)
        except AudioError:
            raise AudioError(str(error)) from None
        try:
            for rate, samples in decoder.pieces():
                skipped = min(count, len(samples))
                count -= skipped
                if skipped < len(samples):
                    yield DecodedBlock(rate, samples[skipped:])
        finally:
            self.notices += decoder.notices
            decoder.close()

    def close(self) -> None:
        self._file.close()


class FfmpegDecoder:
    """Decodes the audio track of a part with FFmpeg. Damaged packets are skipped.

    Args:
        file: the bytes of the part, see `part_file`, or a stream that cannot seek. The decoder
            closes it.
        part: the part.
        options: options of FFmpeg's demuxer; default: none.

    Raises:
        AudioError: FFmpeg does not know the format, finds no audio track, or PyAV is missing; the
            message has no file name.
    """

    def __init__(self, file: Any, part: Part, options: Mapping[str, str] | None = None) -> None:
        self._av = _import_av()
        self._file = file
        # Access to other files and addresses, which some formats can name, stays closed.
        closed = {"format_whitelist": DEMUXERS, "protocol_whitelist": "pipe"}
        try:
            self._container: Any = self._av.open(
                self._file,
                format=part.format,
                options={**(options or {}), **closed},
                metadata_errors="replace",
            )
        except (self._av.FFmpegError, ValueError) as error:
            self._file.close()
            raise AudioError(getattr(error, "strerror", None) or str(error)) from None
        streams = self._container.streams.audio
        if not streams:
            self.close()
            raise AudioError("no audio track")
        self._stream: Any = self._container.streams.best("audio") or streams[0]
        context = self._stream.codec_context
        if context is None:
            self.close()
            raise AudioError("the codec of the audio track is unknown")
        if not context.sample_rate or not context.channels:
            self.close()
            raise AudioError("the audio track is damaged")
        self.sample_rate, self.channels = context.sample_rate, context.channels
        self.subtype = context.name
        self.promised = part.promised
        if self.promised is None and part.format is None and not part.cut:
            self.promised = self._promise()
        self.exact, self._frames = False, part.frames
        self.tolerance = part.tolerance if part.format == "flac" else CODEC_TOLERANCE
        self.notices = list[str]()
        if len(streams) > 1:
            number = [stream.index for stream in streams].index(self._stream.index) + 1
            self.notices.append(f"{len(streams)} audio tracks; only track {number} is read")

    def _promise(self) -> Samples | None:
        """Samples according to the container; None if it has no length."""
        if self._container.format.name in RAW_STREAMS:
            return None
        stream = self._stream
        if stream.duration is not None:
            return round(stream.duration * stream.time_base * self.sample_rate)
        if self._container.duration is None or len(self._container.streams) > 1:
            return None
        return round(self._container.duration * self.sample_rate / 1_000_000)

    def pieces(self) -> Iterator[DecodedBlock]:
        errors = self._av.FFmpegError
        count, damaged, last_damaged = 0, 0, False
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except errors:
                self.notices.append("damaged: the end cannot be read")
                packet = None
            if packet is None:
                break
            try:
                frames = packet.decode()
            except self._av.EOFError:
                continue
            except errors:
                damaged, last_damaged = damaged + 1, True
                continue
            # Packets without data flush the decoder at the end.
            last_damaged = last_damaged and not packet.size
            for frame in frames:
                count += frame.samples
                yield DecodedBlock(frame.sample_rate, _samples(frame))
        # If only the last packet is damaged, the file was cut, and its header tells that. A packet
        # of MP3 may hold a tag instead of samples, so that nothing is lost.
        harmless = int(last_damaged and self.promised is not None)
        complete = self._frames is not None and count >= self._frames - self.tolerance
        if damaged > harmless and not complete:
            plural = "" if damaged == 1 else "s"
            self.notices.append(f"damaged: {damaged} packet{plural} cannot be decoded")

    def close(self) -> None:
        self._container.close()
        self._file.close()


def _samples(frame: Any) -> np.ndarray:
    """The samples of a frame of PyAV: [n, channels]."""
    try:
        array = frame.to_ndarray()
    except ValueError:  # NumPy's conversion lacks a format, such as 64-bit integers
        raise AudioError(f"samples of the format {frame.format.name} cannot be read") from None
    if frame.format.is_planar:
        return array.T
    return array.reshape(-1, frame.layout.nb_channels)


def _import_av() -> ModuleType:
    try:
        import av
    except ImportError:
        raise AudioError("this format needs PyAV: pip install av") from None
    av.logging.set_level(None)
    return av
