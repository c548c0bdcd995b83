"""Text normalisers: training and scoring use the words of a text as they are spoken."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from asr.text.number_words import CURRENCIES, LARGE_SCALES

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<![\w.])\.\d+"
_SCALES = "|".join(("thousand", *LARGE_SCALES))
_SYMBOLS = {"&": "and", "%": "percent", "+": "plus", "=": "equals", "@": "at", "°": "degrees"}
TITLES = {"Mr": "Mister", "Mrs": "Missus", "Dr": "Doctor"}
"""Pronounced forms of titles, in LibriSpeech's spelling. `normalise_english` keeps "mr"."""
_MAX_DIGITS = 15
"""Digits of the longest number that is read as a number; longer ones are read digit by digit."""
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})


def normalise_english(text: str) -> str:
    """Normalise English text to lower case words, with numbers spelled out.

    >>> from asr import normalise_english
    >>> normalise_english("It's 23 o’clock — twenty-third.")
    "it's twenty three o'clock twenty third"
    >>> normalise_english("$5.50 for 201 cafés in the 1990s")
    'five dollars fifty cents for two hundred and one cafes in the nineteen nineties'

    Punctuation is removed, except for apostrophes within words. Hyphens become spaces. Accents are
    removed. Letters of other scripts stay; a tokenizer reports them.

    Each written number is always read in the same way:

    - with "and" after hundreds, as in British English;
    - decimals digit by digit: "three point one four";
    - digit by digit if it starts with zero or has more than 15 digits;
    - years like other numbers, but decades as "nineteen nineties";
    - amounts of money and times as they are spoken: "five dollars fifty cents", "five oh two".
    """
    text = spell_out(text)
    text = "".join(c if c.isalnum() or c == "'" else " " for c in text)
    tokens = (token.strip("'") for token in text.split())
    return " ".join(token for token in tokens if token)


def spell_out(text: str) -> str:
    """Spell out numbers, amounts of money, times and symbols, as `normalise_english` does.

    The text becomes lower case and loses its accents. Punctuation that belongs to no number stays.
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
    text = "".join(c for c in decomposed if not unicodedata.combining(c)).lower()
    for pattern, words in _WRITTEN_FORMS:
        text = pattern.sub(_with_spaces(words), text)
    for symbol, word in _SYMBOLS.items():
        text = text.replace(symbol, f" {word} ")
    return text


def _with_spaces(words: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
    return lambda match: f" {words(match)} "


def _number(digits: str, to: str = "cardinal") -> str:
    """Read a number, which may have thousands separators and a decimal point."""
    from num2words import num2words

    whole, point, fraction = digits.replace(",", "").partition(".")
    if len(whole) > _MAX_DIGITS or (len(whole) > 1 and int(whole[0]) == 0):
        spoken = _digits(whole)
    else:
        spoken = num2words(int(whole), to=to).replace(",", "") if whole else ""
    return f"{spoken} point {_digits(fraction)}" if point else spoken


def _digits(digits: str) -> str:
    return " ".join(_number(digit) for digit in digits)


def _money(match: re.Match[str]) -> str:
    currency = CURRENCIES[match["sign"]]
    whole, _, fraction = match["amount"].replace(",", "").partition(".")
    if match["scale"] or len(fraction) not in (0, 2):
        return f"{_number(match['amount'])} {match['scale'] or ''} {currency.unit.plural}"
    counts = [(int(whole or "0"), currency.unit), (int(fraction or "0"), currency.hundredth)]
    spoken = [f"{_number(str(count))} {noun.counted(count)}" for count, noun in counts if count]
    return " ".join(spoken) or f"zero {currency.unit.plural}"


def _decade(match: re.Match[str]) -> str:
    """Read a decade, such as 1990s: "nineteen nineties"."""
    words = _number(match[1], "year")
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    if not minute:
        return f"{_number(str(hour))} o'clock"
    return f"{_number(str(hour))} {'oh ' if minute < 10 else ''}{_number(str(minute))}"


_WRITTEN_FORMS: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
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
"""Patterns of written forms and the functions that spell them out, in order of precedence."""


def normalise_korean(text: str) -> str:
    """Normalise Korean text: composed Hangul (NFC), lower case, without punctuation."""
    text = unicodedata.normalize("NFC", text).lower()
    return " ".join("".join(c if c.isalnum() else " " for c in text).split())


NORMALISERS: dict[str, Callable[[str], str]] = {
    "english": normalise_english,
    "korean": normalise_korean,
    "none": str.strip,
}
"""Normalisers by their name in a configuration."""
