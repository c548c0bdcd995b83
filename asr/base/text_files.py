"""Command-line arguments that are a text or the name of a text file."""

from __future__ import annotations

from pathlib import Path

from asr.errors import TextError, reason

TEXT_SUFFIXES = frozenset(
    {
        ".asc",
        ".csv",
        ".dic",
        ".list",
        ".log",
        ".lst",
        ".markdown",
        ".md",
        ".org",
        ".rst",
        ".srt",
        ".ssml",
        ".tex",
        ".text",
        ".tsv",
        ".txt",
        ".vtt",
    }
)
"""Suffixes of text files, in lower case. An argument that ends in one names a file."""


def is_file(name: str) -> bool:
    """Whether a file has this name; False for a text that is too long for a file name."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def has_text_suffix(name: str) -> bool:
    """Whether an argument ends like the name of a text file, in capitals or not."""
    return Path(name.strip()).suffix.lower() in TEXT_SUFFIXES and "\n" not in name.strip()


def text_argument(given: str) -> str:
    """The text of an argument: the content of the file that it names, or else the argument.

    Args:
        given: a text, or the name of a file with a suffix of `TEXT_SUFFIXES`.

    Raises:
        TextError: the argument has such a suffix and the file cannot be read as UTF-8, or it names
            a file with another suffix.
    """
    if has_text_suffix(given):
        return read_text_file(Path(given))
    if Path(given).suffix and is_file(given):
        raise TextError(
            f"{given}: is a file, but its suffix is not one of a text file; rename it to "
            f"{Path(given).stem}.txt, or pass its text"
        )
    return given


def read_text_file(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Raises:
        TextError: the file cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise TextError(f"{path}: is not UTF-8 text; convert it to UTF-8") from None
    except (OSError, ValueError) as error:
        raise TextError(f"{path}: cannot be read: {reason(error)}") from None
