"""Where number words stand in a text, and what symbols a converter reads and writes for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from asr.inverse_normalisation.spoken_forms import COINS, HALVES, MONTHS, UNITS


def _all(words: str) -> frozenset[str]:
    return frozenset(words.split())


SMALL = _all(
    "zero oh one two three four five six seven eight nine first second third fourth fifth sixth "
    "seventh eighth ninth"
)
"""Stay words where they stand alone."""
SCALES = _all("hundred thousand million billion trillion")
ORDINALS = _all(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth fortieth "
    "fiftieth sixtieth seventieth eightieth ninetieth hundredth thousandth millionth"
)
DECADES = _all("twenties thirties forties fifties sixties seventies eighties nineties")
_TENS = _all(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty "
    "forty fifty sixty seventy eighty ninety"
)
NUMBERS = SMALL | SCALES | ORDINALS | DECADES | _TENS
MONTH_WORDS = frozenset(month.lower() for month in MONTHS)
STARTS = NUMBERS | MONTH_WORDS
"""Where a span may start."""
PHRASES = {
    ("p", "m"): "pm", ("a", "m"): "am", ("per", "cent"): "percent", ("kilo", "hertz"): "kilohertz",
    ("mile", "per", "hour"): "mph", ("miles", "per", "hour"): "mph",
}  # fmt: skip
"""Words that are one symbol."""
_COINS = (name for both in COINS.values() for names in both for name in names)
_UNITS = (name for names in UNITS.values() for name in names if " " not in name)
BEHIND = frozenset(("o'clock", "percent", "mph", *HALVES, *_COINS, *_UNITS))
"""Belong to the number before them."""
TIME_CUES = _all("at by before after until till around about since from to between past")
"""Behind one of these, "five thirty" is a time."""
CODE_CUES = _all(
    "room flight number route highway bus interstate apartment gate channel code extension"
)
"""Behind one of these, "five thirty" is 530."""
DATE_CUES = _all("on by since until till before after from of through last next this in")
"""Behind one of these, "may first" is a date."""
_OTHERS = _all(
    "a the and or of point past half quarter with for is was are were be i you he she it we they "
    "that who which not will would can could into over under nearly almost only than more less "
    "morning night year years people times"
)
KNOWN = NUMBERS | MONTH_WORDS | BEHIND | TIME_CUES | CODE_CUES | DATE_CUES | _OTHERS
"""Symbols of sources; `OTHER` is any other word."""
OTHER, OPEN, CLOSE = "?", "<", ">"
NEIGHBOURS = 2
"""Words that the converter sees on either side of a span, which is between `OPEN` and `CLOSE`."""
LONGEST = 40
"""Symbols of a span; what is longer than anything in training stays in words."""
APART = "_"
"""In targets: between two words of the written text."""


@dataclass(frozen=True)
class Span:
    """Words that may be written otherwise, `first` … `last` - 1, and the converter's source."""

    first: int
    last: int
    source: str


def spans(words: Sequence[str]) -> list[Span]:
    """The number words, and what may belong to them, that could be written otherwise."""
    items = list(_items(words))
    symbols = [symbol for symbol, _, _ in items]
    found, at = [], 0
    while at < len(items):
        if symbols[at] not in STARTS:
            at += 1
            continue
        start, at = at, _end(symbols, at)
        start -= _before(symbols, start, at)
        inside = symbols[start:at]
        numbers = [symbol for symbol in inside if symbol in NUMBERS]
        alone = len(inside) == 1 and inside[0] in SMALL
        if numbers and not alone and len(inside) <= LONGEST:
            parts = symbols[max(0, start - NEIGHBOURS) : start], symbols[at : at + NEIGHBOURS]
            left, right = ([s if s in KNOWN else OTHER for s in part] for part in parts)
            source = " ".join([*left, OPEN, *inside, CLOSE, *right])
            found.append(Span(items[start][1], items[at - 1][2], source))
    return found


def _items(words: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Symbols, and the words that each is."""
    at = 0
    while at < len(words):
        for size in (3, 2, 1):
            part = tuple(words[at : at + size])
            if size == 1 or part in PHRASES:
                yield PHRASES.get(part, part[0]), at, at + len(part)
                at += len(part)
                break


def _end(symbols: Sequence[str], at: int) -> int:
    """Where the span that starts with a number or a month ends."""
    while at < len(symbols):
        before, behind = symbols[at - 1] if at else "", symbols[at + 1 : at + 2]
        symbol = symbols[at]
        if symbol in STARTS or symbol in BEHIND:
            at += 1
        elif behind and (
            (symbol in ("and", "to", "or", "point", "past") and behind[0] in NUMBERS)
            or (symbol == "of" and before in ORDINALS and behind[0] in MONTH_WORDS)
            or (symbol == "the" and before in MONTH_WORDS and behind[0] in NUMBERS)
        ):
            at += 2
        else:
            break
    return at


def _before(symbols: Sequence[str], start: int, end: int) -> int:
    """How many symbols before a span belong to it: "a" hundred, "half past" five, "the" third."""
    before = symbols[max(0, start - 3) : start]
    if before[-2:] in (["half", "past"], ["quarter", "past"]):
        return 3 if before[-2] == "quarter" and before[0] == "a" else 2
    if before[-1:] == ["a"] and symbols[start] in SCALES:
        return 1
    if before[-1:] == ["the"] and any(symbol in ORDINALS for symbol in symbols[start:end]):
        return 1
    return 0


def target_of(tokens: Iterable[str]) -> str:
    """The converter's target for a written text: digits and signs one by one, words whole."""
    return f" {APART} ".join(
        " ".join(re.findall(r"[0-9]|[a-z]+|.", token)) if re.search("[0-9]", token) else token
        for token in tokens
    )


def tokens_of(target: str) -> list[str]:
    """The words of the written text that a target is."""
    return target.replace(" ", "").replace(APART, " ").split()
