"""Lists of words that a user gives: hot words and the words of a lexicon."""

from __future__ import annotations

from pathlib import Path

from asr.errors import ConfigError, reason
from asr.text.tokenizers import Tokenizer


def read_phrases(given: str | None) -> tuple[str, ...]:
    """Read hot words.

    Args:
        given: words or phrases separated by commas, or the path of a text file with one per line.

    Returns:
        The phrases, as written; empty for None.

    Raises:
        ConfigError: the file cannot be read, or there is no phrase.
    """
    if given is None:
        return ()
    path = Path(given)
    lines = _read_text(path).splitlines() if path.is_file() else given.split(",")
    phrases = tuple(phrase.strip() for phrase in lines if phrase.strip())
    if not phrases:
        raise ConfigError(f"hot words {given!r}: no word found")
    return phrases


def read_words(path: Path, tokenizer: Tokenizer) -> set[str]:
    """Read the words of a text file, normalised by the tokenizer.

    Raises:
        ConfigError: the file cannot be read, or has no words.
    """
    words = set(tokenizer.normalise(_read_text(path)).split())
    if not words:
        raise ConfigError(f"{path}: no words in it")
    return words


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text: {reason(error)}") from None
