"""SSML: `read_markup` turns a text that begins with <speak> into a `MarkedText`.

W3C Speech Synthesis Markup Language 1.1: <p>, <s>, <break>, <sub>, <phoneme>, <say-as> and
<prosody> are obeyed. Other elements of SSML, and of vendors, are named in a warning; their content
is spoken. Tags of other languages, such as HTML, are errors.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from math import log2
from xml.etree import ElementTree

from asr.errors import TextError
from asr.text.number_words import MONTHS
from asr.text.verbalisation.fractions import FRACTION, read_fraction
from asr.text.verbalisation.numerals import (
    decimal_text,
    digit_by_digit,
    ordinal,
    read_number,
    year,
)
from asr.text.verbalisation.rules import letter_names
from asr.text.verbalisation.times import read_time
from asr.tts.ipa import phones_of_arpabet, phones_of_ipa
from asr.tts.marked_text import (
    FIRST_MARK,
    MAX_MARKS,
    Break,
    Mark,
    MarkedText,
    Pronounced,
    Prosody,
)
from asr.tts.plain_text import clean_text

BREAKS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2}
"""Seconds of a <break> by its strength; the default is medium."""
MAX_BREAK = 30.0
"""Longest <break>, in seconds."""
RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
PITCHES = {"x-low": -5.0, "low": -2.5, "medium": 0.0, "default": 0.0, "high": 2.5, "x-high": 5.0}
"""Semitones by which a word for the pitch raises it."""
VOLUMES = {
    "silent": 0.0,
    "x-soft": 0.25,
    "soft": 0.5,
    "medium": 1.0,
    "default": 1.0,
    "loud": 1.4,
    "x-loud": 2.0,
}
"""Factors of the samples by a word for the volume."""
MAX_DEPTH = 100
"""Deepest nesting of elements."""
_WITHOUT_EFFECT = frozenset(
    ("audio", "emphasis", "lang", "lookup", "mark", "token", "voice", "w", "seq", "par", "media")
)
"""Elements of SSML whose content is spoken as if they were not there."""
_NOT_SPOKEN = frozenset(("desc", "lexicon", "meta", "metadata"))
"""Elements of SSML whose content is no text."""

_SPEAK = re.compile(r"\s*(?:<\?xml[^<>]{0,200}\?>\s*)?<speak[\s/>]")
_TAG = re.compile(r"</?[A-Za-z][\w:-]{0,60}(?:\s[^<>]{0,1000})?/?>")
_DECLARATION = re.compile(r"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_NAMED_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)[A-Za-z][A-Za-z0-9]{1,31};")


def read_markup(text: str) -> MarkedText | str:
    """A text that begins with <speak> as a `MarkedText`; a text without tags as it is.

    Raises:
        TextError: the SSML is wrong, or the text has tags without being SSML. "a < b" has none.
    """
    if _SPEAK.match(text):
        return _Reader().read(text)
    if (tag := _TAG.search(text)) is not None:
        raise TextError(
            f"{tag[0][:60]!r} is markup: remove the tags, or write SSML in <speak>…</speak>"
        )
    return text


class _Reader:
    """Collects the text, the marks and the warnings of one document."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.marks: dict[str, Mark] = {}
        self.warnings: dict[str, None] = {}  # a set in order
        self.elements: dict[str, Callable[[ElementTree.Element, Prosody, int], None]] = {
            "speak": self._content,
            "p": self._sentence,
            "s": self._sentence,
            "break": self._break,
            "sub": self._sub,
            "phoneme": self._phoneme,
            "say-as": self._say_as,
            "prosody": self._prosody,
        }

    def read(self, text: str) -> MarkedText:
        if _DECLARATION.search(text):
            raise TextError("SSML: declarations (<!DOCTYPE, <!ENTITY) are not allowed: remove them")
        # XML knows five names; HTML's others are decoded here.
        text = _NAMED_ENTITY.sub(lambda m: html.escape(html.unescape(m[0])), text.lstrip())
        try:
            root = ElementTree.fromstring(text)
        except (ElementTree.ParseError, ValueError) as error:
            raise TextError(f"SSML: not well-formed XML: {error}") from None
        self._element(root, Prosody(), 0)
        return MarkedText("".join(self.parts), self.marks, tuple(self.warnings))

    def _element(self, element: ElementTree.Element, outer: Prosody, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise TextError(f"SSML: more than {MAX_DEPTH} elements inside each other")
        name = element.tag.rpartition("}")[2]
        if (read := self.elements.get(name)) is not None:
            read(element, outer, depth)
        elif name in _WITHOUT_EFFECT or ":" in element.tag.rpartition("}")[0] or ":" in name:
            self._warn(f"SSML: <{name}> has no effect")
            self._content(element, outer, depth)
        elif name in _NOT_SPOKEN:
            self._warn(f"SSML: <{name}> has no effect")
        else:
            known = ", ".join(sorted({*self.elements, *_WITHOUT_EFFECT, *_NOT_SPOKEN}))
            raise TextError(f"SSML: <{name}> is no element of SSML; one of {known}")

    def _content(self, element: ElementTree.Element, outer: Prosody, depth: int) -> None:
        self._text(element.text)
        for child in element:
            self._element(child, outer, depth + 1)
            self._text(child.tail)

    def _sentence(self, element: ElementTree.Element, outer: Prosody, depth: int) -> None:
        self.parts.append("\n\n")
        self._content(element, outer, depth)
        self.parts.append("\n\n")

    def _break(self, element: ElementTree.Element, outer: Prosody, depth: int) -> None:
        written, strength = element.get("time"), element.get("strength", "medium")
        if written is None:
            seconds = _choice("break", "strength", strength, BREAKS, "a time")
        else:
            found = re.fullmatch(r"\+?(\d{0,6}(?:\.\d{1,6})?)(ms|s)", written.strip())
            if found is None or not found[1]:
                raise TextError(f"<break>: time {written!r} is no time such as 500ms or 1.5s")
            seconds = float(found[1]) / (1000 if found[2] == "ms" else 1)
        if seconds > MAX_BREAK:
            raise TextError(f"<break>: {seconds:g} s is longer than {MAX_BREAK:g} s")
        if seconds:
            self._mark(Break(seconds))

    def _sub(self, element: ElementTree.Element, outer: Prosody, depth: int) -> None:
        alias = element.get("alias")
        if alias is None:
            raise TextError("<sub>: the attribute alias is missing")
        self._text(f" {alias} ")

    def _phoneme(self, element: ElementTree.Element, outer: Prosody, depth: int) -> None:
        written, alphabet = element.get("ph"), element.get("alphabet", "ipa").lower()
        if written is None:
            raise TextError("<phoneme>: the attribute ph is missing")
        if alphabet == "ipa":
            phones = phones_of_ipa(written)
        elif alphabet.removeprefix("x-") in ("arpabet", "cmu-arpabet", "cmu"):
            phones = phones_of_arpabet(written)
        else:
            raise TextError(f"<phoneme>: alphabet {alphabet!r} is unknown; one of ipa, x-arpabet")
        text = " ".join("".join(element.itertext()).split())
        self._mark(Pronounced(clean_text(text) or "".join(phones).lower(), phones))

    def _say_as(self, element: ElementTree.Element, outer: Prosody, depth: int) -> None:
        written = " ".join("".join(element.itertext()).split())
        kind = element.get("interpret-as", "")
        format = element.get("format", "")
        words = None
        if kind in _SAY_AS:
            words = _SAY_AS[kind](written, format)
        if words is None:
            self._warn(f"SSML: <say-as interpret-as={kind!r}> of {written!r}: read as plain text")
            self._text(f" {written} ")
        else:
            self.parts.append(f" {words} ")

    def _prosody(self, element: ElementTree.Element, outer: Prosody, depth: int) -> None:
        for name in sorted(element.attrib.keys() - {"rate", "pitch", "volume"}):
            self._warn(f"SSML: <prosody {name}=…> has no effect")
        inner = Prosody(
            _rate(element.get("rate", "medium").strip()),
            _pitch(element.get("pitch", "medium").strip()),
            _volume(element.get("volume", "medium").strip()),
        ).within(outer)
        self._mark(inner)
        self._content(element, inner, depth)
        self._mark(outer)

    def _text(self, text: str | None) -> None:
        if text:
            # An empty line is no end of a sentence here: <p> and <s> say where one is.
            self.parts.append(re.sub(r"\s+", " ", clean_text(text)))

    def _mark(self, mark: Mark) -> None:
        if len(self.marks) >= MAX_MARKS:
            raise TextError(f"SSML: more than {MAX_MARKS} elements: speak the text in parts")
        character = chr(FIRST_MARK + len(self.marks))
        self.marks[character] = mark
        self.parts.append(f" {character} ")

    def _warn(self, message: str) -> None:
        self.warnings[message] = None


def _choice(
    element: str, attribute: str, written: str, known: dict[str, float], others: str
) -> float:
    if written not in known:
        names = ", ".join(known)
        raise TextError(f"<{element}>: {attribute} {written!r} is none of {names} and {others}")
    return known[written]


_PERCENT = re.compile(r"([+-]?)(\d{1,4}(?:\.\d{1,4})?)%")


def _rate(written: str) -> float:
    """A speed: a word, a factor, a percentage such as 80%, or a change such as +10%."""
    if (percent := _PERCENT.fullmatch(written)) is not None:
        value = float(percent[2]) / 100
        factor = {"": value, "+": 1 + value, "-": 1 - value}[percent[1]]
    elif re.fullmatch(r"\d{1,2}(?:\.\d{1,4})?", written):
        factor = float(written)
    else:
        factor = _choice("prosody", "rate", written, RATES, "80%, 0.8")
    if not 0.1 <= factor <= 10:
        raise TextError(f"<prosody>: rate {written!r} is out of range, 10% to 1000%")
    return factor


def _pitch(written: str) -> float:
    """Semitones: of a word, of a change such as +2st, or of a percentage such as +10%."""
    if (tones := re.fullmatch(r"([+-]?\d{1,2}(?:\.\d{1,3})?)st", written)) is not None:
        return float(tones[1])
    if (percent := _PERCENT.fullmatch(written)) is not None and percent[1]:
        factor = 1 + float(f"{percent[1]}{percent[2]}") / 100
        if factor <= 0:
            raise TextError(f"<prosody>: pitch {written!r} is out of range")
        return 12 * log2(factor)
    return _choice("prosody", "pitch", written, PITCHES, "+2st, +10%")


def _volume(written: str) -> float:
    """A factor: of a word, or of decibels such as +6dB."""
    if (decibels := re.fullmatch(r"([+-]?\d{1,2}(?:\.\d{1,3})?)dB", written)) is not None:
        return float(10 ** (float(decibels[1]) / 20))
    return _choice("prosody", "volume", written, VOLUMES, "+6dB")


def _spelled(written: str, format: str) -> str:
    """Letters and digits by their names."""
    names = (digit_by_digit(c) if c.isdecimal() else letter_names(c) for c in written)
    return " ".join(name for name in names if name)


def _number(written: str, format: str) -> str | None:
    found = re.fullmatch(r"([-−+]?)(\d[\d.,']{0,40})", written)
    if found is None:
        return None
    sign = {"": "", "+": "plus "}.get(found[1], "minus ")
    return sign + read_number(decimal_text(found[2].rstrip(".,'")))


def _ordinal(written: str, format: str) -> str | None:
    found = re.fullmatch(r"(\d{1,12})(?:st|nd|rd|th)?", written)
    return ordinal(int(found[1])) if found else None


def _telephone(written: str, format: str) -> str | None:
    groups = re.findall(r"\d+", written)
    words = ", ".join(digit_by_digit(group) for group in groups)
    return ("plus " if written.startswith("+") else "") + words if groups else None


def _fraction(written: str, format: str) -> str | None:
    found = re.fullmatch(FRACTION, written)
    return read_fraction(found) if found else None


def _time(written: str, format: str) -> str | None:
    return read_time(written)


def _date(written: str, format: str) -> str | None:
    """A date in digits whose order `format` gives: mdy, dmy, ymd, md, dm, ym, my, d, m, y."""
    numbers = re.findall(r"\d{1,4}", written)
    order = format or ("ymd" if numbers and len(numbers[0]) == 4 else "mdy")
    if len(numbers) != len(order) or set(order) - set("dmy"):
        return None
    parts = dict(zip(order, numbers, strict=True))
    words = []
    if "m" in parts:
        if not 1 <= int(parts["m"]) <= 12:
            return None
        words.append(MONTHS[int(parts["m"]) - 1])
    if "d" in parts:
        if not 1 <= int(parts["d"]) <= 31:
            return None
        words.append(ordinal(int(parts["d"])))
    if "y" in parts:
        words.append(year(int(parts["y"])))
    return " ".join(words)


_SAY_AS: dict[str, Callable[[str, str], str | None]] = {
    "characters": _spelled,
    "spell-out": _spelled,
    "verbatim": _spelled,
    "letters": _spelled,
    "digits": lambda written, format: digit_by_digit(written) or None,
    "cardinal": _number,
    "number": _number,
    "ordinal": _ordinal,
    "telephone": _telephone,
    "fraction": _fraction,
    "time": _time,
    "date": _date,
}
