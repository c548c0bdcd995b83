"""CMU AN4 (Census), 1991: names, spellings, numbers and dates by 84 speakers. BSD-like licence.

The recordings are Sphinx feature files in feat/: 13 cepstra per frame, 100 frames per second.
"""

from __future__ import annotations

import re
from pathlib import Path

from asr.data.corpora.common import read_lines
from asr.data.manifest import Utterance

DEV_SPEAKERS = ("fejs", "ffmm", "fplp", "mblb", "mdmc", "mjhp", "mrcb")
"""Speakers of the standard training set that form the dev set, women and men as in the whole set.

Speakers with a second session under another name, such as mdcs and mdcs2, are avoided.
"""
FRAME_BYTES, FRAMES_PER_SECOND = 13 * 4, 100


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Read etc/ and feat/. The dev set is `DEV_SPEAKERS`, taken from the standard training set."""
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for part in ("train", "test"):
        ids = read_lines(source / "etc" / f"an4_{part}.fileids", "AN4's list of files")
        lines = read_lines(source / "etc" / f"an4_{part}.transcription", "AN4's transcripts")
        texts = {}
        for line in lines:
            text, _, name = line.rpartition("(")
            texts[name.strip(" )")] = text
        for file_id in ids:
            path = source / "feat" / f"{file_id}.mfc"
            name, speaker = Path(file_id).name, Path(file_id).parent.name
            # <s>, </s> and <sil> mark silence; WORD(2) marks a variant of the pronunciation.
            text = re.sub(r"<[^>]*>|\(\d+\)", " ", texts.get(name, ""))
            text = " ".join(text.split())
            frames = (path.stat().st_size - 4) // FRAME_BYTES if path.is_file() else 0
            if not text or frames <= 0:
                skipped.append(f"{path}: " + ("missing or empty" if text else "no transcript"))
                continue
            split = "dev" if part == "train" and speaker in DEV_SPEAKERS else part
            splits[split].append(
                Utterance(text, frames / FRAMES_PER_SECOND, None, speaker, feature_filepath=path)
            )
    return splits
