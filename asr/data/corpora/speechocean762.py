"""speechocean762 (OpenSLR 101): English read by 250 people whose first language is Mandarin.

About 100 of them are children. Free, also for commercial use.
"""

from __future__ import annotations

from pathlib import Path

from asr.data.corpora.common import audio_utterance, read_table
from asr.data.manifest import Utterance

FOLD = 5
"""The corpus's 125 test speakers, sorted by name, are dealt into five groups of 25."""


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """`source` holds train/, test/ (Kaldi's files `text`, `utt2spk`, `wav.scp`) and WAVE/.

    The corpus has no dev set. Group 0 of its test speakers is dev, group 1 is left out of
    everything, so that people whom no model has heard remain for a later test, and the other three
    groups are added to train. No speaker is in two splits.
    """
    splits: dict[str, list[Utterance]] = {"train": [], "dev": []}
    for part in ("train", "test"):
        texts, speakers, files = (
            read_table(source / part / name, "speechocean762's lists")
            for name in ("text", "utt2spk", "wav.scp")
        )
        group = {speaker: i % FOLD for i, speaker in enumerate(sorted(set(speakers.values())))}
        kept_for_later = 0
        for name, text in texts.items():
            speaker = speakers.get(name, "")
            split = "train"
            if part == "test":
                split = {0: "dev", 1: ""}.get(group.get(speaker, 0), "train")
            if not split:
                kept_for_later += 1
                continue
            path = source / files.get(name, f"WAVE/SPEAKER{speaker}/{name}.WAV")
            if utterance := audio_utterance(path, text.lower(), speaker, skipped):
                splits[split].append(utterance)
        if kept_for_later:
            skipped.append(f"{source / part}: {kept_for_later} utterances kept for later tests")
    return splits
