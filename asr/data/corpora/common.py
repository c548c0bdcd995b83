"""Helpers of the corpus modules."""

from __future__ import annotations

from pathlib import Path

from asr.audio.reading import measure
from asr.data.manifest import Utterance
from asr.errors import AudioError, ManifestError


def expect(path: Path, contents: str) -> Path:
    """Check that a file or folder exists, and return its path.

    Args:
        path: the file or folder.
        contents: what it should hold, for the error message.

    Raises:
        ManifestError: it does not exist.
    """
    if not path.exists():
        raise ManifestError(f"{path}: not found; expected {contents}")
    return path


def read_lines(path: Path, contents: str) -> list[str]:
    """Read the lines of a text file that are not empty.

    Args:
        path: the file.
        contents: what it should hold, for the error message.

    Raises:
        ManifestError: the file does not exist.
    """
    text = expect(path, contents).read_text(encoding="utf-8-sig", errors="replace")
    return [line for line in text.split("\n") if line.strip()]


def read_kaldi_table(path: Path, contents: str) -> dict[str, str]:
    """Read a table in Kaldi's format: each line is a name, white space and a value.

    Args:
        path: the file.
        contents: what it should hold, for the error message.

    Returns:
        Name → value.

    Raises:
        ManifestError: the file does not exist.
    """
    pairs = (line.split(maxsplit=1) for line in read_lines(path, contents))
    return {name: "".join(rest).strip() for name, *rest in pairs}


def audio_utterance(
    path: Path, text: str, speaker: str | None, skipped: list[str], silent: bool = False
) -> Utterance | None:
    """Make an utterance, with the duration that `measure` finds.

    Args:
        path: the recording.
        text: its text.
        speaker: its speaker, or None.
        skipped: receives a message with file and reason if the recording is not usable.
        silent: whether the text may be empty, as for noise and for recordings without transcript;
            default: no.

    Returns:
        The utterance, or None if it was skipped.
    """
    if not text.strip() and not silent:
        skipped.append(f"{path}: no transcript")
        return None
    try:
        duration = measure(path).duration
    except AudioError as error:
        skipped.append(str(error))
        return None
    return Utterance(text.strip(), duration, audio_filepath=path, speaker=speaker)


def move_to_dev(train: list[Utterance], count: int) -> tuple[list[Utterance], list[Utterance]]:
    """Divide a train set into a train and a dev set.

    >>> [[u.text for u in us] for us in move_to_dev([Utterance(t, 1.0) for t in "abcdef"], 2)]
    [['a', 'c', 'd', 'f'], ['b', 'e']]

    Args:
        train: the train set.
        count: utterances of the dev set, evenly spread over the train set.

    Raises:
        ManifestError: no utterance would be left to train on.
    """
    if count >= len(train):
        raise ManifestError(
            f"--dev {count}: the train set has {len(train)} utterances, and at least one must stay"
        )
    chosen = {(2 * i + 1) * len(train) // (2 * count) for i in range(count)}
    kept = [utterance for i, utterance in enumerate(train) if i not in chosen]
    return kept, [train[i] for i in sorted(chosen)]


def split_by_position(number: int) -> str:
    """Split of an utterance by its position: train 90 %, dev 5 %, test 5 %.

    For corpora without splits of their own.

    Args:
        number: position in the corpus, from 0.
    """
    return {9: "test", 19: "dev"}.get(number % 20, "train")
