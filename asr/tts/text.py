"""The front end of a voice: text → sentences → symbols, which are phones and pauses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from num2words import num2words

from asr.errors import TextError
from asr.text import spell_out
from asr.tts.pronunciation import PHONES, Pronouncer, spell

START, GAP = "^", "_"
"""Before the first word; between two words without punctuation, where mostly nobody pauses."""
PAUSES = (",", ".", "?", "!")
SYMBOLS = (START, GAP, *PAUSES, *PHONES)
"""What a voice's network reads; ids are places in this list."""
SILENT = frozenset((START, GAP, *PAUSES))
LONGEST = 200
"""Symbols a sentence: longer ones are divided, at a comma or a gap, since durations are learnt from
recordings of some seconds."""
LONGEST_WORD = 40
"""Letters; a longer run of letters is no word, and only its start is said."""

_ABBREVIATIONS = {
    "mr.": "mister", "mrs.": "missis", "ms.": "miz", "dr.": "doctor", "st.": "saint",
    "prof.": "professor", "etc.": "et cetera", "vs.": "versus", "e.g.": "for example",
    "i.e.": "that is", "jr.": "junior", "sr.": "senior", "no.": "number", "gen.": "general",
    "col.": "colonel", "capt.": "captain", "lt.": "lieutenant", "a.m.": "a m", "p.m.": "p m",
    "approx.": "approximately", "dept.": "department", "inc.": "incorporated", "ltd.": "limited",
    "co.": "company", "km": "kilometers", "kg": "kilograms", "cm": "centimeters",
    "mm": "millimeters", "ft.": "feet", "lb.": "pounds", "hz": "hertz", "khz": "kilohertz",
    "mph": "miles per hour", "kb": "kilobytes", "mb": "megabytes", "gb": "gigabytes",
}  # fmt: skip
_ENDING = frozenset(("etc.", "jr.", "sr.", "a.m.", "p.m.", "inc.", "ltd.", "co."))
"""Those that a sentence may end with."""
_MONTHS = {
    "jan": "january", "feb": "february", "mar": "march", "apr": "april", "jun": "june",
    "jul": "july", "aug": "august", "sep": "september", "sept": "september", "oct": "october",
    "nov": "november", "dec": "december",
}  # fmt: skip
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_MONTH = "|".join([*_MONTH_NAMES, *_MONTHS])
_YEAR = r"(?P<year>1[1-9]\d\d|20\d\d)"
_ABBREVIATION = re.compile(
    r"(?<![\w.])("
    + "|".join(re.escape(a) for a in sorted(_ABBREVIATIONS, key=len, reverse=True))
    + r")(?![\w])",
    re.IGNORECASE,
)
_PAUSE = {",": ",", ";": ",", ":": ",", "(": ",", ")": ",", "—": ",", "–": ",", ".": ".", "…": ".",
          "?": "?", "!": "!"}  # fmt: skip


@dataclass(frozen=True)
class Word:
    """A word as it is said: its letters, and its phones' place in the sentence's symbols."""

    text: str
    first: int
    last: int
    """Exclusive."""


@dataclass(frozen=True)
class Sentence:
    """What is said in one breath.

    symbols: from START to a pause of PAUSES, see SYMBOLS. words: what stands between the pauses.
    warnings: what could not be said, or only by guessing, each naming what.
    """

    symbols: tuple[str, ...]
    words: tuple[Word, ...]
    warnings: tuple[str, ...]

    @property
    def ids(self) -> list[int]:
        """The symbols' places in SYMBOLS."""
        return [_IDS[symbol] for symbol in self.symbols]

    @property
    def text(self) -> str:
        """The words, as a recogniser's transcript would have them."""
        return " ".join(word.text for word in self.words)


_IDS = {symbol: i for i, symbol in enumerate(SYMBOLS)}


def sentences(text: str, pronounce: Pronouncer) -> Iterator[Sentence]:
    """Sentences of a text in their order; nothing for a text in which nothing can be said.

    Every warning is in the sentence that follows what it is about, or in the last one; where there
    is no sentence at all, use `unspeakable`.
    """
    pending: list[str] = []
    spoken = written_as_spoken(_clean(text))
    for piece in re.split(r"(?<=[.?!…])[\"'”’)\]]*\s+|\n\s*\n", spoken):
        symbols, words, warnings = _symbols(piece, pronounce)
        pending += warnings
        if not words:
            continue
        for part_symbols, part_words in _divided(symbols, words):
            yield Sentence(tuple(part_symbols), tuple(part_words), tuple(pending))
            pending = []


def one_sentence(text: str, pronounce: Pronouncer) -> Sentence:
    """All of a text as one sentence, for what was recorded as one.

    Raises:
        TextError: nothing in it can be said.
    """
    symbols, words, warnings = [START], list[Word](), list[str]()
    for part in sentences(text, pronounce):
        shift = len(symbols) - 1
        symbols += part.symbols[1:]
        words += [Word(w.text, w.first + shift, w.last + shift) for w in part.words]
        warnings += part.warnings
    if not words:
        raise TextError(unspeakable(text))
    return Sentence(tuple(symbols), tuple(words), tuple(warnings))


def unspeakable(text: str) -> str:
    """Why `sentences` found nothing in a text."""
    if not text.strip():
        return "the text is empty"
    shown = text.strip()[:40]
    return f"nothing in {shown!r} can be said: no letters of a–z and no numbers"


def written_as_spoken(text: str) -> str:
    """Dates, years, abbreviations, capital letters, numbers and money in words; lower case, with
    punctuation."""
    text = _ABBREVIATION.sub(_abbreviation, text)
    text = _dates(text)
    # Capitals without a vowel, or between dots, are read by their names: BBC, U.S.A.
    text = re.sub(
        r"\b(?:[A-Z]\.){2,}", lambda m: " ".join(m[0].replace(".", " ").split()) + " ", text
    )
    text = re.sub(r"\b[A-Z]{2,5}\b", _capitals, text)
    text = re.sub(r"(?<=[A-Za-z])\.(?=[A-Za-z]{2,}\b)", " dot ", text)
    return spell_out(text)


def _clean(text: str) -> str:
    """Without control characters; a line of its own ends a sentence only at an empty line."""
    text = unicodedata.normalize("NFC", text)
    return "".join(
        c if c in "\n" or not unicodedata.category(c).startswith("C") else " " for c in text
    )


def _abbreviation(match: re.Match[str]) -> str:
    # Before a capital, or at the end, some abbreviations' dot ends the sentence too.
    ends = match[0].lower() in _ENDING and re.match(r"\s*$|\s+[A-Z]", match.string[match.end() :])
    return _ABBREVIATIONS[match[0].lower()] + ("." if ends else "")


def _capitals(match: re.Match[str]) -> str:
    word = match[0]
    return word if re.search("[AEIOUY]", word) and len(word) > 3 else " ".join(word)


def _dates(text: str) -> str:
    text = re.sub(r"\b(\d{4})-(\d\d)-(\d\d)\b", lambda m: _iso(m), text)

    def month_first(m: re.Match[str]) -> str:
        month = _MONTHS.get(m["month"].lower(), m["month"])
        year = f", {_year(m['year'])}" if m["year"] else ""
        return f"{month} {num2words(int(m['day']), to='ordinal')}{year}"

    text = re.sub(
        rf"\b(?P<month>{_MONTH})\.?\s+(?P<day>[12]?\d|3[01])(?:st|nd|rd|th)?\b(?:,?\s+{_YEAR}\b)?",
        month_first, text, flags=re.IGNORECASE,
    )  # fmt: skip
    before = (
        rf"(?P<before>\b(?:in|since|until|by|from|to|of|year|{_MONTH})\.?,?\s+){_YEAR}\b(?![,.]\d)"
    )
    return re.sub(before, lambda m: m["before"] + _year(m["year"]), text, flags=re.IGNORECASE)


def _iso(match: re.Match[str]) -> str:
    year, month, day = (int(part) for part in match.groups())
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f"{_MONTH_NAMES[month - 1]} {num2words(day, to='ordinal')}, {_year(str(year))}"


def _year(digits: str) -> str:
    return num2words(int(digits), to="year").replace("-", " ")


def _symbols(piece: str, pronounce: Pronouncer) -> tuple[list[str], list[Word], list[str]]:
    symbols, words, warnings = [START], list[Word](), list[str]()
    for token in re.findall(r"[a-z']+|[^\W_]+|[^\s]", piece):
        if token in _PAUSE:
            if words:
                # Of several marks the last counts: ?!, .), …
                if symbols[-1] in SILENT:
                    symbols.pop()
                symbols.append(_PAUSE[token])
            continue
        said = token.strip("'") if re.fullmatch("[a-z']+", token) else ""
        if not said:
            if token not in "'\"-“”[]{}*/_‐‑−":
                name = unicodedata.name(token[0], "").lower()
                warnings.append(
                    f"skipped: {token}" + (f" ({name})" if len(token) == 1 and name else "")
                )
            continue
        if len(said) > LONGEST_WORD:
            said, cut = said[:LONGEST_WORD], len(said) - LONGEST_WORD
            warnings.append(f"skipped: the last {cut} letters of {said}…, which is no word")
        _say(said, pronounce, symbols, words, warnings)
    final = symbols.pop() if symbols[-1] in SILENT and len(symbols) > 1 else "."
    symbols.append(final if final in (".", "?", "!") else ".")
    return symbols, words, warnings


def _say(
    word: str, pronounce: Pronouncer, symbols: list[str], words: list[Word], warnings: list[str]
) -> None:
    pronunciation = pronounce(word)
    phones = pronunciation.phones or spell(word)
    if pronunciation.source == "spelled":
        warnings.append(f"spelled: {word}")
    elif pronunciation.source == "rule":
        warnings.append(f"not in the lexicon: {word}, said as {' '.join(phones)}")
    if symbols[-1] not in SILENT:
        symbols.append(GAP)
    words.append(Word(word, len(symbols), len(symbols) + len(phones)))
    symbols += phones


def _divided(symbols: list[str], words: list[Word]) -> Iterator[tuple[list[str], list[Word]]]:
    """A sentence in parts of at most LONGEST symbols, divided at a comma where there is one."""
    while len(symbols) > LONGEST:
        inside = [w for w in words if w.last < LONGEST]
        commas = [w for w in inside if symbols[w.last] == "," and w.last > LONGEST // 3]
        last = (commas or inside)[-1]
        yield [*symbols[: last.last], ","], [w for w in words if w.last <= last.last]
        shift = last.last
        symbols = [START, *symbols[shift + 1 :]]
        words = [Word(w.text, w.first - shift, w.last - shift) for w in words if w.first > shift]
    yield symbols, words
