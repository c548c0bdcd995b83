"""LibriSpeech: read English books (OpenSLR 12, FLAC, 16 kHz). CC BY 4.0."""

from __future__ import annotations

from pathlib import Path

from asr.data.corpora.common import audio_utterance, read_lines, split_by_position
from asr.data.manifest import Utterance
from asr.errors import ManifestError


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Read the folders train-*, dev-* and test-*, which are the splits, or one of them.

    Recordings in other folders are split 90/5/5 by line.
    """
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    lists = sorted(source.rglob("*.trans.txt"))
    if not lists:
        raise ManifestError(
            f"{source}: no *.trans.txt; expected folders such as LibriSpeech/train-clean-100"
        )
    lines = [(path.absolute(), line) for path in lists for line in read_lines(path, "transcripts")]
    for number, (path, line) in enumerate(lines):
        folder = path.parent.parent.parent.name.split("-")[0]  # train-clean-100/19/198/list
        split = folder if folder in splits else split_by_position(number)
        name, _, text = line.partition(" ")
        audio = path.parent / f"{name}.flac"
        if utterance := audio_utterance(audio, text, name.split("-")[0], skipped):
            splits[split].append(utterance)
    return splits
