"""Rules for plain numbers: fractions, ordinals, ranges, scores, signs before numbers."""

from __future__ import annotations

import re

from asr.text.verbalisation.fractions import FRACTION, read_fraction
from asr.text.verbalisation.numerals import (
    code,
    decimal_text,
    digit_by_digit,
    ordinal,
    plural,
    read_number,
)
from asr.text.verbalisation.rules import DASH, NOT_INSIDE, NUMBER, after, before, rule

_SCALES = {"k": "thousand", "K": "thousand", "M": "million", "B": "billion", "bn": "billion"}
_RESOLUTIONS = frozenset(("2K", "4K", "8K"))
_RUN = re.compile(r"\s(?:run|race)\b")


def _scaled(m: re.Match[str]) -> str | None:
    if m[0] in _RESOLUTIONS or (m["scale"] in "kK" and after(m, _RUN)):
        return None
    return f"{read_number(m['number'])} {_SCALES[m['scale']]}"


def _range(m: re.Match[str]) -> str:
    first, last = read_number(m["first"]), read_number(m["last"])
    return f"{first} {last}" if first == last and m["first"] == "50" else f"{first} to {last}"


def _times(m: re.Match[str]) -> str:
    return f"{read_number(m['first'])} by {read_number(m['last'])}"


_EMERGENCY = re.compile(r"\b(?:[Cc]all(?:ed|ing|s)?|[Dd]ial(?:ed|ing|s)?|[Rr]ing|[Rr]ang) \Z")


def _emergency(m: re.Match[str]) -> str | None:
    return digit_by_digit(m[0]) if before(m, _EMERGENCY) else None


_NAMED = (
    r"Room|Flight|Route|Highway|Hwy|Boeing|Box|Interstate|Bus|Gate|Unit|Platform|Locker|Channel"
)

FRACTION_RULES = (
    rule(
        "numbers: fraction",
        rf"(?<![\w./]){FRACTION}(?![\w/]|\.\d)",
        read_fraction,
    ),
    rule("numbers: emergency", r"(?<![\w.])(?:911|999|112|101|311|411)(?![\w])", _emergency),
    rule(
        "numbers: ratio",
        r"(?<![\w.:])(?P<first>\d{1,4}):(?P<last>\d{1,4})(?![\w:])",
        lambda m: f"{read_number(m['first'])} to {read_number(m['last'])}",
    ),
    rule(
        "numbers: thousands separated by points, spaces or apostrophes",
        r"(?<![\w.,])(?:\d{1,3}(?:\.\d{3}){2,6}(?:,\d{1,4})?|\d{1,3}(?:[ \u00a0\u202f]\d{3}){2,6}"
        r"|\d{1,3}(?:'\d{3}){1,6}|\d{1,3}(?:[\u00a0\u202f]\d{3})|\d{1,3}\.\d{3}(?=\s(?:euros?)\b)"
        r"|\d{1,3}(?:\.\d{3}){1,6},\d{1,4})(?![\w.]\d|\d)",
        lambda m: read_number(_without_points(m[0])),
    ),
    rule(
        "numbers: letter for thousands, millions, billions",
        rf"{NOT_INSIDE}(?P<number>{NUMBER})(?P<scale>bn|[kKM]|B(?=\s[a-z]))(?!\w)",
        _scaled,
    ),
    rule(
        "numbers: multiplication sign between sides",
        rf"{NOT_INSIDE}(?P<first>{NUMBER})x(?P<last>{NUMBER})(?![\w])",
        _times,
    ),
)


def _without_points(written: str) -> str:
    plain = re.fullmatch(r"\d{1,3}\.\d{3}", written)
    return written.replace(".", "") if plain else decimal_text(written)


NEGATIVE_RULES = (
    rule("numbers: sign minus", r"(?<![\w.)%°])[-−](?=[$€£¥]?\.?\d)", lambda m: "minus "),
)
"""The sign of a number, which may have a unit or a currency."""
NUMBER_SIGN_RULES = (
    rule(
        "numbers: number sign",
        r"#(?P<currency>[$€£¥]?)(?=\.?\d)|\b[Nn]o\.\s?(?=\d)",
        lambda m: f"number {m['currency'] or ''}",
    ),
)
"""Before all other kinds of numbers, which would leave the sign: "#1 min.", "No. 1/2", "#$5"."""
NUMBER_RULES = (
    rule(
        "numbers: difference",
        rf"(?<=\d)(?P<sign>\s[-−]\s(?=\d)|{DASH}(?=\d{{1,15}}\s?=))",
        lambda m: " minus ",
    ),
    rule(
        "numbers: from … to",
        rf"(?<![\w.$€£+-])(?<!\d,)(?P<first>{NUMBER})(?:\s?–\s?|{DASH})(?P<last>{NUMBER})"
        rf"(?![\w]|{DASH}\d|\.\d)",
        _range,
    ),
    rule("numbers: sign plus", r"(?<![\w.)%°])\+(?=\.?\d)", lambda m: "plus "),
    rule(
        "numbers: ordinal",
        r"(?<![\w.])(?P<number>\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:st|nd|rd|th)\b",
        lambda m: ordinal(int(m["number"].replace(",", ""))),
    ),
    rule(
        "numbers: plural",
        r"(?<![\w.])(?P<number>\d{1,4})'?s\b",
        lambda m: plural(read_number(m["number"])),
    ),
    rule(
        "numbers: retirement plans and sections",
        r"(?<![\w.])(?P<number>\d{3})\((?P<letter>[a-z])\)",
        lambda m: f"{code(m['number'])} {m['letter']}",
    ),
    rule(
        "numbers: number that is a name",
        rf"\b(?P<name>{_NAMED})\s(?P<number>\d{{3,4}})(?![\w.,]\d|\d|-)",
        lambda m: f"{m['name']} {code(m['number'])}",
    ),
    rule(
        "numbers: number",
        r"(?<!\d)(?P<number>\d{1,3}(?:,\d{3}){1,8}(?!\d)(?:\.\d{1,40})?"
        r"|\d{1,100}(?:\.\d{1,100})?|\.\d{1,100})",
        lambda m: read_number(m["number"]),
    ),
)
"""Rules for what is left of numbers. The last one reads every digit."""
