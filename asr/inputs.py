"""Recordings as they are asked for: what arguments name, and what headers say of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from asr.audio import find_audio, probe
from asr.errors import AsrError, AudioError
from asr.manifest import Utterance, read_manifest
from asr.results import Failure

Recording = str | Path | Utterance


def gather(paths: Iterable[str]) -> tuple[list[Recording], list[Failure]]:
    """What the arguments of `asr transcribe` name: files, folders, globs, manifests, - for stdin.

    A list on stdin has a name a line, or names that end in NUL, as `find -print0` writes them.
    What names nothing is a `Failure`, so that it cannot stop the others.
    """
    found: list[Recording] = []
    failures: list[Failure] = []
    for item in paths:
        try:
            if item == "-":
                # Names are bytes and may hold all but NUL: no decoding that could refuse them.
                listed = os.fsdecode(sys.stdin.buffer.read())
                names = listed.split("\0" if "\0" in listed else "\n")
                found += [name for name in (n.removesuffix("\r") for n in names) if name.strip()]
            elif item.endswith(".jsonl"):
                found += read_manifest(Path(item))
            elif Path(item).is_file():
                found.append(item)
            else:
                found += find_audio([item])
        except AsrError as error:
            failures.append(Failure(item, str(error)))
    return found, failures


def file_of(recording: Recording) -> Path:
    """The file that holds a recording or its features."""
    return recording.path if isinstance(recording, Utterance) else Path(recording)


def measure(recording: Recording) -> tuple[float, int]:
    """Seconds and channels, by the header; what cannot be read will say so in its turn."""
    if isinstance(recording, Utterance) and recording.audio_filepath is None:
        return recording.duration, 1
    try:
        info = probe(file_of(recording))
    except AudioError:
        return 0.0, 1
    return info.duration, info.channels
