"""Spoken forms of written numbers: those of `asr.text.normalisers`, and further ones listed here.

`asr.inverse_normalisation.writer` checks the output of its network with this module, so nothing
here is learnt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product

from num2words import num2words

from asr.text.normalisers import normalise_english
from asr.text.number_words import CURRENCIES, LARGE_SCALES, MONTHS

Words = tuple[str, ...]

UNITS = {
    "km": ("kilometer", "kilometers", "kilometre", "kilometres"),
    "m": ("meter", "meters", "metre", "metres"),
    "cm": ("centimeter", "centimeters", "centimetre", "centimetres"),
    "mm": ("millimeter", "millimeters", "millimetre", "millimetres"),
    "kg": ("kilogram", "kilograms"),
    "g": ("gram", "grams"),
    "mph": ("mile per hour", "miles per hour"),
    "Hz": ("hertz",),
    "kHz": ("kilohertz", "kilo hertz"),
    "MHz": ("megahertz",),
    "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
}
HALVES = {"pm": ("p m", "pm"), "am": ("a m", "am")}
_WORDS = {**UNITS, **HALVES}
"""Spoken forms of written words without digits."""

_WHOLE = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,40}"
_DAY = re.compile(r"([1-9]|[12][0-9]|3[01])")


@dataclass(frozen=True)
class Piece:
    """A word of a written text, and the spoken words that it stands for.

    Attributes:
        text: the written word.
        first: index of the first spoken word.
        last: index after the last spoken word.
    """

    text: str
    first: int
    last: int


def align_written(words: Sequence[str], tokens: Sequence[str]) -> list[Piece] | None:
    """Find the spoken words that each token of a written text stands for.

    Args:
        words: the spoken words.
        tokens: the words of the written text.

    Returns:
        One piece for each token. None if no spoken form of the tokens is exactly `words`, or if the
        tokens split one number in two ("20 3" for "twenty three").
    """
    same = _plain(words)
    dead: set[tuple[int, int]] = set()

    def rest(word: int, token: int) -> list[Piece] | None:
        if token == len(tokens):
            return [] if word == len(words) else None
        if (word, token) in dead:
            return None
        for way in _ways(tokens, token, words[word : word + 1]):
            ends = [word]
            for spoken in way:
                ends.append(ends[-1] + len(spoken))
            if same[word : ends[-1]] == tuple(w for spoken in way for w in spoken):
                behind = rest(ends[-1], token + len(way))
                if behind is not None:
                    spans = zip(tokens[token:], pairwise(ends), strict=False)
                    return [Piece(text, a, b) for text, (a, b) in spans] + behind
        dead.add((word, token))
        return None

    pieces = rest(0, 0)
    return None if pieces is None or _torn(same, pieces) else pieces


def _ways(tokens: Sequence[str], at: int, word: Sequence[str]) -> Iterator[tuple[Words, ...]]:
    """Yield the spoken forms of the next one or two tokens. A token may be the next word itself."""
    first, second = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else ""
    for way in (*_together(first, second), *((spoken,) for spoken in readings(first))):
        yield tuple(_plain(spoken.split()) for spoken in way)
    if word and word[0] == first:
        yield (_plain(word),)


def _plain(words: Sequence[str]) -> Words:
    """Replace "oh" by "zero", the other word for the digit."""
    return tuple("zero" if word == "oh" else word for word in words)


def _torn(words: Words, pieces: Sequence[Piece]) -> bool:
    """Whether two whole numbers, side by side or with "and" between, were spoken as one number."""
    for i, piece in enumerate(pieces):
        behind = [p for p in pieces[i + 1 : i + 3] if p.text != "and"][:1]
        if not behind or not all(re.fullmatch(_WHOLE, p.text) for p in (piece, *behind)):
            continue
        total = sum(int(p.text.replace(",", "")) for p in (piece, *behind))
        if " ".join(words[piece.first : behind[0].last]) in cardinal(str(total)):
            return True
    return False


def _together(first: str, second: str) -> Iterator[tuple[str, str]]:
    """Yield the spoken forms of two tokens that belong together: "23 May", "$2.5 million"."""
    if _DAY.fullmatch(first) and second in MONTHS:
        month = second.lower()
        yield from product(day(first), (f"of {month}", month))
    if first in MONTHS and _DAY.fullmatch(second.rstrip(",")):
        yield from ((first.lower(), spoken) for spoken in day(second.rstrip(",")))
    if first in MONTHS and re.fullmatch("[12][0-9]{3}", second):
        yield from ((first.lower(), spoken) for spoken in readings(second))
    if first[:1] in CURRENCIES and second in LARGE_SCALES:
        for spoken in (*number(first[1:]), *(["a"] if first[1:] == "1" else [])):
            yield from ((spoken, f"{second} {name}") for name in CURRENCIES[first[0]].unit)


@cache
def readings(token: str) -> tuple[str, ...]:
    """All spoken forms of one token; empty if this module does not know it."""
    if token in _WORDS:
        return _WORDS[token]
    if re.fullmatch(_WHOLE, token):
        codes = () if "," in token else (*one_by_one(token), paired(token))
        return (*cardinal(token), *(way for way in codes if way))
    if token.endswith("%"):
        return tuple(f"{n} {name}" for n in number(token[:-1]) for name in ("percent", "per cent"))
    if token[:1] in CURRENCIES:
        return money(token[0], token[1:])
    if found := re.fullmatch(r"(1?[0-9]|2[0-3]):([0-5][0-9])", token):
        return time(int(found[1]), int(found[2]))
    if re.fullmatch(r"[0-9]{1,9}(st|nd|rd|th)", token):
        return ordinal(token[:-2]) if token == num2words(int(token[:-2]), to="ordinal_num") else ()
    if re.fullmatch(r"[12][0-9][1-9]0s", token):
        return (normalise_english(token),)
    return number(token)


@cache
def cardinal(digits: str) -> tuple[str, ...]:
    """Spoken forms of a whole number.

    They are with and without "and" after hundreds, "a hundred" for "one hundred", and "nineteen
    hundred". A number that begins with zero or is very long has only its digits one by one.
    """
    spoken = normalise_english(digits)
    value = int(digits.replace(",", ""))
    if (digits[0] == "0" and len(digits) > 1) or value >= 10**15:
        return (spoken,)
    ways = [spoken, spoken.replace(" and ", " ")]
    if 1100 <= value < 10_000 and value % 1000 >= 100:
        hundreds = f"{normalise_english(str(value // 100))} hundred"
        below = normalise_english(str(value % 100)) if value % 100 else ""
        ways += [f"{hundreds} and {below}", f"{hundreds} {below}"] if below else [hundreds]
    one = re.compile(rf"one (?=hundred|thousand|{'|'.join(LARGE_SCALES)})")
    ways += [one.sub("a ", way) for way in ways if one.match(way)]
    return tuple(dict.fromkeys(ways))


def one_by_one(digits: str) -> tuple[str, ...]:
    """Spoken forms of digits one by one, with "zero" or with "oh"."""
    spoken = " ".join(normalise_english(digit) for digit in digits)
    return tuple(dict.fromkeys((spoken, spoken.replace("zero", "oh"))))


def paired(digits: str) -> str:
    """Three or four digits with the last two together, as in years; "" for other numbers.

    >>> paired("1984"), paired("2005"), paired("482")
    ('nineteen eighty four', 'twenty oh five', 'four eighty two')
    """
    if not re.fullmatch("[1-9][0-9]{2,3}", digits) or digits[-2:] == "00":
        return ""
    last = f"oh {digits[-1]}" if digits[-2] == "0" else digits[-2:]
    return normalise_english(f"{digits[:-2]} {last}")


def number(token: str) -> tuple[str, ...]:
    """Spoken forms of a number with or without decimals; empty if it is not a number."""
    found = re.fullmatch(rf"({_WHOLE})(?:\.([0-9]{{1,40}}))?", token)
    if not found or not found[2]:
        return cardinal(token) if found else ()
    return tuple(f"{a} point {b}" for a in cardinal(found[1]) for b in one_by_one(found[2]))


def ordinal(digits: str) -> tuple[str, ...]:
    """Spoken forms of an ordinal number, with and without "and" after hundreds."""
    spoken = normalise_english(num2words(int(digits), to="ordinal"))
    return tuple(dict.fromkeys((spoken, spoken.replace(" and ", " "))))


def day(digits: str) -> tuple[str, ...]:
    """Spoken forms of a day of the month."""
    spoken = ordinal(digits)[0]
    return (f"the {spoken}", spoken)


def money(sign: str, amount: str) -> tuple[str, ...]:
    """Spoken forms of an amount of money.

    Such as "twelve dollars", "twelve dollars (and) fifty cents", "two point five dollars".
    """
    coins, parts = CURRENCIES[sign]
    ways = [f"{spoken} {name}" for spoken in number(amount) for name in coins]
    whole, _, cents = amount.partition(".")
    if ways and len(cents) == 2 and cents != "00":
        amounts = product(cardinal(whole), cardinal(str(int(cents))))
        names = product(coins, parts, (" ", " and "))
        ways += [
            f"{a} {coin}{joined}{b} {part}"
            for (a, b), (coin, part, joined) in product(amounts, names)
        ]
    return tuple(ways)


def time(hour: int, minute: int) -> tuple[str, ...]:
    """Spoken forms of a time of day.

    "Quarter to six" is not among them: it would be written 5:45, whose hour was not spoken.
    """
    spoken = normalise_english(f"{hour}:{minute:02}")
    past = {15: ("quarter", "a quarter"), 30: ("half",)}.get(minute, ())
    if minute in (5, 10, 20, 25):
        past = (normalise_english(str(minute)),)
    return (spoken, *(f"{part} past {normalise_english(str(hour))}" for part in past))
