"""Spans of number words in a text, and the symbols that a converter reads and writes for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from asr.inverse_normalisation.spoken_forms import HALVES, UNITS
from asr.text.number_words import CURRENCIES, DIGITS, LARGE_SCALES, MONTHS


def _all(words: str) -> frozenset[str]:
    return frozenset(words.split())


SMALL = frozenset(DIGITS) | _all("oh first second third fourth fifth sixth seventh eighth ninth")
"""Numbers that stay words where they stand alone."""
SCALES = frozenset(("hundred", "thousand", *LARGE_SCALES))
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
"""Words with which a span may start."""
PHRASES = {
    ("p", "m"): "pm",
    ("a", "m"): "am",
    ("per", "cent"): "percent",
    ("kilo", "hertz"): "kilohertz",
    ("mile", "per", "hour"): "mph",
    ("miles", "per", "hour"): "mph",
}
"""Sequences of words that the converter reads as one symbol."""
_COINS = (name for currency in CURRENCIES.values() for noun in currency for name in noun)
_UNITS = (name for names in UNITS.values() for name in names if " " not in name)
UNIT_WORDS = frozenset(("o'clock", "percent", "mph", *HALVES, *_COINS, *_UNITS))
"""Words that belong to the number before them."""
TIME_CUES = _all("at by before after until till around about since from to between past")
"""After one of these words, "five thirty" is a time."""
CODE_CUES = _all(
    "room flight number route highway bus interstate apartment gate channel code extension"
)
"""After one of these words, "five thirty" is 530."""
DATE_CUES = _all("on by since until till before after from of through last next this in")
"""After one of these words, "may first" is a date."""
_CONTEXT_WORDS = _all(
    "a the and or of point past half quarter with for is was are were be i you he she it we they "
    "that who which not will would can could into over under nearly almost only than more less "
    "morning night year years people times"
)
KNOWN = NUMBERS | MONTH_WORDS | UNIT_WORDS | TIME_CUES | CODE_CUES | DATE_CUES | _CONTEXT_WORDS
"""Symbols of sources; `OTHER` stands for any other word."""
OTHER, OPEN, CLOSE = "?", "<", ">"
NEIGHBOURS = 2
"""Number of words that the converter reads on either side of a span. `OPEN` and `CLOSE` mark the
span."""
MAX_SPAN_SYMBOLS = 40
"""The most symbols of a span. Longer spans than in training stay in words."""
WORD_BREAK = "_"
"""Symbol between two words of the written text, in targets."""


@dataclass(frozen=True)
class Span:
    """Words that may be written with digits.

    Attributes:
        first: index of the first word.
        last: index after the last word.
        source: source of the converter.
    """

    first: int
    last: int
    source: str


def spans(words: Sequence[str]) -> list[Span]:
    """Find the number words of a text, with the words that may belong to them.

    >>> print(*((s.first, s.last) for s in spans("he paid twenty three dollars".split())))
    (2, 5)
    """
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
        if numbers and not alone and len(inside) <= MAX_SPAN_SYMBOLS:
            parts = symbols[max(0, start - NEIGHBOURS) : start], symbols[at : at + NEIGHBOURS]
            left, right = ([s if s in KNOWN else OTHER for s in part] for part in parts)
            source = " ".join([*left, OPEN, *inside, CLOSE, *right])
            found.append(Span(items[start][1], items[at - 1][2], source))
    return found


def _items(words: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield each symbol, with the index of its first word and the index after its last word."""
    at = 0
    while at < len(words):
        for size in (3, 2, 1):
            part = tuple(words[at : at + size])
            if size == 1 or part in PHRASES:
                yield PHRASES.get(part, part[0]), at, at + len(part)
                at += len(part)
                break


def _end(symbols: Sequence[str], at: int) -> int:
    """End of the span that starts with the number or month at an index."""
    while at < len(symbols):
        before, behind = symbols[at - 1] if at else "", symbols[at + 1 : at + 2]
        symbol = symbols[at]
        if symbol in STARTS or symbol in UNIT_WORDS:
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
    """Number of symbols before a span that belong to it, such as "a" hundred, "half past" five."""
    before = symbols[max(0, start - 3) : start]
    if before[-2:] in (["half", "past"], ["quarter", "past"]):
        return 3 if before[-2] == "quarter" and before[0] == "a" else 2
    if before[-1:] == ["a"] and symbols[start] in SCALES:
        return 1
    if before[-1:] == ["the"] and any(symbol in ORDINALS for symbol in symbols[start:end]):
        return 1
    return 0


def target_of(tokens: Iterable[str]) -> str:
    """Target of the converter for a written text: digits and signs one by one, words whole."""
    return f" {WORD_BREAK} ".join(
        " ".join(re.findall(r"[0-9]|[a-z]+|.", token)) if re.search("[0-9]", token) else token
        for token in tokens
    )


def tokens_of(target: str) -> list[str]:
    """Words of the written text of a target: the inverse of `target_of`."""
    return target.replace(" ", "").replace(WORD_BREAK, " ").split()
