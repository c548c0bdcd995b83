"""`Rule`: a pattern and the words that take its place. What rules of all subjects share is here.

Every repetition in a pattern is bounded, or cannot begin inside a run of the same characters. The
time of `verbalise` is therefore proportional to the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

LETTER_NAME_OFFSET = 0xE000
"""Offset of a letter that is read by its name, such as the "a" of "USA"; the letter "a" itself is a
word. The code points are in Unicode's private use area."""

DASH = "[-–—‐‑−]"
"""Dashes between the ends of a range."""
NUMBER = r"(?:(?:\d{1,3}(?:,\d{3}){1,8}(?!\d)|\d{1,40})(?:\.\d{1,40})?|\.\d{1,40})"
"""A number in English digits, with or without thousands separators and a fraction."""
NOT_INSIDE = r"(?<![\w.])(?<!\d,)"
"""Before a number: it is not the end of a word or of a longer number."""


class Rule(NamedTuple):
    """A kind of written text and how it is read.

    Attributes:
        name: subject and kind, for tests and for reading the table.
        pattern: the written text.
        words: match → words; None leaves the text as it is. With `lexical`, its second argument is
            the collection of known words.
        lexical: whether the words depend on the lexicon.
    """

    name: str
    pattern: re.Pattern[str]
    words: Callable[..., str | None]
    lexical: bool = False


def rule(name: str, pattern: str, words: Callable[..., str | None], lexical: bool = False) -> Rule:
    """A rule whose pattern is compiled from a string."""
    return Rule(name, re.compile(pattern), words, lexical)


def apply_rules(rules: Sequence[Rule], text: str, known: Collection[str]) -> str:
    """Replace the matches of each rule in turn."""
    for each in rules:

        def replace(match: re.Match[str], each: Rule = each) -> str:
            words = each.words(match, known) if each.lexical else each.words(match)
            return match[0] if words is None else _in_place(match, words)

        text = each.pattern.sub(replace, text)
    return text


_WORD_ENDS = re.compile(r"[^\W_]|[\ue061-\ue07a]")
_SENTENCE_END = re.compile(r"[.?!…][\"')\]]{0,3}\s{1,4}\Z")


def _in_place(match: re.Match[str], words: str) -> str:
    """The words with spaces where letters touch them, and a capital where a sentence begins.

    Without the capital, no sentence would end before "7" in "It was 5. 7 were left."
    """
    text, start, end = match.string, match.start(), match.end()
    words = words.strip()
    left = " " if _WORD_ENDS.match(text, max(0, start - 1), start) else ""
    right = " " if _WORD_ENDS.match(text, end) else ""
    if not match[0][:1].islower() and _SENTENCE_END.search(text, max(0, start - 8), start):
        words = words[:1].upper() + words[1:]
    return left + words + right


def words_of(text: str) -> list[str]:
    """The words of a table that is written as one string."""
    return text.split()


def letter_names(letters: str) -> str:
    """Letters that are read by their names, moved by `LETTER_NAME_OFFSET`; others are left out."""
    return " ".join(chr(ord(c) + LETTER_NAME_OFFSET) for c in letters.lower() if "a" <= c <= "z")


def full_stop(match: re.Match[str]) -> str:
    """A full stop if the dot of an abbreviation also ends the sentence, else nothing.

    It does before a capital letter and at the end of the text.
    """
    return "." if _ENDS_HERE.match(match.string, match.end()) else ""


_ENDS_HERE = re.compile(r"[\"')\]]{0,3}(?:\s{0,9}\Z|\s{1,9}[A-Z])")


def before(match: re.Match[str], pattern: re.Pattern[str], reach: int = 24) -> bool:
    """Whether a pattern, which ends in \\Z, matches the text right before a match.

    Args:
        match: a match.
        pattern: searched in the characters before it.
        reach: number of these characters.
    """
    start = match.start()
    return pattern.search(match.string, max(0, start - reach), start) is not None


def after(match: re.Match[str], pattern: re.Pattern[str]) -> bool:
    """Whether a pattern matches the text right after a match."""
    return pattern.match(match.string, match.end()) is not None


_ARTICLE = re.compile(r"\b[Aa]n? \Z")
_NOUN = re.compile(r"[ -](?!(?:and|or|per|to|in|on|at|by|for|of|from|is|was|than)\b)[a-z]{2}")


def is_attributive(match: re.Match[str]) -> bool:
    """Whether a quantity stands before a noun, as in "a $5 bill" and "an 8 inch pipe"."""
    return before(match, _ARTICLE, 4) and after(match, _NOUN)
