"""What the corpus modules share."""

from __future__ import annotations

from pathlib import Path

from asr.audio.reading import probe
from asr.data.manifest import Utterance
from asr.errors import AudioError, ManifestError


def expect(path: Path, what: str) -> Path:
    """`path`, which must exist.

    Raises:
        ManifestError: it does not; the message says what was expected there.
    """
    if not path.exists():
        raise ManifestError(f"{path}: not found; expected {what}")
    return path


def read_lines(path: Path, what: str) -> list[str]:
    """The non-empty lines of a text file that must exist."""
    text = expect(path, what).read_text(encoding="utf-8-sig", errors="replace")
    return [line for line in text.split("\n") if line.strip()]


def audio_utterance(
    path: Path, text: str, speaker: str | None, skipped: list[str]
) -> Utterance | None:
    """An utterance with its duration from the header; None, noted in `skipped`, if it has none."""
    if not text.strip():
        skipped.append(f"{path}: no transcript")
        return None
    try:
        duration = probe(path).duration
    except AudioError as error:
        skipped.append(str(error))
        return None
    return Utterance(text.strip(), duration, audio_filepath=path, speaker=speaker)


def split_by_position(number: int) -> str:
    """Split of the `number`-th sentence of a corpus that has none of its own: 90/5/5, fixed."""
    return {9: "test", 19: "dev"}.get(number % 20, "train")
