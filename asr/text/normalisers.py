"""Text normalisers: how a written text is spoken, as training and scoring see it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<![\w.])\.\d+"
_SCALES = "thousand|million|billion|trillion"
_COINS = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
}
_SYMBOLS = {"&": "and", "%": "percent", "+": "plus", "=": "equals", "@": "at", "°": "degrees"}
TITLES = {"Mr": "Mister", "Mrs": "Missus", "Dr": "Doctor"}
"""Titles as they are said, in LibriSpeech's spelling. `normalise_english` keeps "mr"."""
_LONGEST = 15
"""Digits; a longer number is a code, that is read digit by digit."""
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})


def normalise_english(text: str) -> str:
    """Lower case, digits as words, hyphens as spaces, punctuation gone, apostrophes in words kept.

    "It's 23 o’clock — twenty-third." → "it's twenty three o'clock twenty third". Numbers are always
    read in one way, the British: with "and" behind hundreds ("two hundred and one"), decimals digit
    by digit ("three point one four"), codes too (with a leading zero or very long), years as
    numbers but decades as decades ("nineteen nineties"), money and times as spoken ("five dollars
    fifty cents", "five oh two"). Letters outside a–z lose their accents where they have some
    ("café" → "cafe"); what is left of other scripts stays, for the tokenizer to report.
    """
    text = spell_out(text)
    text = "".join(c if c.isalnum() or c == "'" else " " for c in text)
    tokens = (token.strip("'") for token in text.split())
    return " ".join(token for token in tokens if token)


def spell_out(text: str) -> str:
    """The part of `normalise_english` that says what is written otherwise than it is spoken; all
    punctuation that belongs to no number is kept."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
    text = "".join(c for c in decomposed if not unicodedata.combining(c)).lower()
    for pattern, words in _SPOKEN:
        text = pattern.sub(_apart(words), text)
    for symbol, word in _SYMBOLS.items():
        text = text.replace(symbol, f" {word} ")
    return text


def _apart(words: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
    return lambda match: f" {words(match)} "


def _number(digits: str, to: str = "cardinal") -> str:
    """Digits, perhaps with thousands' commas and a decimal point, as words."""
    from num2words import num2words

    whole, point, fraction = digits.replace(",", "").partition(".")
    if len(whole) > _LONGEST or (len(whole) > 1 and int(whole[0]) == 0):
        spoken = _digits(whole)
    else:
        spoken = num2words(int(whole), to=to).replace(",", "") if whole else ""
    return f"{spoken} point {_digits(fraction)}" if point else spoken


def _digits(digits: str) -> str:
    return " ".join(_number(digit) for digit in digits)


def _money(match: re.Match[str]) -> str:
    one, many, cent, cents = _COINS[match["sign"]]
    whole, _, fraction = match["amount"].replace(",", "").partition(".")
    if match["scale"] or len(fraction) not in (0, 2):
        return f"{_number(match['amount'])} {match['scale'] or ''} {many}"
    counts = [(int(whole or "0"), one, many), (int(fraction or "0"), cent, cents)]
    spoken = [f"{_number(str(n))} {a if n == 1 else b}" for n, a, b in counts if n]
    return " ".join(spoken) or f"zero {many}"


def _decade(match: re.Match[str]) -> str:
    """Of 1990: "nineteen nineties"."""
    words = _number(match[1], "year")
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    if not minute:
        return f"{_number(str(hour))} o'clock"
    return f"{_number(str(hour))} {'oh ' if minute < 10 else ''}{_number(str(minute))}"


_SPOKEN: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (
        re.compile(rf"(?P<sign>[$€£])\s?(?P<amount>{_NUMBER})(?:\s(?P<scale>{_SCALES})\b)?"),
        _money,
    ),
    (re.compile(r"\b(\d{1,2}):([0-5]\d)\b(?!:)"), _time),
    (re.compile(r"\b(\d{1,3}0)'?s\b"), _decade),
    (
        re.compile(r"\b(\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b"),
        lambda m: _number(m[1], "ordinal"),
    ),
    (re.compile(_NUMBER), lambda m: _number(m[0])),
]
"""What is not read as it is written, in the order in which it is looked for."""


def normalise_korean(text: str) -> str:
    """Composed Hangul (NFC), punctuation gone, one space between words, lower case."""
    text = unicodedata.normalize("NFC", text).lower()
    return " ".join("".join(c if c.isalnum() else " " for c in text).split())


NORMALISERS: dict[str, Callable[[str], str]] = {
    "english": normalise_english,
    "korean": normalise_korean,
    "none": str.strip,
}
