"""Speech Commands v0.02: 35 single words by many people, and recordings of noise. CC BY 4.0."""

from __future__ import annotations

import re
from pathlib import Path

from asr.audio.find_audio import find_audio
from asr.data.corpora.common import audio_utterance
from asr.data.manifest import Utterance

NOISE = ("_silence_", "_background_noise_")
"""Folders of recordings without speech."""
UNKNOWN = "_unknown_"
"""Folder of the test package whose file names start with the word."""
RECORDING = re.compile(r"(?:(?P<word>[a-z]+)_)?(?P<speaker>[0-9a-f]{8})_nohash_\d+\.wav(?:\.wav)?")


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Read a folder with one subfolder per word, as in the training or in the test package.

    The test set is testing_list.txt and the dev set validation_list.txt, if these files exist; the
    training set is the rest. Recordings of noise are written to noise.jsonl with empty texts.
    """
    lists = {
        line: split
        for split, name in (("test", "testing_list.txt"), ("dev", "validation_list.txt"))
        if (source / name).is_file()
        for line in (source / name).read_text(encoding="utf-8").split()
    }
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": [], "noise": []}
    for path in find_audio([str(source)]):
        folder = path.parent.name
        if folder in NOISE:
            if utterance := audio_utterance(path, "", None, skipped, silent=True):
                splits["noise"].append(utterance)
            continue
        found = RECORDING.fullmatch(path.name)
        word = found["word"] if found and folder == UNKNOWN else folder
        if not found or not word:
            skipped.append(f"{path}: the name is not SPEAKER_nohash_NUMBER.wav")
            continue
        split = lists.get(f"{folder}/{path.name}", "train")
        if utterance := audio_utterance(path, word, found["speaker"], skipped):
            splits[split].append(utterance)
    return splits
