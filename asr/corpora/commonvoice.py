"""Mozilla Common Voice, one language: sentences read by volunteers, MP3. CC0 1.0."""

from __future__ import annotations

import csv
from pathlib import Path

from asr.corpora.common import audio_utterance, read_lines
from asr.manifest import Utterance


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """`source` holds train/dev/test.tsv, which are the splits, and clips/."""
    splits = {}
    for split in ("train", "dev", "test"):
        lines = read_lines(source / f"{split}.tsv", "a Common Voice list")
        # Sentences hold quotation marks of their own: none is the format's.
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        found = (
            audio_utterance(
                source / "clips" / row["path"], row["sentence"], row["client_id"][:16], skipped
            )
            for row in rows
        )
        splits[split] = [utterance for utterance in found if utterance]
    return splits
