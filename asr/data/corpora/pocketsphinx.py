"""Test recordings in the source archive of the Python package pocketsphinx 5.1.1. BSD-like licence.

LibriVox sentences, names of playing cards and a command, for evaluation only. Left out are
awful.wav, bad.wav, evil.wav and null.wav, which are damaged on purpose, and numbers.raw and
something.raw, which have no transcript.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from asr.audio.writing import write_audio
from asr.data.corpora.common import audio_utterance, expect, read_lines
from asr.data.manifest import Utterance
from asr.errors import ManifestError

RAW = {"goforward": "go forward ten meters"}
"""Recordings without header (16 kHz, 16 bits) and their texts, from the package's own tests."""


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Read the unpacked archive. Recordings without header are copied to `out` as WAV files."""
    folders = sorted(p for p in source.rglob("test/data") if p.is_dir())
    if not folders:
        raise ManifestError(
            f"{source}: no test/data; expected the unpacked source archive of pocketsphinx"
        )
    found = []
    for speaker, listing in (("librivox", "transcription"), ("cards", "cards.transcription")):
        for line in read_lines(folders[0] / speaker / listing, "transcripts"):
            match = re.fullmatch(r"(.*)\(([^)]*)\)\s*", line)
            if match is None:
                skipped.append(f"{folders[0] / speaker / listing}: invalid line: {line}")
                continue
            text = re.sub(r"</?s>", "", match[1])
            path = folders[0] / speaker / f"{match[2]}.wav"
            found.append(audio_utterance(path, text, speaker, skipped))
    for name, text in RAW.items():
        raw = expect(folders[0] / f"{name}.raw", "a headerless recording")
        path = out / f"{name}.wav"
        write_audio(path, np.fromfile(raw, "<i2"), 16_000, "PCM_16")
        found.append(audio_utterance(path, text, name, skipped))
    return {"test": [utterance for utterance in found if utterance]}
