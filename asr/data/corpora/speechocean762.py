"""speechocean762 (OpenSLR 101): English read by 250 people whose first language is Mandarin.

About 100 of them are children. The licence permits commercial use.
"""

from __future__ import annotations

from pathlib import Path

from asr.data.corpora.common import audio_utterance, read_kaldi_table
from asr.data.manifest import Utterance

GROUPS = 5
"""Groups of the 125 test speakers: speaker i, sorted by name, is in group i modulo 5."""


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Read train/ and test/ (with Kaldi's files text, utt2spk and wav.scp) and WAVE/.

    The corpus has no dev set. Group 0 of its test speakers is the dev set. Group 1 is left out, as
    unheard speakers for a later test. The other groups are added to the training set. No speaker is
    in two splits.
    """
    splits: dict[str, list[Utterance]] = {"train": [], "dev": []}
    for part in ("train", "test"):
        texts, speakers, files = (
            read_kaldi_table(source / part / name, "speechocean762's lists", skipped)
            for name in ("text", "utt2spk", "wav.scp")
        )
        people = sorted({row.value for row in speakers.values()})
        group = {speaker: i % GROUPS for i, speaker in enumerate(people)}
        kept_for_later = 0
        for name, (_, text) in texts.items():
            speaker = speakers[name].value if name in speakers else ""
            split = "train"
            if part == "test":
                split = {0: "dev", 1: ""}.get(group.get(speaker, 0), "train")
            if not split:
                kept_for_later += 1
                continue
            file = files[name].value if name in files else f"WAVE/SPEAKER{speaker}/{name}.WAV"
            path = source / file
            if utterance := audio_utterance(path, text.lower(), speaker, skipped):
                splits[split].append(utterance)
        if kept_for_later:
            skipped.append(f"{source / part}: {kept_for_later} utterances are kept for later tests")
    return splits
