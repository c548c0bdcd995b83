"""LibriSpeech: read English books (OpenSLR 12, FLAC, 16 kHz). CC BY 4.0."""

from __future__ import annotations

from pathlib import Path

from asr.corpora.common import audio_utterance, read_lines
from asr.errors import ManifestError
from asr.manifest import Utterance


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """`source` holds train-*, dev-* and test-* folders, which are the splits."""
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    lists = sorted(source.rglob("*.trans.txt"))
    if not lists:
        raise ManifestError(f"{source}: no *.trans.txt; expected LibriSpeech/train-… and so on")
    for path in lists:
        folder = (
            path.relative_to(source).parts[-4] if len(path.relative_to(source).parts) > 3 else ""
        )
        split = folder.split("-")[0]
        if split not in splits:
            skipped.append(f"{path}: not below a train-, dev- or test- folder")
            continue
        for line in read_lines(path, "transcripts"):
            name, _, text = line.partition(" ")
            audio = path.parent / f"{name}.flac"
            if utterance := audio_utterance(audio, text, name.split("-")[0], skipped):
                splits[split].append(utterance)
    return splits
