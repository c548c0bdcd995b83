"""Rules for dates, months, weekdays, decades and years."""

from __future__ import annotations

import re

from asr.text.number_words import MONTHS
from asr.text.verbalisation.numerals import cardinal, ordinal, plural, read_number, year
from asr.text.verbalisation.rules import DASH, after, before, letter_names, rule

SHORT_MONTHS = {month[:3]: month for month in MONTHS} | {"Sept": "September"}
_SMALL = {
    name.lower(): long
    for name, long in (SHORT_MONTHS | dict(zip(MONTHS, MONTHS, strict=True))).items()
    if name.lower() not in ("may", "march", "mar")
}
"""Months in small letters, without those that are also other words."""
MONTH = "|".join(
    sorted({*MONTHS, *SHORT_MONTHS, *_SMALL, *map(str.upper, _SMALL)}, key=len, reverse=True)
)
WEEKDAYS = {
    "Mon": "Monday",
    "Tues": "Tuesday",
    "Tue": "Tuesday",
    "Wed": "Wednesday",
    "Thurs": "Thursday",
    "Thur": "Thursday",
    "Thu": "Thursday",
    "Fri": "Friday",
    "Sat": "Saturday",
    "Sun": "Sunday",
}
_WEEKDAY = "|".join(WEEKDAYS)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:1\d{3}|20\d\d)"
_END = r"(?![\w]|[.,:/-]\d)"


def _month(written: str) -> str:
    return SHORT_MONTHS.get(written) or _SMALL.get(written.lower(), written)


def _month_first(month: int, day: int, year_digits: str) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{MONTHS[month - 1]} {ordinal(day)}, {year(int(year_digits))}"


def _iso(m: re.Match[str]) -> str | None:
    date = _month_first(int(m["month"]), int(m["day"]), m["year"])
    if date is None or not m["time"]:
        return date
    zone = f" {letter_names('UTC')}" if m["zone"] == "Z" else ""
    return f"{date}, {m['time'][:5]}{zone}"  # the rules for times read the rest


def _numeric(m: re.Match[str]) -> str | None:
    first, second, written = int(m["first"]), int(m["second"]), m["year"]
    if len(written) == 2:
        written = ("20" if int(written) < 50 else "19") + written
    if first <= 12 and (m["mark"] != "." or second > 12):
        return _month_first(first, second, written)
    if not (1 <= first <= 31 and 1 <= second <= 12):
        return None
    return f"the {ordinal(first)} of {MONTHS[second - 1]}, {year(int(written))}"


def _month_day(m: re.Match[str]) -> str:
    last = f" to {ordinal(int(m['last']))}" if m["last"] else ""
    ending = f", {year(int(m['year']))}" if m["year"] else ""
    return f"{_month(m['month'])} {ordinal(int(m['day']))}{last}{ending}"


def _day_month(m: re.Match[str]) -> str:
    last = f" to the {ordinal(int(m['last']))}" if m["last"] else ""
    ending = f" {year(int(m['year']))}" if m["year"] else ""
    return f"the {ordinal(int(m['day']))}{last} of {_month(m['month'])}{ending}"


def _short_year(digits: str) -> str:
    return f"oh {cardinal(int(digits))}" if digits[0] == "0" else cardinal(int(digits))


def _decade(m: re.Match[str]) -> str:
    digits = m["decade"]
    round_number = {"10": "ten", "100": "hundred", "1000": "thousand"}
    if digits in round_number and after(m, re.compile(" of ")):
        return plural(round_number[digits])
    return plural(year(int(digits)))


def _year_range(m: re.Match[str]) -> str | None:
    first, last = m["first"], m["last"]
    if len(last) == 2 and int(first[2:]) > int(last):
        return None
    second = year(int(last)) if len(last) == 4 else _short_year(last)
    return f"{year(int(first))} to {second}"


def _era(m: re.Match[str]) -> str:
    era, digits = m["before"] or m["after"], m["digits"]
    words = year(int(digits)) if len(digits) == 4 else read_number(digits)
    return f"{letter_names(era)} {words}" if m["before"] else f"{words} {letter_names(era)}"


def _quarter(m: re.Match[str]) -> str:
    ending = f" {year(int(m['year']))}" if m["year"] else ""
    return f"{letter_names('Q')} {cardinal(int(m['quarter']))}{ending}"


DATE_RULES = (
    rule(
        "dates: ISO 8601",
        rf"(?<![\w.-])(?P<year>\d{{4}})(?P<mark>[-/.])(?P<month>\d\d?)(?P=mark)(?P<day>\d\d?)"
        rf"(?:T(?P<time>\d\d:\d\d)(?::\d\d(?:\.\d{{1,9}})?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?{_END}",
        _iso,
    ),
    rule(
        "dates: day and month in digits",
        r"(?<![\w./-])(?P<first>\d\d?)(?P<mark>[-/.])(?P<second>\d\d?)(?P=mark)"
        rf"(?P<year>{_YEAR}|(?<=/)\d\d){_END}",
        _numeric,
    ),
    rule(
        "dates: weekdays from … to",
        rf"\b(?P<first>{_WEEKDAY})\.?\s?{DASH}\s?(?P<last>{_WEEKDAY})\b\.?",
        lambda m: f"{WEEKDAYS[m['first']]} to {WEEKDAYS[m['last']]}",
    ),
    rule(
        "dates: weekday before a date or time",
        rf"\b(?P<day>{_WEEKDAY})\.?(?=,?\s(?:{MONTH}|the \d|\d))",
        lambda m: WEEKDAYS[m["day"]],
    ),
    rule(
        "dates: weekday with a dot",
        r"\b(?P<day>Mon|Tues?|Thurs?|Thu|Fri)\.(?!\w)",
        lambda m: WEEKDAYS[m["day"]],
    ),
    rule(
        "dates: months from … to",
        rf"\b(?P<first>{MONTH})\.?\s?{DASH}\s?(?P<last>{MONTH})\b\.?(?:\s(?P<year>{_YEAR})\b)?",
        lambda m: (
            f"{_month(m['first'])} to {_month(m['last'])}"
            + (f" {year(int(m['year']))}" if m["year"] else "")
        ),
    ),
    rule(
        "dates: month and day",
        rf"\b(?P<month>{MONTH})(?:\.?\s{{1,3}}|-)(?P<day>{_DAY})(?:st|nd|rd|th)?"
        rf"(?:\s?{DASH}\s?(?P<last>{_DAY})(?:st|nd|rd|th)?)?\b(?!\s?[:%$€£]|[.,]\d)"
        rf"(?:(?:,?\s{{1,3}}|-)(?P<year>{_YEAR})\b(?![.,]\d))?",
        _month_day,
    ),
    rule(
        "dates: day and month",
        rf"(?<![\w.,:$€£-])(?:[Tt]he\s)?(?P<day>{_DAY})(?:st|nd|rd|th)?"
        rf"(?:\s?{DASH}\s?(?P<last>{_DAY})(?:st|nd|rd|th)?)?\s(?:of\s)?"
        rf"(?P<month>{MONTH})\b\.?(?:,?\s{{1,3}}(?P<year>{_YEAR})\b(?![.,]\d))?",
        _day_month,
    ),
    rule(
        "dates: month and year",
        rf"\b(?P<month>{MONTH})\.?,?\s(?:(?P<year>{_YEAR})\b(?![.,]\d)|'(?P<short>\d\d)\b)",
        lambda m: (
            f"{_month(m['month'])} "
            + (year(int(m["year"])) if m["year"] else _short_year(m["short"]))
        ),
    ),
    rule(
        "dates: month with a dot",
        r"\b(?P<month>Jan|Feb|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.",
        lambda m: SHORT_MONTHS[m["month"]],
    ),
    rule(
        "dates: quarter",
        rf"\bQ(?P<quarter>[1-4])\b(?:\s(?P<year>{_YEAR})\b)?",
        _quarter,
    ),
    rule("dates: September 11", r"(?<![\w/.-])9/11(?![\w/])", lambda m: "nine eleven"),
)
"""Rules for dates. They stand before those for numbers, money and units."""

_YEAR_WORDS = re.compile(
    rf"(?:\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Tt]ill|[Bb]y|[Ff]rom|to|of|and|or|[Bb]efore|[Aa]fter"
    rf"|[Dd]uring|[Aa]round|[Yy]ear|[Bb]etween|[Cc]irca|{'|'.join(MONTHS)}),?|,) \Z"
)
_SURE_YEAR_WORDS = re.compile(r"\b(?:[Ss]ince|[Uu]ntil|[Dd]uring|[Yy]ear|[Cc]irca) \Z")
_COUNTED = re.compile(
    r"\s(?!(?:was|is|has|as|its|this|his|us|plus|does|across|always|perhaps|towards|thus|yes)\b)"
    r"(?:[a-z]{2,20}[^s\W]s\b|people\b|men\b|women\b|children\b|times\b|of\b)"
)


def _bare_year(m: re.Match[str]) -> str | None:
    n = int(m[0])
    if after(m, _COUNTED) and not before(m, _SURE_YEAR_WORDS):
        return None
    return year(n) if n >= 1100 or before(m, _YEAR_WORDS) else None


YEAR_RULES = (
    rule(
        "years: era",
        r"(?:(?<![\w.])(?P<before>A\.?D\.?)\s)?(?<![\w.,])(?P<digits>\d{1,5})"
        r"(?(before)(?!\w)|\s?(?P<after>BCE|BC|CE|AD|B\.C\.E\.|B\.C\.|A\.D\.)(?!\w))",
        _era,
    ),
    rule(
        "years: from … to",
        rf"(?<![\w.,:/$€£-])(?P<first>{_YEAR})\s?{DASH}\s?(?P<last>{_YEAR}|\d\d){_END}",
        _year_range,
    ),
    rule(
        "years: decades from … to",
        rf"(?<![\w.,])(?P<first>\d{{1,3}}0)'?s\s?{DASH}\s?'?(?P<last>\d{{1,3}}0)'?s\b",
        lambda m: f"{plural(year(int(m['first'])))} to {plural(year(int(m['last'])))}",
    ),
    rule("years: decade", r"(?<![\w.,])'?(?P<decade>\d{1,3}0)'?s\b", _decade),
    rule(
        "years: two digits",
        r"(?<![\w'])'(?P<year>\d\d)\b(?!['\w])",
        lambda m: _short_year(m["year"]),
    ),
    rule("years: four digits", rf"(?<![\w.,:/$€£#+^-]){_YEAR}(?![\w%°]|[.,:/]\d|\s?%)", _bare_year),
)
"""Rules for years. They stand after those for money and units: "2000 km" is no year."""
