"""Free Spoken Digit Dataset: English digits, 8 kHz, 6 speakers. CC BY-SA 4.0."""

from __future__ import annotations

from pathlib import Path

from asr.data.corpora.common import audio_utterance, expect
from asr.data.manifest import Utterance

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """`source` holds recordings/{digit}_{speaker}_{index}.wav.

    Test is the corpus's own (index 0–4), dev index 5–7, train the rest.
    """
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for path in sorted(expect(source / "recordings", "FSDD's recordings").glob("*.wav")):
        parts = path.stem.split("_")
        if len(parts) != 3 or parts[0] not in {*"0123456789"} or not parts[2].isdecimal():
            skipped.append(f"{path}: name is not digit_speaker_index.wav")
            continue
        index = int(parts[2])
        split = "test" if index < 5 else "dev" if index < 8 else "train"
        if utterance := audio_utterance(path, DIGITS[int(parts[0])], parts[1], skipped):
            splits[split].append(utterance)
    return splits
