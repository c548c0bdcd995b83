"""Rules for quantities: numbers with units, temperatures and percentages."""

from __future__ import annotations

import re

from asr.text.number_words import Noun
from asr.text.verbalisation.fractions import FRACTION, read_fraction
from asr.text.verbalisation.numerals import code, decimal_text, read_number
from asr.text.verbalisation.rules import (
    DASH,
    NOT_INSIDE,
    NUMBER,
    full_stop,
    is_attributive,
    rule,
)


def _regular(*names: str) -> dict[str, Noun]:
    """Symbols and names, alternating: the plural ends in s."""
    pairs = zip(names[::2], names[1::2], strict=True)
    return {symbol: Noun(name, f"{name}s") for symbol, name in pairs}


def _per(symbol: str, unit: str, units: str, denominator: str) -> dict[str, Noun]:
    return {symbol: Noun(f"{unit} per {denominator}", f"{units} per {denominator}")}


def _unchanged(*names: str) -> dict[str, Noun]:
    return {symbol: Noun(name, name) for symbol, name in zip(names[::2], names[1::2], strict=True)}


UNITS: dict[str, Noun] = {
    **_regular("km", "kilometer", "m", "meter", "dm", "decimeter", "cm", "centimeter"),
    **_regular("mm", "millimeter", "µm", "micrometer", "um", "micrometer", "nm", "nanometer"),
    **_regular("mi", "mile", "yd", "yard", "yds", "yard", "ha", "hectare"),
    "ft": Noun("foot", "feet"),
    "in": Noun("inch", "inches"),
    **_regular("kg", "kilogram", "g", "gram", "mg", "milligram", "µg", "microgram"),
    **_regular("mcg", "microgram", "lb", "pound", "lbs", "pound", "oz", "ounce"),
    **_regular("l", "liter", "L", "liter", "ml", "milliliter", "mL", "milliliter"),
    **_regular("cl", "centiliter", "dl", "deciliter", "gal", "gallon", "qt", "quart"),
    **_regular("tbsp", "tablespoon", "tsp", "teaspoon"),
    **_regular("h", "hour", "hr", "hour", "hrs", "hour", "min", "minute", "mins", "minute"),
    **_regular("s", "second", "sec", "second", "secs", "second", "ms", "millisecond"),
    **_regular("µs", "microsecond", "ns", "nanosecond", "yr", "year", "yrs", "year"),
    **_regular("wk", "week", "wks", "week", "mo", "month", "mos", "month"),
    **_unchanged("Hz", "hertz", "kHz", "kilo hertz", "MHz", "megahertz", "GHz", "gigahertz"),
    **_regular("KB", "kilobyte", "kB", "kilobyte", "MB", "megabyte", "GB", "gigabyte"),
    **_regular("TB", "terabyte", "PB", "petabyte", "kb", "kilobyte", "mb", "megabyte"),
    **_regular("gb", "gigabyte", "tb", "terabyte"),
    **_per("kbps", "kilobit", "kilobits", "second"),
    **_per("Kbps", "kilobit", "kilobits", "second"),
    **_per("Mbps", "megabit", "megabits", "second"),
    **_per("mbps", "megabit", "megabits", "second"),
    **_per("Gbps", "gigabit", "gigabits", "second"),
    **_per("mph", "mile", "miles", "hour"),
    **_per("kph", "kilometer", "kilometers", "hour"),
    **_per("mpg", "mile", "miles", "gallon"),
    **_per("fps", "frame", "frames", "second"),
    **_per("rpm", "revolution", "revolutions", "minute"),
    **_per("bpm", "beat", "beats", "minute"),
    **_per("dpi", "dot", "dots", "inch"),
    **_per("psi", "pound", "pounds", "square inch"),
    **_per("ppm", "part", "parts", "million"),
    **_regular("V", "volt", "kV", "kilovolt", "mV", "millivolt", "W", "watt", "kW", "kilowatt"),
    **_regular("MW", "megawatt", "GW", "gigawatt", "kWh", "kilowatt hour", "Wh", "watt hour"),
    **_regular("MWh", "megawatt hour", "mA", "milliamp", "mAh", "milliamp hour"),
    **_regular("Ω", "ohm", "kΩ", "kilo ohm", "MΩ", "mega ohm", "dB", "decibel", "db", "decibel"),
    **_regular("Pa", "pascal", "hPa", "hecto pascal", "kPa", "kilo pascal", "MPa", "mega pascal"),
    **_regular("cal", "calorie", "kcal", "kilo calorie", "J", "joule", "kJ", "kilo joule"),
    **_regular("mol", "mole", "K", "kelvin", "bbl", "barrel"),
    "mmHg": Noun("millimeter of mercury", "millimeters of mercury"),
    "sq ft": Noun("square foot", "square feet"),
    "sq. ft.": Noun("square foot", "square feet"),
    "sqft": Noun("square foot", "square feet"),
    **_regular("sq m", "square meter", "sq mi", "square mile", "sq km", "square kilometer"),
    "cu ft": Noun("cubic foot", "cubic feet"),
}
"""Units by their symbol. A symbol of two letters or more may also be in capitals, where that is no
other symbol."""
_ONLY_AFTER_SPACE = frozenset("GKMJshl")
"""Symbols that mean something else right behind a number: 5G, 4K, 20s."""
_NO_CAPITALS = frozenset(("MIN", "MS", "MINS", "MO", "IN", "UM", "S", "MM", "DM", "MI", "NS", "HA"))
_SYMBOLS = UNITS | {
    symbol.upper(): noun
    for symbol, noun in UNITS.items()
    if symbol.islower() and len(symbol) > 1 and symbol.upper() not in {*UNITS, *_NO_CAPITALS}
}
_DEGREES = {"C": "celsius", "F": "fahrenheit"}
_POWERS = {"2": "square", "²": "square", "3": "cubic", "³": "cubic"}
_RAISED = {"2": "squared", "²": "squared", "3": "cubed", "³": "cubed"}
_SYMBOL = "|".join(re.escape(s) for s in sorted(set(_SYMBOLS) - {"in"}, key=len, reverse=True))
# "in" is a word, too: it is a unit before a full stop, at the end, and before a cross or a power.
_UNIT = rf"(?:{_SYMBOL}|in(?=\.(?!\w)|\s{{0,9}}(?:\Z|[,;:)×²³])))"
_ANY_NUMBER = rf"(?:\d{{1,3}}(?:\.\d{{3}}){{2,6}}(?![\d.])|{NUMBER})"
_LINKS = {"x": "by", "×": "by"}
_MAGNITUDE = r"(?:\s(?P<magnitude>thousand|million|billion|trillion))?"
_FIRST = rf"(?:(?P<first>{_ANY_NUMBER})\s?(?P<link>{DASH}|[x×]|/(?=\d\d))\s?)?"


def read_quantity_number(written: str) -> str:
    """A number with the thousands separators of any country."""
    repeated = re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,6}", written)
    return read_number(decimal_text(written) if repeated else written)


def _numbers(m: re.Match[str]) -> str:
    last = read_quantity_number(m["number"])
    if m["first"] is None:
        return last
    if m["link"] == "/":
        return f"{code(m['first'])} over {last}"
    return f"{read_quantity_number(m['first'])} {_LINKS.get(m['link'], 'to')} {last}"


def _unit(m: re.Match[str]) -> str | None:
    symbol, denominator = m["unit"], m["denominator"]
    if symbol in _ONLY_AFTER_SPACE and not m["space"] and not denominator:
        return None
    noun = _SYMBOLS[symbol]
    one = m["number"] == "1" and m["first"] is None and not m["magnitude"]
    name = noun.singular if one or is_attributive(m) else noun.plural
    if m["power"]:
        name = f"{_POWERS[m['power']]} {name}"
    if denominator:
        below = _SYMBOLS[denominator].singular
        if m["raised"] and denominator in ("s", "h", "min"):
            below = f"{below} {_RAISED[m['raised']]}"
        elif m["raised"]:
            below = f"{_POWERS[m['raised']]} {below}"
        name += f" per {below}"
    magnitude = f" {m['magnitude']}" if m["magnitude"] else ""
    dot = full_stop(m) if m[0].endswith(".") else ""
    return f"{_numbers(m)}{magnitude} {name}{dot}"


def _temperature(m: re.Match[str]) -> str:
    scale = f" {_DEGREES[m['scale']]}" if m["scale"] else ""
    one = m["number"] == "1" and m["first"] is None
    return f"{_numbers(m)} {'degree' if one else 'degrees'}{scale}"


def _percent(m: re.Match[str]) -> str:
    return f"{_numbers(m)} {'percent' if m['sign'] == '%' else 'per thousand'}"


def _feet_and_inches(m: re.Match[str]) -> str:
    feet = "foot" if m["feet"] == "1" else "feet"
    inches = "inch" if m["inches"] == "1" else "inches"
    return f"{read_number(m['feet'])} {feet} {read_number(m['inches'])} {inches}"


def _inches(m: re.Match[str]) -> str | None:
    # A closing quotation mark behind a number is no sign for inches.
    if m.string.count('"', max(0, m.start() - 300), m.start()) % 2:
        return None
    one = m["number"] == "1" or is_attributive(m)
    return f"{read_number(m['number'])} {'inch' if one else 'inches'}"


def _fraction(m: re.Match[str]) -> str | None:
    if int(m["above"]) >= int(m["below"]):
        return None
    noun = _SYMBOLS[m["unit"]]
    return f"{read_fraction(m)} {noun.plural if m['whole'] else noun.singular}"


QUANTITY_RULES = (
    rule(
        "units: fraction of a unit",
        rf"(?<![\w./]){FRACTION}[\s\u202f]?(?P<unit>{_UNIT})(?!\w|/)\.?",
        _fraction,
    ),
    rule(
        "units: feet and inches",
        r"(?<![\w.'])(?P<feet>\d{1,2})(?:'\s?|\s?ft\.?\s)(?P<inches>\d{1,2}(?:\.\d)?)"
        r"(?:\"|''|\s?in\b\.?|(?=\s?\Z))",
        _feet_and_inches,
    ),
    rule("units: inches", r'(?<![\w.])(?P<number>\d{1,3}(?:\.\d{1,2})?)"(?!\w)', _inches),
    rule(
        "units: temperature or angle",
        rf"{NOT_INSIDE}(?:(?P<first>{NUMBER})\s?°?[CF]?(?P<link>{DASH}))?(?P<number>{NUMBER})"
        r"\s?°\s?(?:(?P<scale>[CF])\b)?",
        _temperature,
    ),
    rule(
        "units: percentage",
        rf"{NOT_INSIDE}(?:(?P<first>{NUMBER})\s?%?\s?(?P<link>{DASH})\s?)?(?P<number>{NUMBER})"
        r"\s?(?P<sign>[%‰])",
        _percent,
    ),
    rule(
        "units: quantity",
        rf"{NOT_INSIDE}{_FIRST}(?P<number>{_ANY_NUMBER}){_MAGNITUDE}(?P<space>[\s\u202f]?)"
        rf"(?P<unit>{_UNIT})(?:(?P<power>[²³]|(?<=m)[23](?!\w)|(?<=ft)[23](?!\w)))?"
        rf"(?:/(?P<denominator>{_UNIT})(?P<raised>[²³]|(?<=m)[23](?!\w))?)?(?![\w²³])\.?",
        _unit,
    ),
)
