"""Rules for telephone numbers: digit by digit, with a pause after each group."""

from __future__ import annotations

import re

from asr.text.verbalisation.numerals import digit_by_digit
from asr.text.verbalisation.rules import DASH, rule

_FREE = {"800": "eight hundred", "900": "nine hundred"}


def _telephone(m: re.Match[str]) -> str:
    groups = re.findall(r"[A-Z]+|\d+", m[0])
    words = [
        group.lower()
        if group.isalpha()
        else (_FREE.get(group) if i == 1 and groups[0] == "1" else None) or digit_by_digit(group)
        for i, group in enumerate(groups)
    ]
    return ("plus " if m[0].startswith("+") else "") + ", ".join(words)


_END = rf"(?![\w]|{DASH}\d|[.,]\d)"
TELEPHONE_RULES = (
    rule(
        "telephone: international",
        rf"(?<![\w+])\+\d{{1,3}}(?:[ .-]?\(?\d{{2,5}}\)?){{2,6}}{_END}",
        _telephone,
    ),
    rule(
        "telephone: with letters",
        r"(?<![\w.-])1-8\d\d-(?=[\d-]{0,4}[A-Z])[A-Z0-9-]{4,12}\b",
        _telephone,
    ),
    rule(
        "telephone: area code",
        rf"(?<![\w.-])(?:1[ .-])?(?:\(\d{{3}}\)[\s-]?|\d{{3}}(?P<mark>[-. ])(?=\d{{3}}(?P=mark)))"
        rf"\d{{3}}[-. ]\d{{4}}{_END}",
        _telephone,
    ),
    rule("telephone: mobile", rf"(?<![\w.-])\d{{3}}-\d{{4}}-\d{{4}}{_END}", _telephone),
    rule(
        "telephone: number of an insurance",
        rf"(?<![\w.-])\d{{3}}-\d{{2}}-\d{{4}}{_END}",
        _telephone,
    ),
    rule("telephone: local", rf"(?<![\w.$€£-])\d{{3}}-\d{{4}}{_END}(?!\s?[%°])", _telephone),
    rule(
        "telephone: leading zero", rf"(?<![\w.-])0\d{{2,4}} \d{{3,4}} \d{{3,4}}{_END}", _telephone
    ),
)
