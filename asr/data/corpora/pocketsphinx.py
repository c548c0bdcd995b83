"""Test recordings in the source archive of the Python package pocketsphinx 5.1.1. BSD-like licence.

LibriVox sentences, spoken playing cards and a command; for evaluation only. Its awful.wav, bad.wav,
evil.wav and null.wav are broken on purpose and are left out; numbers.raw and something.raw come
without a transcript.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import soundfile

from asr.data.corpora.common import audio_utterance, expect, read_lines
from asr.data.manifest import Utterance
from asr.errors import ManifestError

RAW = {"goforward": "go forward ten meters"}
"""Headerless 16 kHz, 16-bit recordings whose text the package's own tests give."""


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """`source` is the unpacked archive; headerless recordings are written to `out` as WAV."""
    folders = sorted(p for p in source.rglob("test/data") if p.is_dir())
    if not folders:
        raise ManifestError(
            f"{source}: no test/data; expected pocketsphinx's unpacked source archive"
        )
    found = []
    for speaker, listing in (("librivox", "transcription"), ("cards", "cards.transcription")):
        for line in read_lines(folders[0] / speaker / listing, "transcripts"):
            match = re.fullmatch(r"(.*)\(([^)]*)\)\s*", line)
            if match is None:
                skipped.append(f"{folders[0] / speaker / listing}: not understood: {line}")
                continue
            text = re.sub(r"</?s>", "", match[1])
            path = folders[0] / speaker / f"{match[2]}.wav"
            found.append(audio_utterance(path, text, speaker, skipped))
    for name, text in RAW.items():
        raw = expect(folders[0] / f"{name}.raw", "a headerless recording")
        path = out / f"{name}.wav"
        out.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.fromfile(raw, "<i2"), 16_000, subtype="PCM_16")
        found.append(audio_utterance(path, text, name, skipped))
    return {"test": [utterance for utterance in found if utterance]}
