"""Files of a model directory that decoding reads and that do not belong to one set of weights."""

from __future__ import annotations

import shutil
from pathlib import Path

from asr.base.files import atomic_write
from asr.decoding.lm_record import LmRecord
from asr.errors import ConfigError
from asr.models import MODELS
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
        ConfigError: `lm.json` is broken, or names no shipped recogniser with a language model.
    """
    if (own := _lm_in(folder)) is not None:
        return own
    shared = _shared_from(folder)
    return None if shared is None else _lm_in(shared)


def _lm_in(folder: Path) -> Path | None:
    return next((folder / name for name in GENERAL_LM_FILES if (folder / name).is_file()), None)


def lexicon_file(folder: Path) -> Path:
    """The lexicon of a recogniser that finds words by their phones; as `general_lm`.

    Without one, the path where it is missing.
    """
    own = folder / LEXICON_FILE
    if own.is_file():
        return own
    shared = _shared_from(folder)
    return own if shared is None else shared / LEXICON_FILE


def _shared_from(folder: Path) -> Path | None:
    """Directory of the shipped recogniser whose language model and lexicon this one uses, or None.

    Raises:
        ConfigError: see `general_lm`.
    """
    record = folder / GENERAL_LM_FILES[0]
    name = LmRecord.read(record).shared_from
    if not name:
        return None
    if _lm_in(MODELS / name) is None:
        raise ConfigError(
            f"{LmRecord.path(record)}: shared_from: {name} is not a shipped recogniser with a "
            "language model; asr models lists the shipped ones"
        )
    return MODELS / name


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
