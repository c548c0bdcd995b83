"""LibriSpeech: read English books (OpenSLR 12, FLAC, 16 kHz). CC BY 4.0."""

from __future__ import annotations

from pathlib import Path

from asr.data.corpora.common import audio_utterance, read_lines, split_by_position
from asr.data.manifest import Utterance
from asr.errors import ManifestError


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """`source` holds train-*, dev-* and test-* folders, which are the splits, or is one of them.

    What lies in other folders is split 90/5/5 by line.
    """
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    lists = sorted(source.rglob("*.trans.txt"))
    if not lists:
        raise ManifestError(f"{source}: no *.trans.txt; expected LibriSpeech/train-… and so on")
    lines = [(path.absolute(), line) for path in lists for line in read_lines(path, "transcripts")]
    for number, (path, line) in enumerate(lines):
        folder = path.parent.parent.parent.name.split("-")[0]  # train-clean-100/19/198/list
        split = folder if folder in splits else split_by_position(number)
        name, _, text = line.partition(" ")
        audio = path.parent / f"{name}.flac"
        if utterance := audio_utterance(audio, text, name.split("-")[0], skipped):
            splits[split].append(utterance)
    return splits
