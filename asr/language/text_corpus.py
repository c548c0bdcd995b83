"""Sentences for language models, read from text files and manifests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asr.data.manifest import read_manifest
from asr.errors import ConfigError, reason
from asr.text.normalisers import find_normaliser


def read_sentences(paths: Sequence[Path], normaliser: str, language: str = "") -> list[list[str]]:
    """Read the words of every line of text files, or of every utterance of manifests, normalised.

    Args:
        paths: manifests (.jsonl) and text files (any other name).
        normaliser: a name in `asr.text.normalisers.NORMALISERS`.
        language: ISO 639-1 code for the normaliser `neutral`; default: "", unknown.

    Returns:
        The words of each sentence. Sentences without words are left out.

    Raises:
        ConfigError: the normaliser is unknown, or a file cannot be read.
        ManifestError: a manifest is broken.
    """
    normalise = find_normaliser(normaliser, language)
    lines: list[str] = []
    for path in paths:
        if path.suffix == ".jsonl":
            lines += [utterance.text for utterance in read_manifest(path)]
            continue
        try:
            lines += path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read as text: {reason(error)}") from None
    return [words for line in lines if (words := normalise(line).split())]
