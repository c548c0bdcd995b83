"""Rules for times of day, time zones and durations."""

from __future__ import annotations

import re

from asr.text.verbalisation.numerals import cardinal
from asr.text.verbalisation.rules import DASH, full_stop, letter_names, rule

_HALF = r"(?:[ap]\.\s?m\.|[AP]\.\s?M\.|[ap]m\b|[AP]M\b|[ap]\.m\b)"
_CLOCK = rf"\d{{1,2}}(?::[0-5]\d(?::[0-5]\d)?(?:\s?{_HALF})?|\s?{_HALF})"
_ZONE = (
    r"(?:UTC|GMT|EST|EDT|ET|CST|CDT|CT|MST|MDT|MT|PST|PDT|PT|CET|CEST|EET|BST|IST|JST|AEST|AEDT)"
)
_PARTS = re.compile(rf"(\d{{1,2}})(?::(\d\d))?(?::(\d\d))?\s?({_HALF})?\Z")


def read_time(written: str) -> str | None:
    """A time of day in words; None if there is no such time.

    Args:
        written: hour, minute and second with or without a.m. or p.m., such as 5:30 PM or 7am.
    """
    parts = _PARTS.match(written)
    if parts is None or int(parts[1]) > 24:
        return None
    hour, minute, second = int(parts[1]), int(parts[2] or 0), parts[3]
    words = cardinal(hour)
    if minute:
        words += f" {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    elif second:
        words += " oh oh"
    elif parts[2] and not parts[4]:
        words += " o'clock" if hour <= 12 else " hundred"
    if second:
        words += f" and {cardinal(int(second))} seconds"
    return f"{words} {letter_names(parts[4])}" if parts[4] else words


def _time(m: re.Match[str]) -> str | None:
    words = read_time(m["time"])
    if words is None:
        return None
    if m["zone"]:
        return f"{words} {letter_names(m['zone'])}{_offset(m['sign'], m['offset'])}"
    return words + (full_stop(m) if m["time"].endswith(".") else "")


def _range(m: re.Match[str]) -> str | None:
    first, last = read_time(m["first"]), read_time(m["last"])
    if first is None or last is None:
        return None
    return f"{first} to {last}" + (full_stop(m) if m["last"].endswith(".") else "")


def _offset(sign: str | None, hours: str | None) -> str:
    return f" {'plus' if sign == '+' else 'minus'} {cardinal(int(hours))}" if sign and hours else ""


def _hours_and_minutes(m: re.Match[str]) -> str:
    hours, minutes = int(m[1]), int(m[2])
    return (
        f"{cardinal(hours)} {'hour' if hours == 1 else 'hours'} "
        f"{cardinal(minutes)} {'minute' if minutes == 1 else 'minutes'}"
    )


_START = r"(?<![\w.:/-])"
TIME_RULES = (
    rule(
        "times: from … to",
        rf"{_START}(?P<first>{_CLOCK}|\d{{1,2}}(?=\s?{DASH}\s?\d{{1,2}}(?::[0-5]\d)?\s?{_HALF}))"
        rf"\s?{DASH}\s?(?P<last>{_CLOCK}|(?<=\d:\d\d{DASH})\d{{1,2}})(?![\w:])",
        _range,
    ),
    rule(
        "times: time of day",
        rf"{_START}(?P<time>{_CLOCK})(?![\w:])(?:\s(?P<zone>{_ZONE})\b"
        r"(?:(?P<sign>[+−-])(?P<offset>\d{1,2})\b)?)?",
        _time,
    ),
    rule(
        "times: military",
        r"(?<![\w.])(?P<hour>[01]\d|2[0-4])00\s(?=hours\b|hrs\b)",
        lambda m: ("zero " if m["hour"][0] == "0" else "") + f"{cardinal(int(m['hour']))} hundred ",
    ),
    rule(
        "times: zone with an offset",
        r"\b(?P<zone>UTC|GMT)\s?(?P<sign>[+−-])(?P<offset>\d{1,2})\b",
        lambda m: letter_names(m["zone"]) + _offset(m["sign"], m["offset"]),
    ),
    rule(
        "times: hours and minutes",
        r"(?<![\w.])(\d{1,3})\s?h\s?(\d{1,2})\s?m(?:in)?\b",
        _hours_and_minutes,
    ),
)
