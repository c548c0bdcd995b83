"""Asterisk's telephone prompts: one US woman, Allison Smith, 8 kHz. CC BY-SA 3.0.

From the Debian packages asterisk-core-sounds-en-wav and asterisk-core-sounds-en (transcripts).
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from asr.data.corpora.common import audio_utterance, expect, read_lines
from asr.data.manifest import Utterance
from asr.errors import ManifestError

TRANSCRIPTS = "core-sounds-en.txt"
MARKUP = re.compile(r"\[[^]]*\]|<[^>]*>|\([^)]*\)")
"""What a transcript says about a prompt without it being said: tones, silence, notes."""


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """`source` is where both packages were unpacked (`dpkg -x`).

    Test is every tenth of all prompts sorted by name, so far as it is speech; train the rest.
    """
    found = (p for p in source.rglob("*.wav") if "sounds" in p.relative_to(source).parts)
    audio = sorted(found, key=str)
    if not audio:
        raise ManifestError(f"{source}: no sounds/**/*.wav; expected the unpacked Debian packages")
    root = source / _sounds_root(audio[0].relative_to(source))
    texts = _transcripts(source)
    splits: dict[str, list[Utterance]] = {"train": [], "test": []}
    for number, path in enumerate(audio):
        text = texts.get(str(path.relative_to(root).with_suffix("")))
        if text is None:
            skipped.append(f"{path}: no transcript")
            continue
        spoken = MARKUP.sub(" ", text).strip(" .")
        if not spoken:
            skipped.append(f"{path}: no speech in it: {text}")
            continue
        split = "test" if number % 10 == 9 else "train"
        if utterance := audio_utterance(path, spoken, "allison", skipped):
            splits[split].append(utterance)
    return splits


def _sounds_root(path: Path) -> Path:
    """The folder of the voice, directly below sounds/."""
    depth = path.parts.index("sounds")
    return Path(*path.parts[: depth + 2])


def _transcripts(source: Path) -> dict[str, str]:
    files = sorted([*source.rglob(TRANSCRIPTS), *source.rglob(f"{TRANSCRIPTS}.gz")])
    if not files:
        raise ManifestError(f"{source}: no {TRANSCRIPTS}(.gz); unpack asterisk-core-sounds-en too")
    if files[0].suffix == ".gz":
        with gzip.open(expect(files[0], "transcripts"), "rt", encoding="utf-8") as file:
            lines = file.read().split("\n")
    else:
        lines = read_lines(files[0], "transcripts")
    entries = (line.split(":", 1) for line in lines if ":" in line and not line.startswith(";"))
    return {name.strip(): text.strip() for name, text in entries}
