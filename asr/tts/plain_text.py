"""Text without characters that no reader says."""

from __future__ import annotations

import unicodedata

_BASE_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "⁄": "/",
    }
)
"""Letters that Unicode does not decompose into a–z and an accent."""


def clean_text(text: str) -> str:
    """The text with decomposable letters as a–z and without control characters."""
    text = unicodedata.normalize("NFC", text).translate(_BASE_LETTERS)
    kinds = ((c, unicodedata.category(c)) for c in text)
    # Format characters, such as soft hyphens, are inside words: they are removed, not replaced by
    # a space.
    kept = (("" if k == "Cf" else " ") if k[0] == "C" and c != "\n" else c for c, k in kinds)
    return "".join(kept)
