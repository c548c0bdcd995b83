"""How what is written with digits is said: as `asr.text.tokenizers` reads it, and the other ways listed here.

This is what `asr.inverse_normalisation.writer` checks its network by, which is why none of it is learnt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product

from num2words import num2words

from asr.text.normalisers import normalise_english

Words = tuple[str, ...]

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
SCALES = ("million", "billion", "trillion")
"""Which are written as words; hundreds and thousands are zeros."""
COINS = {
    "$": (("dollar", "dollars"), ("cent", "cents")),
    "€": (("euro", "euros"), ("cent", "cents")),
    "£": (("pound", "pounds"), ("penny", "pence")),
}
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
"""What holds no digit, and is written otherwise than it is said."""

_WHOLE = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,40}"
_DAY = re.compile(r"([1-9]|[12][0-9]|3[01])")


@dataclass(frozen=True)
class Piece:
    """A word of a written text, and which of the words that were said it stands for:
    `first` … `last` - 1."""

    text: str
    first: int
    last: int


def align(words: Sequence[str], tokens: Sequence[str]) -> list[Piece] | None:
    """Which of the words that were said each token of the written text stands for.

    None if the tokens, said in any of the ways of this module, are not just these words; or if they
    take one number for two ("20 3" for "twenty three").
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
            for said in way:
                ends.append(ends[-1] + len(said))
            if same[word : ends[-1]] == tuple(w for said in way for w in said):
                behind = rest(ends[-1], token + len(way))
                if behind is not None:
                    spans = zip(tokens[token:], pairwise(ends), strict=False)
                    return [Piece(text, a, b) for text, (a, b) in spans] + behind
        dead.add((word, token))
        return None

    pieces = rest(0, 0)
    return None if pieces is None or _torn(same, pieces) else pieces


def _ways(tokens: Sequence[str], at: int, word: Sequence[str]) -> Iterator[tuple[Words, ...]]:
    """Words for each of the next one or two tokens; a token may be the next word itself."""
    first, second = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else ""
    for way in (*_together(first, second), *((said,) for said in readings(first))):
        yield tuple(_plain(said.split()) for said in way)
    if word and word[0] == first:
        yield (_plain(word),)


def _plain(words: Sequence[str]) -> Words:
    """With one word for the digit that has two."""
    return tuple("zero" if word == "oh" else word for word in words)


def _torn(words: Words, pieces: Sequence[Piece]) -> bool:
    """Whether two whole numbers side by side, or with "and" between, were said as one."""
    for i, piece in enumerate(pieces):
        behind = [p for p in pieces[i + 1 : i + 3] if p.text != "and"][:1]
        if not behind or not all(re.fullmatch(_WHOLE, p.text) for p in (piece, *behind)):
            continue
        total = sum(int(p.text.replace(",", "")) for p in (piece, *behind))
        if " ".join(words[piece.first : behind[0].last]) in cardinal(str(total)):
            return True
    return False


def _together(first: str, second: str) -> Iterator[tuple[str, str]]:
    """Ways to say two tokens that need each other: "23 May", "May 1984", "$2.5 million"."""
    if _DAY.fullmatch(first) and second in MONTHS:
        month = second.lower()
        yield from product(day(first), (f"of {month}", month))
    if first in MONTHS and _DAY.fullmatch(second.rstrip(",")):
        yield from ((first.lower(), said) for said in day(second.rstrip(",")))
    if first in MONTHS and re.fullmatch("[12][0-9]{3}", second):
        yield from ((first.lower(), said) for said in readings(second))
    if first[:1] in COINS and second in SCALES:
        for said in (*number(first[1:]), *(["a"] if first[1:] == "1" else [])):
            yield from ((said, f"{second} {name}") for name in COINS[first[0]][0])


@cache
def readings(token: str) -> tuple[str, ...]:
    """All ways to say one token; none if it is not known here."""
    if token in _WORDS:
        return _WORDS[token]
    if re.fullmatch(_WHOLE, token):
        codes = () if "," in token else (*one_by_one(token), paired(token))
        return (*cardinal(token), *(way for way in codes if way))
    if token.endswith("%"):
        return tuple(f"{n} {name}" for n in number(token[:-1]) for name in ("percent", "per cent"))
    if token[:1] in COINS:
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
    """A whole number: with "and" behind hundreds or without, "a hundred" for "one hundred",
    "nineteen hundred"; one that begins with a zero or is very long digit by digit."""
    said = normalise_english(digits)
    value = int(digits.replace(",", ""))
    if (digits[0] == "0" and len(digits) > 1) or value >= 10**15:
        return (said,)
    ways = [said, said.replace(" and ", " ")]
    if 1100 <= value < 10_000 and value % 1000 >= 100:
        hundreds = f"{normalise_english(str(value // 100))} hundred"
        below = normalise_english(str(value % 100)) if value % 100 else ""
        ways += [f"{hundreds} and {below}", f"{hundreds} {below}"] if below else [hundreds]
    one = re.compile(rf"one (?=hundred|thousand|{'|'.join(SCALES)})")
    ways += [one.sub("a ", way) for way in ways if one.match(way)]
    return tuple(dict.fromkeys(ways))


def one_by_one(digits: str) -> tuple[str, ...]:
    """Digits, each by itself: with "zero" or with "oh"."""
    said = " ".join(normalise_english(digit) for digit in digits)
    return tuple(dict.fromkeys((said, said.replace("zero", "oh"))))


def paired(digits: str) -> str:
    """Three or four digits with the last two together, as years are said: "nineteen eighty four",
    "twenty oh five", "four eighty two"; "" for what has no such way."""
    if not re.fullmatch("[1-9][0-9]{2,3}", digits) or digits[-2:] == "00":
        return ""
    last = f"oh {digits[-1]}" if digits[-2] == "0" else digits[-2:]
    return normalise_english(f"{digits[:-2]} {last}")


def number(token: str) -> tuple[str, ...]:
    """A number, perhaps with decimals; no way to say what is none."""
    found = re.fullmatch(rf"({_WHOLE})(?:\.([0-9]{{1,40}}))?", token)
    if not found or not found[2]:
        return cardinal(token) if found else ()
    return tuple(f"{a} point {b}" for a in cardinal(found[1]) for b in one_by_one(found[2]))


def ordinal(digits: str) -> tuple[str, ...]:
    """With "and" behind hundreds or without."""
    said = normalise_english(num2words(int(digits), to="ordinal"))
    return tuple(dict.fromkeys((said, said.replace(" and ", " "))))


def day(digits: str) -> tuple[str, ...]:
    """Of a month."""
    said = ordinal(digits)[0]
    return (f"the {said}", said)


def money(sign: str, amount: str) -> tuple[str, ...]:
    """ "Twelve dollars", "twelve dollars (and) fifty cents", "two point five dollars"."""
    coins, parts = COINS[sign]
    ways = [f"{said} {name}" for said in number(amount) for name in coins]
    whole, _, cents = amount.partition(".")
    if ways and len(cents) == 2 and cents != "00":
        ways += [
            f"{a} {coin}{joined}{b} {part}"
            for a in cardinal(whole) for b in cardinal(str(int(cents)))
            for coin, part in product(coins, parts) for joined in (" ", " and ")
        ]  # fmt: skip
    return tuple(ways)


def time(hour: int, minute: int) -> tuple[str, ...]:
    """Of day; "quarter to six" is not known, for the hour that would be written was not said."""
    said = normalise_english(f"{hour}:{minute:02}")
    past = {15: ("quarter", "a quarter"), 30: ("half",)}.get(minute, ())
    if minute in (5, 10, 20, 25):
        past = (normalise_english(str(minute)),)
    return (said, *(f"{part} past {normalise_english(str(hour))}" for part in past))
