"""Which written text each spoken word comes from: "$5" gives "five" and "dollars"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

MAX_WRITTEN, MAX_SPOKEN = 8, 80
"""Farthest word, written and spoken, at which a text that differs agrees again."""


def written_spans(
    written: Sequence[str], spoken: Sequence[str], speak: Callable[[str], Sequence[str]]
) -> list[str | None]:
    """The written text that begins with each spoken word.

    Most words are spoken as they are written, and most others as if they stood alone. Where
    neither is so, all written words up to the next agreement stand for all spoken ones. The time
    is proportional to the number of words.

    Args:
        written: the words of a text, as they are between spaces.
        spoken: the words that are spoken.
        speak: written word → words spoken for it alone.

    Returns:
        For each spoken word, the written text that begins with it; None if the word continues the
        written text of the word before it.
    """
    plain = [plain_word(word) for word in written]
    begins: list[str | None] = [None] * len(spoken)

    reached = 0

    def speakable(i: int) -> int:
        """The first written word from i on that is spoken if it stands alone."""
        nonlocal reached  # i only grows, so no word is looked at twice
        reached = max(reached, i)
        while reached < len(written) and not speak(written[reached]):
            reached += 1
        return reached

    def count_alone(i: int, k: int) -> int:
        """Number of words from k on that written word i gives alone; 0 if other words are there."""
        if i >= len(written) or k >= len(spoken):
            return 0
        if plain[i] == spoken[k]:
            return 1
        alone = list(speak(written[i]))
        return len(alone) if list(spoken[k : k + len(alone)]) == alone else 0

    i = k = 0
    while i < len(written) and k < len(spoken):
        if count := count_alone(i, k):
            begins[k] = written[i]
            i, k = i + 1, k + count
        elif speakable(i) > i and (not written[i].isascii() or count_alone(speakable(i), k)):
            i += 1  # what is not spoken, such as emoji; "<" is, between numbers
        else:
            next_i, next_k = _agreement(plain, spoken, i, k, count_alone)
            for position, text in _group(written[i:next_i], spoken[k:next_k], speak):
                begins[k + position] = text
            i, k = next_i, next_k
    return begins


def plain_word(written: str) -> str:
    """A written word without marks around it, accents and capitals; "" if it has marks inside."""
    folded = unicodedata.normalize("NFKD", written.replace("’", "'"))
    letters = "".join(c for c in folded if not unicodedata.combining(c)).lower()
    found = _WORD.fullmatch(letters)
    return found[1] if found else ""


_WORD = re.compile(r"[^\w']{0,9}'?([a-z]+(?:'[a-z]+){0,2})'?[^\w']{0,9}")


def _agreement(
    plain: Sequence[str],
    spoken: Sequence[str],
    i: int,
    k: int,
    count_alone: Callable[[int, int], int],
) -> tuple[int, int]:
    """The next words at which the written and the spoken text agree; their ends if none do."""
    for next_i in range(i, min(i + MAX_WRITTEN, len(plain))):
        word = plain[next_i]
        if not word:
            continue
        for next_k in range(k + (next_i == i), min(k + MAX_SPOKEN, len(spoken))):
            if spoken[next_k] != word:
                continue
            after_i, after_k = next_i + 1, next_k + 1
            if after_i >= len(plain) or after_k >= len(spoken):
                goes_on = after_i >= len(plain) and after_k >= len(spoken)
            else:
                goes_on = not plain[after_i] or count_alone(after_i, after_k) > 0
            # The next word must agree, too, as far as one can tell: "and" alone is no agreement,
            # because numbers have it, too.
            if goes_on:
                return next_i, next_k
    far = i + MAX_WRITTEN < len(plain) and k + MAX_SPOKEN < len(spoken)
    return (i + MAX_WRITTEN, k + MAX_SPOKEN) if far else (len(plain), len(spoken))


def _group(
    written: Sequence[str], spoken: Sequence[str], speak: Callable[[str], Sequence[str]]
) -> list[tuple[int, str]]:
    """Positions of spoken words at which written text begins, and this text."""
    if not spoken:  # written words that cannot be spoken
        return []
    alone = [list(speak(word)) for word in written]
    if [word for words in alone for word in words] == list(spoken):
        found, position = [], 0
        for word, words in zip(written, alone, strict=True):
            if words:
                found.append((position, word))
            position += len(words)
        return found
    kept = [
        word for word, words in zip(written, alone, strict=True) if words or word.isascii()
    ]  # without emoji and the like
    return [(0, " ".join(kept or written))] if written else []
