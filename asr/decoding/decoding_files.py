"""Files of a model directory that decoding reads and that do not belong to one set of weights."""

from __future__ import annotations

import shutil
from pathlib import Path

from asr.base.files import atomic_write
from asr.decoding.lm_record import LmRecord
from asr.models import find_model
from asr.networks.model_directory import LEXICON_FILE

GENERAL_LM_FILES = ("lm.ngrams", "lm.arpa.gz")
"""Names of the recogniser's own language model in its directory: binary, or ARPA. The directory may
have both (`asr.language.ngram_file`)."""
LM_FILES = "lm.*"
"""Pattern of the recogniser's own language model: the model, binary or ARPA or both, and its
weights in decoding."""
LICENCE_FILES = "LICENSE*"
"""Pattern of the licences of the language model and the lexicon."""


def general_lm(folder: Path) -> Path | None:
    """The language model of a recogniser, or None without one.

    It is in the recogniser's directory, or in that of the shipped recogniser that `lm.json` names.

    Raises:
        ConfigError: `lm.json` is broken.
        ModelError: it names no shipped model.
    """
    for place in (folder, _shared_with(folder)):
        for name in GENERAL_LM_FILES:
            if place is not None and (place / name).is_file():
                return place / name
    return None


def lexicon_file(folder: Path) -> Path:
    """The lexicon of a recogniser that finds words by their phones; as `general_lm`.

    Without one, the path where it is missing.
    """
    own, shared = folder / LEXICON_FILE, _shared_with(folder)
    return own if own.is_file() or shared is None else shared / LEXICON_FILE


def _shared_with(folder: Path) -> Path | None:
    """Directory of the recogniser whose language model and lexicon this one uses, or None."""
    other = LmRecord.read(folder / GENERAL_LM_FILES[0]).files_of
    return find_model(other) if other else None


def decoding_files(folder: Path, phones: bool) -> list[Path]:
    """The language model, its weights, the lexicon and their licences in a model directory.

    Files that it uses of another model are not among them: their name is with the weights.
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
