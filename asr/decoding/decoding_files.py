"""Files of a model directory that decoding reads and that do not belong to one set of weights."""

from __future__ import annotations

import shutil
from pathlib import Path

from asr.base.files import atomic_write
from asr.decoding.decoding_options import general_lm
from asr.networks.model_directory import LEXICON_FILE

LM_FILES = "lm.*"
"""Pattern of the recogniser's own language model: the model, binary or ARPA or both, and its
weights in decoding."""
LICENCE_FILES = "LICENSE*"
"""Pattern of the licences of the language model and the lexicon."""


def decoding_files(folder: Path, phones: bool) -> list[Path]:
    """The language model, its weights, the lexicon and their licences in a model directory.

    The calibration of word confidences is not among them: it belongs to one set of weights.

    Args:
        folder: the model directory.
        phones: whether the recogniser finds words by their phones; others use no lexicon.
    """
    found: list[Path] = []
    if general_lm(folder):
        found += sorted(folder.glob(LM_FILES))
    if phones and (folder / LEXICON_FILE).is_file():
        found.append(folder / LEXICON_FILE)
    return found + sorted(folder.glob(LICENCE_FILES)) if found else []


def copy_decoding_files(files: list[Path], folder: Path) -> None:
    """Copy the files of `decoding_files` into another model directory.

    Files that are there stay as they are, because `asr tune --save` may have changed them.
    """
    for file in files:
        target = folder / file.name
        if not target.exists():
            with file.open("rb") as source, atomic_write(target, binary=True) as copy:
                shutil.copyfileobj(source, copy)
