"""Rules for Roman numerals of rulers, wars, chapters, titles and centuries."""

from __future__ import annotations

import re

from asr.text.verbalisation.numerals import cardinal, ordinal
from asr.text.verbalisation.rules import rule

_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_CANONICAL = re.compile(
    "M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})\\Z"  # 1 to 3999
)
_SIZES = frozenset(("XL", "XXL", "XXXL"))
_RULERS = (
    "Alexander|Alfonso|Benedict|Catherine|Charles|Christian|Clement|Edward|Elizabeth|Ferdinand"
    "|Francis|Franz|Frederick|George|Gregory|Gustav|Haakon|Harald|Henri|Henry|Innocent|Isabella"
    "|Ivan|James|John|Joseph|Juan|Julius|Leo|Leopold|Louis|Margrethe|Mary|Maximilian|Mehmed"
    "|Napoleon|Nicholas|Otto|Paul|Peter|Philip|Pius|Ptolemy|Ramesses|Richard|Robert|Umberto|Urban"
    "|Victor|Wilhelm|William"
)
_DIGNITIES = "King|Queen|Pope|Emperor|Empress|Tsar|Prince|Princess|Sultan|Pharaoh|Kaiser"
_NUMBERED = (
    "World War|War|Chapter|Part|Volume|Act|Scene|Phase|Type|Book|Section|Article|Title|Stage|Grade"
    "|Class|Level|Episode|Season|Appendix|Figure|Table|Unit|Mark|Round|Tier|Canto|Division|Schedule"
)
_ROMAN = "[IVXLCDM]{1,12}"


def value(letters: str) -> int | None:
    """The value of a Roman numeral; None if the letters are none.

    >>> value("LVIII"), value("IIX")
    (58, None)
    """
    if not letters or not _CANONICAL.match(letters):
        return None
    values = [_VALUES[c] for c in letters]
    later = (*values[1:], 0)
    return sum(-v if v < n else v for v, n in zip(values, later, strict=True))


def _cardinal(m: re.Match[str]) -> str | None:
    n = value(m["roman"])
    return None if n is None else f"{m['name']} {cardinal(n)}"


def _ordinal(m: re.Match[str]) -> str | None:
    n = value(m["roman"])
    return None if n is None else f"{m['name']} the {ordinal(n)}"


def _century(m: re.Match[str]) -> str | None:
    n = value(m["roman"])
    return None if n is None else ordinal(n)


def _sequel(m: re.Match[str]) -> str | None:
    # A single letter is rather an initial, and XL a size.
    return None if m["roman"] in _SIZES else _cardinal(m)


ROMAN_RULES = (
    rule("Roman numerals: world wars", r"\bWW(?=I{1,2}\b)", lambda m: "World War"),
    rule(
        "Roman numerals: part of a work or a series",
        rf"\b(?P<name>{_NUMBERED})\s(?P<roman>{_ROMAN})\b(?!')",
        _cardinal,
    ),
    rule(
        # "the part I like" has no number.
        "Roman numerals: part of a work or a series, in small letters",
        rf"\b(?P<name>{_NUMBERED.lower()})\s(?P<roman>[IVXLC]{{2,12}}|[VX])\b(?!')",
        _cardinal,
    ),
    rule(
        "Roman numerals: ruler with a dignity",
        rf"\b(?P<name>(?:{_DIGNITIES})\s[A-Z][a-z]{{1,20}}(?:\s[A-Z][a-z]{{1,20}})?)\s"
        rf"(?P<roman>[IVX]{{1,6}})\b(?!')",
        _ordinal,
    ),
    rule(
        "Roman numerals: ruler",
        rf"\b(?P<name>(?:{_RULERS})(?:\s[A-Z][a-z]{{1,20}})?)\s(?P<roman>[IVX]{{2,6}})\b",
        _ordinal,
    ),
    rule(
        "Roman numerals: century",
        rf"\b(?P<roman>{_ROMAN})(?=\s(?:century|centuries)\b)",
        _century,
    ),
    rule(
        "Roman numerals: sequel",
        r"\b(?P<name>[A-Z][a-z]{1,20})\s(?P<roman>[IVXL]{2,8})\b",
        _sequel,
    ),
)
