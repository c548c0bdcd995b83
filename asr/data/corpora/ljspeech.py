"""LJ Speech 1.1: one US woman reads non-fiction, 22.05 kHz WAV. Public domain."""

from __future__ import annotations

from pathlib import Path

from asr.data.corpora.common import audio_utterance, read_lines, split_by_position
from asr.data.manifest import Utterance


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """`source` holds metadata.csv and wavs/; split 90/5/5 by line."""
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    lines = read_lines(source / "metadata.csv", "LJ Speech's list")
    for number, line in enumerate(lines):
        name, *texts = line.split("|")
        text = texts[-1] if texts else ""
        path = source / "wavs" / f"{name}.wav"
        if utterance := audio_utterance(path, text, "ljspeech", skipped):
            splits[split_by_position(number)].append(utterance)
    return splits
