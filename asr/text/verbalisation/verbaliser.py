"""`verbalise`: the table of all rules, in order."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Collection

from asr.text.verbalisation.abbreviations import ABBREVIATION_RULES, ADDRESS_RULES
from asr.text.verbalisation.dates import DATE_RULES, YEAR_RULES
from asr.text.verbalisation.electronic import ELECTRONIC_RULES, VERSION_RULES
from asr.text.verbalisation.letters import LETTER_RULES, SHOUTING_RULES
from asr.text.verbalisation.money import MONEY_RULES
from asr.text.verbalisation.numbers import (
    FRACTION_RULES,
    NEGATIVE_RULES,
    NUMBER_RULES,
    NUMBER_SIGN_RULES,
)
from asr.text.verbalisation.quantities import QUANTITY_RULES
from asr.text.verbalisation.roman import ROMAN_RULES
from asr.text.verbalisation.rules import Rule, apply_rules
from asr.text.verbalisation.signs import SIGN_RULES
from asr.text.verbalisation.telephone import TELEPHONE_RULES
from asr.text.verbalisation.times import TIME_RULES

GROUPS: tuple[tuple[bool, tuple[Rule, ...]], ...] = (
    (False, SHOUTING_RULES),
    (False, ELECTRONIC_RULES),
    (True, NUMBER_SIGN_RULES),
    (False, DATE_RULES),
    (True, TELEPHONE_RULES),
    (False, ADDRESS_RULES),
    (True, NEGATIVE_RULES),
    (True, TIME_RULES),
    (True, MONEY_RULES),
    (True, QUANTITY_RULES),
    (True, FRACTION_RULES),
    (True, VERSION_RULES),
    (True, YEAR_RULES),
    (False, ABBREVIATION_RULES),
    (False, ROMAN_RULES),
    (False, LETTER_RULES),
    (False, SIGN_RULES),
    (True, NUMBER_RULES),
)
"""All rules in order, and whether those of a group apply only to texts with digits.

Each rule sees the words that earlier rules have written. Kinds that look like others stand first: a
date before a range, a quantity before a year, every kind of number before plain ones."""
_DIGIT = re.compile("[0-9]")

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_VULGAR_FRACTIONS = re.compile("[¼-¾⅐-⅞]")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "′": "'", "″": '"'})
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def verbalise(text: str, known: Collection[str] = ()) -> str:
    """Convert written text to the words that a reader says.

    >>> verbalise("Dr. Lee paid $5M in 1999.")
    'Doctor Lee paid five million dollars in nineteen ninety nine.'

    Numbers, dates, times, money, units, addresses, abbreviations, acronyms, Roman numerals and
    signs become words. Words and punctuation stay as they are. Letters that are read by their
    names are separated by spaces and moved by `LETTER_NAME_OFFSET`. HTML entities are decoded.

    Args:
        text: English text.
        known: words of the lexicon. Capitals that are a word of the lexicon, such as NASA, are not
            read letter by letter. Default: none.
    """
    text = _ENTITY.sub(lambda m: html.unescape(m[0]), text)
    text = _VULGAR_FRACTIONS.sub(lambda m: " " + unicodedata.normalize("NFKC", m[0]), text)
    text = text.translate(_APOSTROPHES).translate(_SUBSCRIPTS)
    text = "".join(_ascii_digit(c) for c in text)
    for needs_digits, rules in GROUPS:
        if not needs_digits or _DIGIT.search(text):
            text = apply_rules(rules, text, known)
    return text


def _ascii_digit(c: str) -> str:
    """A decimal digit of any script as an ASCII digit; other characters as they are."""
    return c if c.isascii() or not c.isdecimal() else str(unicodedata.decimal(c))
