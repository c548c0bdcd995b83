"""English words for numbers: cardinals, ordinals, years, digits and codes."""

from __future__ import annotations

from asr.text.number_words import DIGITS

MAX_DIGITS = 15
"""Digits of the longest number that is read as a number; longer ones are read digit by digit."""
SCALES = ("", "thousand", "million", "billion", "trillion")

_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(n: int) -> str:
    """A number in words, with "and" after hundreds, as in British English.

    >>> cardinal(1_002_345)
    'one million two thousand three hundred and forty five'

    Args:
        n: from 0 to 999 trillions.
    """
    if n < 100:
        return _below_hundred(n)
    groups = []
    for scale in SCALES:
        n, group = divmod(n, 1000)
        if group:
            groups.append((group, scale))
    words = " ".join(f"{_below_thousand(g)} {scale}".rstrip() for g, scale in reversed(groups))
    last, scale = groups[0]
    if len(groups) > 1 and not scale and last < 100:
        start, end = words.removesuffix(_below_thousand(last)), _below_thousand(last)
        return f"{start}and {end}"
    return words


def _below_hundred(n: int) -> str:
    if n < 10:
        return DIGITS[n]
    if n < 20:
        return _TEENS[n - 10]
    return _TENS[n // 10 - 2] + (f" {DIGITS[n % 10]}" if n % 10 else "")


def _below_thousand(n: int) -> str:
    if n < 100:
        return _below_hundred(n)
    rest = f" and {_below_hundred(n % 100)}" if n % 100 else ""
    return f"{DIGITS[n // 100]} hundred{rest}"


def ordinal(n: int) -> str:
    """An ordinal number in words: "twenty first"."""
    start, space, last = cardinal(n).rpartition(" ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return start + space + last


def year(n: int) -> str:
    """A year in words: "nineteen eighty four", "nineteen oh five", "two thousand and five"."""
    century, rest = divmod(n, 100)
    if century < 10 or n % 1000 < 10:
        return cardinal(n)
    if not rest:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def plural(word: str) -> str:
    """The plural of the last word of a number: "nineties", "sixes", "two thousands"."""
    if word.endswith("y"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith("x") else "s")


def digit_by_digit(digits: str) -> str:
    """The names of digits; other characters are left out."""
    return " ".join(DIGITS[int(c)] for c in digits if c.isdecimal())


def code(digits: str) -> str:
    """Digits of a code or a name: "seven forty seven", "one oh one", "twenty four ninety".

    Numbers of one and two digits and round ones are cardinals; longer ones than four digits, and
    those that start with zero, are read digit by digit.
    """
    n = int(digits)
    if (len(digits) > 1 and digits[0] == "0") or len(digits) > 4:
        return digit_by_digit(digits)
    if len(digits) < 3 or n % 1000 == 0:
        return cardinal(n)
    first, rest = divmod(n, 100)
    if not rest:
        return f"{cardinal(first)} hundred"
    return f"{cardinal(first)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def read_number(written: str) -> str:
    """A number with or without thousands commas and a decimal point.

    The fraction is read digit by digit, and so is a number that starts with zero or has more than
    `MAX_DIGITS` digits.
    """
    whole, point, fraction = written.replace(",", "").partition(".")
    if len(whole) > MAX_DIGITS or (len(whole) > 1 and whole[0] == "0"):
        words = digit_by_digit(whole)
    else:
        words = cardinal(int(whole or "0"))
    return f"{words} point {digit_by_digit(fraction)}" if point else words


def decimal_text(written: str) -> str:
    """A number in English digits for one with the separators of any country.

    The last mark is a decimal point if it occurs once and other than three digits follow it. A
    point before three digits is one for thousands only if it is repeated or a comma follows.

    >>> decimal_text("1.234,56"), decimal_text("1.000.000"), decimal_text("27,50")
    ('1234.56', '1000000', '27.50')
    """
    marks = [c for c in written if not c.isdecimal()]
    if not marks:
        return written
    last = marks[-1]
    whole, _, fraction = written.rpartition(last)
    is_point = marks.count(last) == 1 and last in ".," and (len(marks) > 1 or len(fraction) != 3)
    if last == "." and len(marks) == 1:
        is_point = True
    digits = "".join(c for c in whole if c.isdecimal())
    return f"{digits}.{fraction}" if is_point else digits + fraction
