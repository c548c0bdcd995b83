"""CMU Arctic prompts read by one US woman, Kathleen, 22.05 kHz FLAC; CC0 1.0."""

from __future__ import annotations

from pathlib import Path

from asr.data.corpora.common import audio_utterance, expect
from asr.data.manifest import Utterance, read_manifest


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Read flac/, and the splits train.jsonl, dev.jsonl and test.jsonl. They share no sentence."""
    splits = {}
    for split in ("train", "dev", "test"):
        lines = read_manifest(expect(source / f"{split}.jsonl", "a manifest of the corpus"))
        found = (
            u if u.offset else audio_utterance(u.path, u.text, u.speaker, skipped) for u in lines
        )
        splits[split] = [u for u in found if u]
    return splits
