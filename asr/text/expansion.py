"""What is written otherwise than it is said: dates, abbreviations, capitals, units, fractions.

Numbers, money and times of day are left to `asr.text.tokenizers.spell_out`, which recognisers' texts share.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from num2words import num2words

LETTER_NAME_OFFSET = 0xE000
"""A letter that is to be said by its name is moved on by this much, to where Unicode has nothing:
"a" is a word."""

_TITLES = {"Mr": "mister", "Mrs": "missis", "Ms": "ms", "Dr": "doctor", "Prof": "professor",
           "St": "saint", "Sgt": "sergeant", "Gov": "governor", "Sen": "senator", "Rev": "reverend",
           "Gen": "general", "Col": "colonel", "Capt": "captain", "Lt": "lieutenant", "Mt": "mount",
           "Fr": "father"}  # fmt: skip
"""Before a name, with a dot or without."""
_STREETS = {"St": "street", "Dr": "drive", "Ave": "avenue", "Rd": "road", "Blvd": "boulevard"}
"""Behind a name, with a dot."""
_ABBREVIATIONS = {
    "etc.": "et cetera", "vs.": "versus", "e.g.": "for example", "i.e.": "that is",
    "jr.": "junior", "sr.": "senior", "approx.": "approximately", "dept.": "department",
    "inc.": "incorporated", "ltd.": "limited", "co.": "company", "fig.": "figure", "p.": "page",
    "pp.": "pages", "vol.": "volume", "mon.": "monday", "tue.": "tuesday", "wed.": "wednesday",
    "thu.": "thursday", "fri.": "friday", "sat.": "saturday", "sun.": "sunday",
}  # fmt: skip
_ENDING = frozenset(("etc.", "jr.", "sr.", "inc.", "ltd.", "co."))
"""Those that a sentence may end with."""
_DAYS = frozenset(("mon.", "tue.", "wed.", "thu.", "fri.", "sat.", "sun."))
_UNITS = {
    "km": "kilometer", "kg": "kilogram", "cm": "centimeter", "mm": "millimeter", "m": "meter",
    "g": "gram", "lb": "pound", "lbs": "pound", "oz": "ounce", "hz": "hertz", "khz": "kilo hertz",
    "mhz": "megahertz", "kb": "kilobyte", "mb": "megabyte", "gb": "gigabyte",
    "tb": "terabyte", "mph": "mile per hour", "ms": "millisecond", "min": "minute", "hr": "hour",
    "hrs": "hour", "sec": "second", "ft": "foot",
}  # fmt: skip
"""Behind a number."""
_MANY = {"foot": "feet", "mile per hour": "miles per hour"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_SHORT = {month[:3]: month for month in _MONTHS} | {"Sept": "September"}
_MONTH = "|".join((*_MONTHS, *sorted(_SHORT, key=len, reverse=True)))
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?P<year>1[1-9]\d\d|20\d\d)"
_CARDINAL = r"World War|War|Chapter|Part|Volume|Act|Scene|Phase|Type|Book|Section"
_ROMAN = r"(?:X{0,2}(?:IX|IV|V?I{1,3}|VI{0,3})|X{1,2})"


def expand_written_forms(text: str, known: Collection[str] = ()) -> str:
    """All that this module knows, in words; capitals and punctuation stay where they are.

    Args:
        known: words of the lexicon; capitals that are one of them, such as NASA, are not spelled.
    """
    text = text.replace("’", "'")
    text = re.sub(
        r"\b[A-Z][A-Z']+(?:[^\w]+[A-Z][A-Z']*){2,}\b", lambda m: _shouted(m[0], known), text
    )
    text = _dates(text)
    text = _numbers(text)
    text = _abbreviations(text)
    text = _roman(text)
    return _letters(text, known)


def _shouted(text: str, known: Collection[str]) -> str:
    """A run of capitals in small letters, if most are words: DO NOT ENTER, not YMCA, BBC, FBI."""
    words = re.findall("[A-Z']+", text)
    are_words = [word.lower() in known for word in words]
    if sum(are_words) < 0.6 * len(words):
        return text
    text = re.sub("[A-Z']+", lambda m: m[0].lower() if m[0].lower() in known else m[0], text)
    return re.sub(r"(?<=[.?!])\s+[a-z]|^[a-z]", lambda m: m[0].upper(), text)


def _dates(text: str) -> str:
    text = re.sub(r"\b(\d{4})-(\d\d)-(\d\d)\b", lambda m: _date(m[0], m[2], m[3], m[1]), text)
    text = re.sub(r"\b(\d\d?)/(\d\d?)/(\d{4})\b", lambda m: _date(m[0], m[1], m[2], m[3]), text)

    def month_first(m: re.Match[str]) -> str:
        month = _SHORT.get(m["month"], m["month"])
        year = f", {_year(m['year'])}" if m["year"] else ""
        return f"{month} {_ordinal(m['day'])}{year}"

    text = re.sub(
        rf"\b(?P<month>{_MONTH})\.?\s+{_DAY}(?:st|nd|rd|th)?\b(?!\s?[:%])(?:,?\s+{_YEAR}\b)?",
        month_first, text,
    )  # fmt: skip
    text = re.sub(
        rf"\b{_DAY}\s+(?P<month>{_MONTH})\b\.?",
        lambda m: f"the {_ordinal(m['day'])} of {_SHORT.get(m['month'], m['month'])}", text,
    )  # fmt: skip
    text = re.sub(r"\b(Jan|Feb|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.", lambda m: _SHORT[m[1]], text)
    words = rf"in|since|until|by|from|to|of|year|In|Since|Until|By|From|{'|'.join(_MONTHS)}"
    before = (
        rf"(?P<before>\b(?:{words}),?\s+|{_YEAR}[–-]){_YEAR.replace('year', 'second')}\b(?![,.]\d)"
    )

    def year(m: re.Match[str]) -> str:
        first = f"{_year(m['year'])} to " if m["year"] else m["before"]
        return first + _year(m["second"])

    return re.sub(before, year, text)


def _date(as_written: str, month: str, day: str, year: str) -> str:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return as_written
    return f"{_MONTHS[int(month) - 1]} {_ordinal(day)}, {_year(year)}"


def _ordinal(digits: str) -> str:
    return num2words(int(digits), to="ordinal").replace("-", " ")


def _year(digits: str) -> str:
    return num2words(int(digits), to="year").replace("-", " ")


def _numbers(text: str) -> str:
    text = re.sub(r"\b(\d{1,2}):00(?=\s*[ap]\.?m\b)", r"\1", text, flags=re.IGNORECASE)
    # More than one point: a version or an address.
    text = re.sub(r"\b\d+(?:\.\d+){2,}\b", lambda m: m[0].replace(".", " point "), text)
    text = re.sub(r"(?<![\w.])[-−](?=\d)", "minus ", text)
    text = re.sub(r"\bNo\.\s?(?=\d)", "Number ", text)
    text = re.sub(r"\bno\.\s?(?=\d)|#(?=\d)", "number ", text)
    text = re.sub(r"\b(?:(\d+)\s+)?([1-9])/([2-9]|1[0-6])\b(?!/)", _fraction, text)
    units = "|".join(sorted(_UNITS, key=len, reverse=True))
    return re.sub(rf"\b(\d[\d,.]*)\s?({units})\b\.?(?!\w)", _unit, text, flags=re.IGNORECASE)


def _fraction(match: re.Match[str]) -> str:
    whole, above, below = match[1], int(match[2]), int(match[3])
    name = {2: "half", 4: "quarter"}.get(below) or _ordinal(match[3])
    if above > 1:
        name = "halves" if below == 2 else f"{name}s"
    return f"{whole + ' and ' if whole else ''}{'a' if whole and above == 1 else above} {name}"


def _unit(match: re.Match[str]) -> str:
    number, unit = match[1], match[2]
    if unit in ("M", "G", "MIN", "MS") or (unit == "m" and not match[0].endswith(("m", "m."))):
        return match[0]
    one = _UNITS[unit.lower()]
    many = one if one.endswith("hertz") else _MANY.get(one, f"{one}s")
    # A dot that ends the sentence, too, is kept.
    after = match.string[match.end() :]
    dot = "." if match[0].endswith(".") and re.match(r"\s*$|\s+[A-Z]", after) else ""
    return f"{number} {one if number == '1' else many}{dot}"


def _abbreviations(text: str) -> str:
    streets = "|".join(_STREETS)
    text = re.sub(
        rf"(?<=[a-z] )({streets})\.(?!\s+[A-Z][a-z])", lambda m: _STREETS[m[1]] + _dot(m), text
    )
    titles = "|".join(_TITLES)
    text = re.sub(
        rf"\b({titles})(?:\.(?=\s)|(?=\s+[A-Z]))", lambda m: _TITLES[m[1]].capitalize(), text
    )
    known = "|".join(re.escape(a) for a in sorted(_ABBREVIATIONS, key=len, reverse=True))

    def written(m: re.Match[str]) -> str:
        short = m[0].lower()
        if short in _DAYS and m[0][0].islower():  # "he sat."
            return m[0]
        long = _ABBREVIATIONS[short]
        return (long.capitalize() if m[0][0].isupper() else long) + (
            _dot(m) if short in _ENDING else ""
        )

    return re.sub(rf"(?<![\w.])({known})(?!\w)", written, text, flags=re.IGNORECASE)


def _dot(match: re.Match[str]) -> str:
    """The full stop that an abbreviation's dot also is, before a capital or at the end."""
    return "." if re.match(r"\s*$|\s+[A-Z]", match.string[match.end() :]) else ""


def _roman(text: str) -> str:
    def number(letters: str) -> int:
        values = [{"I": 1, "V": 5, "X": 10}[c] for c in letters]
        later = (*values[1:], 0)
        return sum(-v if v < n else v for v, n in zip(values, later, strict=True))

    text = re.sub(
        rf"\b({_CARDINAL})\s+({_ROMAN})\b",
        lambda m: f"{m[1]} {number(m[2])}" if m[2] else m[0],
        text,
    )
    # Not a lone I, V or X, which is no number behind a name.
    return re.sub(
        rf"\b([A-Z][a-z]+)\s+(?=[IVX]{{2}})({_ROMAN})\b",
        lambda m: f"{m[1]} the {_ordinal(str(number(m[2])))}", text,
    )  # fmt: skip


def _letters(text: str, known: Collection[str]) -> str:
    """What is said letter by letter: U.S.A., BBC, a.m., and initials."""

    def spelled(letters: str) -> str:
        return " ".join(
            chr(ord(c) + LETTER_NAME_OFFSET) for c in letters.lower() if "a" <= c <= "z"
        )

    text = re.sub(
        r"\b(?:[A-Za-z]\.){2,}",
        lambda m: spelled(m[0]) + _dot(m), text,
    )  # fmt: skip
    text = re.sub(r"(?<=\d)\s?([ap]m)\b", lambda m: f" {spelled(m[1])}", text, flags=re.IGNORECASE)
    text = re.sub(r"\b([A-HJ-Z])\.(?=\s+[A-Z\ue061-\ue07a])", lambda m: spelled(m[1]), text)

    def capitals(match: re.Match[str]) -> str:
        word = match[0]
        said = len(word) > 3 and word.lower() in known
        return word if said else spelled(word)

    text = re.sub(r"\b[A-Z]{2,5}\b(?!')", capitals, text)
    return re.sub(r"(?<=[A-Za-z])\.(?=[a-z]{2,}\b)", " dot ", text)
