"""A folder of your own recordings, each with its text in a .txt file of the same name."""

from __future__ import annotations

from pathlib import Path

from asr.audio.find_audio import find_audio
from asr.data.corpora.common import audio_utterance, split_by_position
from asr.data.manifest import Utterance


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Search a folder to any depth. Subfolders are speakers; the split is 90/5/5 by name."""
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for number, path in enumerate(find_audio([str(source)])):
        transcript = path.with_suffix(".txt")
        if not transcript.is_file():
            skipped.append(f"{path}: {transcript.name} is missing")
            continue
        try:
            text = " ".join(transcript.read_text(encoding="utf-8-sig").split())
        except (OSError, UnicodeDecodeError) as error:
            skipped.append(f"{transcript}: cannot be read as UTF-8 text: {error}")
            continue
        parts = path.relative_to(source).parts
        speaker = parts[0] if len(parts) > 1 else None
        if utterance := audio_utterance(path, text, speaker, skipped):
            splits[split_by_position(number)].append(utterance)
    return splits
