"""Live transcription for `asr listen`: audio from a pipe or a microphone, results to stdout."""

from __future__ import annotations

import codecs
import json
import os
import queue
import shutil
import signal
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import FrameType
from typing import Any, BinaryIO, NamedTuple, TextIO

import numpy as np
from rich.cells import cell_len

from asr.audio.reading import CONTENTS, probe, python_warning, read_blocks
from asr.audio.signatures import HEAD_BYTES, is_audio_stream
from asr.audio.streamed import READ_BYTES, PeekableStream, open_stream
from asr.base.extras import install_extra
from asr.data.in_memory import TemporaryRecording
from asr.data.standard_input import NAME, store
from asr.errors import AudioError, ConfigError
from asr.results import Partial
from asr.streaming import Stream

ENCODINGS = {"s16le": "<i2", "f32le": "<f4"}
"""Sample formats: names as in ffmpeg, and the types of NumPy."""
RAW_RATE = 16_000
"""Default sample rate of raw audio, in Hz."""
CLEAR_LINE = "\r\x1b[K"
"""Terminal codes: go to the start of the line and clear it."""


class LiveAudio(NamedTuple):
    """Audio as it arrives.

    Attributes:
        sample_rate: Hz.
        blocks: samples [n, channels].
    """

    sample_rate: int
    blocks: Iterator[np.ndarray]


def piped_audio(
    file: BinaryIO, rate: int = RAW_RATE, encoding: str = "s16le", channels: int = 1
) -> LiveAudio:
    """Read audio from stdin: with a header, as a WAV or MP3 file has it, or raw.

    Audio with a header is decoded while it arrives. A file, as of `asr listen < call.wav`, is read
    as `asr transcribe` reads it.

    Args:
        file: stdin.
        rate: sample rate of raw audio in Hz; default: 16,000.
        encoding: sample format of raw audio, a key of `ENCODINGS`; default: "s16le".
        channels: number of channels of raw audio; default: 1.

    Raises:
        ConfigError: see `pcm_blocks`.
        AudioError: stdin is empty or no audio, or its format cannot be decoded while it arrives.
    """
    stream = PeekableStream(file)
    raw = pcm_blocks(stream, encoding, channels)
    _check_contents(stream.peek(HEAD_BYTES))
    if _is_file(file) and is_audio_stream(stream.peek):
        stored = store(stream)
        with stored.named():
            info = probe(stored.path)
        found, found_channels = info.sample_rate, info.channels
        blocks = _stored_blocks(stored, found)
    else:
        audio = open_stream(stream, NAME, python_warning)
        if audio is None:
            return LiveAudio(rate, raw)
        found, found_channels, blocks = audio
    for option, given, default, right in (
        ("--rate", rate, RAW_RATE, found),
        ("--channels", channels, 1, found_channels),
    ):
        if given not in (default, right):
            python_warning(f"{NAME}: {option} {given} is not used: its header says {right}")
    return LiveAudio(found, blocks)


def _stored_blocks(stored: TemporaryRecording, rate: int) -> Iterator[np.ndarray]:
    with stored.named():
        yield from read_blocks(
            stored.path, rate, warn=lambda message: python_warning(stored.with_name(message))
        )


def _is_file(file: BinaryIO) -> bool:
    """Whether stdin is a file, which has all its bytes, and no pipe."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:
        return False


def _check_contents(head: bytes) -> None:
    """Raise an `AudioError` if stdin starts neither like a format of audio nor like raw samples."""
    if not head:
        raise AudioError(f"{NAME}: stdin is empty; pipe audio into it, or give --microphone")
    for start, contents in CONTENTS.items():
        # Raw samples may begin with any two or three bytes.
        if len(start) > 3 and head.lower().startswith(start):
            raise AudioError(f"{NAME}: stdin is no audio: it is {contents}")
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return
    if len(text) > 15 and "".join(text.split()).isprintable():
        raise AudioError(
            f"{NAME}: stdin is text, not audio; transcribe a list of files with asr transcribe -"
        )


def pcm_blocks(
    file: BinaryIO | PeekableStream, encoding: str, channels: int = 1
) -> Iterator[np.ndarray]:
    """Read raw audio until the file ends.

    A read may end within a sample; the next read completes it. An incomplete sample at the end of
    the file is dropped.

    Args:
        file: raw interleaved samples.
        encoding: sample format, a key of `ENCODINGS`.
        channels: number of channels.

    Returns:
        Blocks of samples [n, channels] of the encoding's type, as they arrive.

    Raises:
        ConfigError: the encoding is unknown, or there is less than one channel.
    """
    if encoding not in ENCODINGS:
        raise ConfigError(f"--encoding {encoding}: unknown; choose one of {', '.join(ENCODINGS)}")
    if channels < 1:
        raise ConfigError(f"--channels must be 1 or more, found {channels}")
    return _pcm_blocks(file, np.dtype(ENCODINGS[encoding]), channels)


def _pcm_blocks(
    file: BinaryIO | PeekableStream, dtype: np.dtype, channels: int
) -> Iterator[np.ndarray]:
    frame_bytes, rest = dtype.itemsize * channels, b""
    # `read` would wait for all bytes; a buffered file's `read1` returns the available ones.
    read: Callable[[int], bytes] = getattr(file, "read1", file.read)
    while data := read(READ_BYTES):
        data = rest + data
        complete = len(data) - len(data) % frame_bytes
        rest = data[complete:]
        if complete:
            yield np.frombuffer(data[:complete], dtype).reshape(-1, channels)


def microphone_blocks() -> tuple[int, Iterator[np.ndarray]]:
    """Record from the default microphone.

    Returns:
        The sample rate in Hz, and blocks of float32 samples [n, 1] as they are recorded.

    Raises:
        AudioError: the library sounddevice or a microphone is missing.
    """
    try:
        import sounddevice
    except ImportError:
        raise AudioError(
            f"the microphone needs the library sounddevice: {install_extra('microphone')}"
        ) from None
    except OSError as error:  # sounddevice is installed, but its library PortAudio is not
        raise AudioError(f"the microphone cannot be used: {error}; install PortAudio") from None
    try:
        rate = int(sounddevice.query_devices(kind="input")["default_samplerate"])
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(f"no microphone was found: {error}") from None

    def blocks() -> Iterator[np.ndarray]:
        recorded: queue.Queue[np.ndarray] = queue.Queue()

        def keep(samples: np.ndarray, *_: Any) -> None:
            recorded.put(samples.copy())

        try:
            with sounddevice.InputStream(
                samplerate=rate, channels=1, dtype="float32", callback=keep
            ):
                while True:
                    yield recorded.get()
        except sounddevice.PortAudioError as error:
            raise AudioError(f"the microphone cannot be used: {error}") from None

    return rate, blocks()


def listen(stream: Stream, blocks: Iterable[np.ndarray], show: Callable[[Partial], None]) -> None:
    """Transcribe blocks of samples until they end or Ctrl-C is pressed.

    The results for all samples so far are shown at the end, also after an error.

    Args:
        stream: the recogniser's stream.
        blocks: samples [n, channels] at the stream's sample rate.
        show: called with each result.

    Raises:
        AudioError: samples cannot be used.
    """
    waiting = stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        # Interrupt only the wait for samples: an interrupted `feed` would lose some.
        if waiting:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    source = iter(blocks)
    try:
        while not stopped:
            waiting = True
            samples = next(source, None)
            waiting = False
            if samples is None:
                break
            for result in stream.feed(samples):
                show(result)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGINT, before)
        for result in stream.finish():
            show(result)


def printer(out: TextIO, as_json: bool = False) -> Callable[[Partial], None]:
    """A function that prints the results of a stream.

    As text, each pause of the speaker ends a line. On a terminal, partial results rewrite the
    current line; a line that reaches the width of the terminal ends there.

    Args:
        out: where to print.
        as_json: print one JSON object per result instead of text.
    """
    if as_json:
        return partial(_print_json, out)
    line_printer = _TerminalLine(out) if out.isatty() else _PlainLine(out)
    return line_printer.show


def _print_json(out: TextIO, result: Partial) -> None:
    values = {
        "text": result.text,
        "final": result.final,
        "pause": result.pause,
        "start": round(result.start, 3),
        "end": round(result.end, 3),
    }
    out.write(json.dumps(values, ensure_ascii=False) + "\n")
    out.flush()


class _PlainLine:
    """Prints final results to a file or a pipe."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.begun = False

    def show(self, result: Partial) -> None:
        if result.final:
            space = " " if self.begun and result.text else ""
            self.out.write(space + result.text + ("\n" if result.pause else ""))
            self.begun = not result.pause and (self.begun or bool(result.text))
        self.out.flush()


class _TerminalLine:
    """Prints results to a terminal, and rewrites its last line as partial results change."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.final = ""
        """Final text of the last line."""

    def show(self, result: Partial) -> None:
        width = shutil.get_terminal_size().columns - 1
        line = f"{self.final} {result.text}".strip()
        if not result.final:
            while cell_len(line) > width:  # keep the end, which is new
                line = line[1:]
            self.out.write(CLEAR_LINE + line)
            self.out.flush()
            return
        if self.final and cell_len(line) > width:
            self.out.write(f"{CLEAR_LINE}{self.final}\n")
            line = result.text
        ends = result.pause or cell_len(line) > width
        self.out.write(CLEAR_LINE + line + ("\n" if ends else ""))
        self.out.flush()
        self.final = "" if ends else line
