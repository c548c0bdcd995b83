"""CMU AN4 (Census), 1991: names, spellings, numbers and dates by 84 speakers. BSD-like licence.

Read as Sphinx feature files (`feat/`, 13 cepstra a frame, 100 frames a second) and `etc/`.
"""

from __future__ import annotations

import re
from pathlib import Path

from asr.data.corpora.common import read_lines
from asr.data.manifest import Utterance

DEV_SPEAKERS = ("fejs", "ffmm", "fplp", "mblb", "mdmc", "mjhp", "mrcb")
"""Held out of the standard training set, women and men in about its proportion; none has a second
session under another name there (as mdcs and mdcs2)."""
FRAME_BYTES, FRAMES_PER_SECOND = 13 * 4, 100


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """`source` holds etc/ and feat/; the standard test set, and train less `DEV_SPEAKERS`."""
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
            # <s>, </s> and <sil> mark silence, WORD(2) a variant of pronunciation.
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
