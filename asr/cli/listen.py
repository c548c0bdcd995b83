"""`asr listen`: raw samples from a pipe, or a microphone, to text while they come."""

from __future__ import annotations

import json
import queue
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, BinaryIO, TextIO

import numpy as np
from rich.cells import cell_len

from asr.errors import AudioError, ConfigError
from asr.results import Partial
from asr.streaming import Stream

ENCODINGS = {"s16le": "<i2", "f32le": "<f4"}
"""ffmpeg's names of raw formats → numpy's."""
READ = 1 << 16
"""Bytes read at most at once; less where less is there."""
CLEAR_LINE = "\r\x1b[K"


def pcm_blocks(file: BinaryIO, encoding: str, channels: int = 1) -> Iterator[np.ndarray]:
    """Samples [n, channels] as they arrive at `file`, until it ends.

    A read may end within a sample: the next one completes it. If there is none, the piece of a
    sample is left out.

    Raises:
        ConfigError: the encoding is not known, or the channels are less than one.
    """
    if encoding not in ENCODINGS:
        raise ConfigError(f"--encoding {encoding}: not known; one of {', '.join(ENCODINGS)}")
    if channels < 1:
        raise ConfigError(f"--channels must be 1 or more, found {channels}")
    return _pcm_blocks(file, np.dtype(ENCODINGS[encoding]), channels)


def _pcm_blocks(file: BinaryIO, kind: np.dtype, channels: int) -> Iterator[np.ndarray]:
    size, rest = kind.itemsize * channels, b""
    read: Callable[[int], bytes] = getattr(file, "read1", file.read)
    while data := read(READ):
        data = rest + data
        whole = len(data) - len(data) % size
        rest = data[whole:]
        if whole:
            yield np.frombuffer(data[:whole], kind).reshape(-1, channels)


def microphone_blocks() -> tuple[int, Iterator[np.ndarray]]:
    """The sample rate of the default microphone, and its samples [n, 1] as they are recorded.

    Raises:
        AudioError: the library sounddevice, or a microphone, is missing.
    """
    try:
        import sounddevice
    except ImportError:
        raise AudioError(
            "the microphone needs the library sounddevice: pip install 'asr[microphone]'"
        ) from None
    except OSError as error:  # sounddevice is there, the PortAudio that it stands on is not
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
    """Show results until the blocks end or Ctrl-C is pressed; then, or on an error, the last ones.

    Raises:
        AudioError: samples that cannot be used.
    """
    waiting = stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        # Only a wait for samples is broken off: within `feed`, some would be lost.
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
    """Prints results: JSON lines; or text, a line from pause to pause. A terminal's line is
    rewritten by partial results, and ends where the terminal does, too."""
    terminal = out.isatty()
    said = ""  # what the line holds that is final

    def show(result: Partial) -> None:
        nonlocal said
        if as_json:
            values = {"text": result.text, "final": result.final, "pause": result.pause,
                      "start": round(result.start, 3), "end": round(result.end, 3)}  # fmt: skip
            out.write(json.dumps(values, ensure_ascii=False) + "\n")
        elif terminal:
            said = _rewrite(out, said, result)
        elif result.final:
            out.write(" " * bool(said and result.text) + result.text + "\n" * result.pause)
            said = "" if result.pause else said or result.text
        out.flush()

    return show


def _rewrite(out: TextIO, said: str, result: Partial) -> str:
    """Show a result behind what a terminal's line holds; returns what it holds then."""
    width = shutil.get_terminal_size().columns - 1
    line = f"{said} {result.text}".strip()
    if not result.final:
        while cell_len(line) > width:  # the end is what is new
            line = line[1:]
        out.write(CLEAR_LINE + line)
        return said
    if said and cell_len(line) > width:
        out.write(f"{CLEAR_LINE}{said}\n")
        line = result.text
    ends = result.pause or cell_len(line) > width
    out.write(CLEAR_LINE + line + "\n" * ends)
    return "" if ends else line
