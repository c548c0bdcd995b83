"""Mozilla Common Voice, one language: sentences read by volunteers, MP3. CC0 1.0."""

from __future__ import annotations

import csv
from pathlib import Path

from asr.data.corpora.common import audio_utterance, read_lines
from asr.data.manifest import Utterance
from asr.errors import ManifestError

COLUMNS = ("client_id", "path", "sentence")


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """`source` holds train/dev/test.tsv, which are the splits, and clips/."""
    splits = {}
    for split in ("train", "dev", "test"):
        path = source / f"{split}.tsv"
        lines = read_lines(path, "a Common Voice list")
        # Sentences hold quotation marks of their own: none is the format's.
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
        if missing := set(COLUMNS).difference(rows.fieldnames or ()):
            raise ManifestError(f"{path}: no column {', '.join(sorted(missing))}")
        found = (
            audio_utterance(
                source / "clips" / row["path"], row["sentence"], row["client_id"][:16], skipped
            )
            for row in rows
        )
        splits[split] = [utterance for utterance in found if utterance]
    return splits
