"""What a command reads from stdin: one recording, or a list of names of recordings."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from asr.audio.signatures import HEAD_BYTES, is_audio
from asr.audio.streamed import READ_BYTES, PeekableStream
from asr.data.in_memory import TemporaryRecording, no_space
from asr.errors import AudioError

NAME = "-"
"""Name of stdin in arguments, messages and results."""
LONGEST_NAME = 4096
"""Bytes of a path at most, on Linux."""


def recording_or_names() -> TemporaryRecording | list[str]:
    """Read stdin to its end.

    Returns:
        The recording, if stdin is an audio file. It is stored until the process ends. Otherwise the
        names in a list with one name per line, or with names that end in NUL, as from
        `find -print0`.

    Raises:
        AudioError: stdin is empty, is neither of the two, or cannot be stored.
    """
    stream = sys.stdin.buffer
    head = stream.read(HEAD_BYTES)
    if is_audio(head):
        return store(stream, head)
    listed = head + stream.read()
    if not listed:
        raise AudioError(f"{NAME}: stdin is empty; pipe an audio file or a list of files into it")
    # File names may hold any bytes but NUL, so decode them as the file system does.
    text = os.fsdecode(listed)
    names = [name.removesuffix("\r") for name in text.split("\0" if "\0" in text else "\n")]
    names = [name for name in names if name.strip()]
    if not names:
        raise AudioError(f"{NAME}: no file names on stdin")
    if not any(map(_exists, names)) and any(map(_is_no_name, names)):
        raise AudioError(
            f"{NAME}: stdin is neither a list of files nor audio of a known format; raw samples "
            "have no format: use asr listen with --rate and --encoding"
        )
    return names


def store(stream: BinaryIO | PeekableStream, head: bytes = b"") -> TemporaryRecording:
    """Store a recording until the process ends.

    Args:
        stream: the bytes of its file.
        head: bytes before them; default: none.

    Raises:
        AudioError: the disk is full.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="asr-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = folder / "recording"
        with path.open("wb") as file:
            file.write(head)
            while data := stream.read(READ_BYTES):
                file.write(data)
    except OSError as error:
        raise no_space(NAME, tempfile.gettempdir(), error) from None
    return TemporaryRecording(path, NAME)


def _exists(name: str) -> bool:
    try:
        return os.path.lexists(name)
    except ValueError:
        return False


def _is_no_name(name: str) -> bool:
    """Whether no list of files has such a name: it is too long, or has control characters."""
    if len(os.fsencode(name)) > LONGEST_NAME:
        return True
    return any(character < " " and character not in "\t\n\r" for character in name)
