"""Lists of words that a user gives: hot words and the words of a lexicon."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from asr.base.text_files import has_text_suffix, is_file
from asr.errors import AsrWarning, ConfigError, reason
from asr.text.tokenizers import Tokenizer

NAMED_WORDS = 20
"""Most words that a warning names."""


def read_phrases(given: str | None) -> tuple[str, ...]:
    """Read hot words.

    Args:
        given: words or phrases separated by commas, or the path of a text file with one per line.
            What ends like a text file, or has a path separator and no comma, is a path.

    Returns:
        The phrases, as written; empty for None.

    Raises:
        ConfigError: the file does not exist or cannot be read, or there is no phrase.
    """
    if given is None:
        return ()
    if is_file(given):
        lines = _read_text(Path(given)).splitlines()
    elif has_text_suffix(given) or ("," not in given and _has_separator(given)):
        raise ConfigError(
            f"hot words {given!r}: no such file; give the path of a text file, or the words "
            "themselves, separated by commas, without / and without a suffix"
        )
    else:
        lines = given.split(",")
    phrases = tuple(phrase.strip() for phrase in lines if phrase.strip())
    if not phrases:
        raise ConfigError(f"hot words {given!r}: no word found")
    return phrases


def read_words(path: Path, tokenizer: Tokenizer) -> set[str]:
    """Read the words of a text file, normalised by the tokenizer.

    Words that the tokenizer cannot spell never come out of a search. An `AsrWarning` names them.

    Raises:
        ConfigError: the file cannot be read, or has no words.
    """
    text = _read_text(path)
    words = set(tokenizer.normalise(text).split())
    if not words:
        raise ConfigError(f"{path}: no words in it")
    if lost := [word for word in dict.fromkeys(text.split()) if not _is_spellable(word, tokenizer)]:
        named = ", ".join(lost[:NAMED_WORDS]) + (", …" if len(lost) > NAMED_WORDS else "")
        warnings.warn(
            f"{path}: {len(lost)} of its words cannot be spelled in the model's alphabet and are "
            f"left out: {named}",
            AsrWarning,
            stacklevel=2,
        )
    return words


def _is_spellable(word: str, tokenizer: Tokenizer) -> bool:
    return bool(tokenizer.normalise(word).strip()) and not tokenizer.unknown(word)


def _has_separator(name: str) -> bool:
    return any(mark in name for mark in ("/", os.sep, os.altsep) if mark)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text: {reason(error)}") from None
