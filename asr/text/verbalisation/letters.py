"""Rules for capitals and for letters with digits: acronyms, emphasis, B2B, COVID-19."""

from __future__ import annotations

import re
from collections.abc import Collection

from asr.text.verbalisation.numerals import code
from asr.text.verbalisation.rules import before, letter_names, rule, words_of

_WORD_ACRONYMS = frozenset(
    words_of(
        "RAM ROM PIN SIM LAN WAN SARS GIF JPEG ZIP SWAT FEMA FIFA NASA NATO OPEC AIDS IKEA "
        "COVID UNICEF UNESCO NASDAQ ASCII CAPTCHA CRISPR DARPA BIOS YAML JSON LEGO SCUBA LASER "
        "RADAR SONAR TASER ASEAN NAFTA NORAD POTUS SCOTUS MIDI IMAX WIMAX MERS RAID PEN SPAM "
        "MOMA COBOL FORTRAN BASIC ERASMUS INTERPOL HAMAS VISA"
    )
)
"""Acronyms that are read as words."""
_SPELLED = frozenset(
    words_of("LAPD NYPD IT US WHO AM PM OR ID AI OK TV PC DJ MC VIP ATM CEO FAQ IBM")
)
"""Acronyms that are read letter by letter although the lexicon may have them as words."""
_EMPHASISED = frozenset(
    words_of(
        "NOT AND BUT THE YOU ALL ANY CAN DID HAS HAD HER HIM HIS HOW NEW NOW OLD ONE OUT OUR "
        "SEE SHE TWO TOO WAS WAY WHY YES YET NO SO DO GO IS IF IN ON OF TO BE BY AT AS AN ME MY "
        "WE HE UP NEVER STOP BIG BAD GOOD MUST ONLY FREE ARE FOR ITS LET MAY OFF OH OWN SAY SET "
        "TOP TRY USE WIN"
    )
)
"""Words that are written in capitals for emphasis."""
_ARTICLE = re.compile(r"\b(?:[Tt]he|[Aa]n?|[Oo]ur|[Tt]heir|[Mm]y|[Yy]our) \Z")


def lower_capitals(match: re.Match[str], known: Collection[str]) -> str:
    """A run of words in capitals in small letters, if most are words: DO NOT ENTER, not YMCA, BBC,
    FBI."""
    words = re.findall("[A-Z']+", match[0])
    if sum(word.lower() in known for word in words) < 0.6 * len(words):
        return match[0]
    text = re.sub("[A-Z']+", lambda m: m[0].lower() if m[0].lower() in known else m[0], match[0])
    return re.sub(r"(?<=[.?!])\s+[a-z]|^[a-z]", lambda m: m[0].upper(), text)


def _acronym(m: re.Match[str], known: Collection[str]) -> str | None:
    letters, ending = m["letters"], m["ending"]
    plural = "'s" if ending else ""
    if letters in _WORD_ACRONYMS:
        return None
    if letters in _EMPHASISED or (letters in ("US", "WHO", "IT") and _is_emphasised(m)):
        return None
    if letters in _SPELLED or len(letters) < 4:
        return letter_names(letters) + plural
    if letters.lower() in known or (len(letters) > 5 and re.search("[AEIOUY]", letters)):
        return None
    return letter_names(letters) + plural


def _is_emphasised(m: re.Match[str]) -> bool:
    """Whether "WHO" is the word: at the start of a sentence without an article."""
    return m["letters"] == "WHO" and not before(m, _ARTICLE)


def _is_word(letters: str, known: Collection[str]) -> bool:
    return len(letters) > 2 and (
        letters in known or (len(letters) > 3 and re.search("[aeiouy]", letters) is not None)
    )


def _mixed(m: re.Match[str], known: Collection[str]) -> str:
    """A token of letters and digits, run by run."""
    words = []
    for run in re.findall(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]", m[0]):
        if run.isdecimal():
            words.append(code(run))
        elif run in _WORD_ACRONYMS or (not run.isupper() and _is_word(run.lower(), known)):
            words.append(run.lower())
        else:
            words.append(letter_names(run))
    return " ".join(words)


def _camel_case(m: re.Match[str], known: Collection[str]) -> str | None:
    if m[0].lower() in known:
        return None
    parts = re.findall("[A-Z]?[a-z]+|[A-Z]+(?![a-z])", m[0])
    if all(part.lower() in known for part in parts):
        return " ".join(part if len(part) > 1 else letter_names(part) for part in parts)
    return None


SHOUTING_RULES = (
    rule(
        "letters: sentence in capitals",
        r"\b[A-Z][A-Z']{1,40}(?:[^\w<>]{1,4}[A-Z][A-Z']{0,40}){2,}\b",
        lower_capitals,
        lexical=True,
    ),
)
LETTER_RULES = (
    rule(
        "letters: with digits",
        r"(?<![\w'])(?=[A-Za-z]{0,20}\d)(?=\d{0,20}[A-Za-z])(?!\d{1,20}(?:st|nd|rd|th|s)\b)"
        r"[A-Za-z0-9]{2,40}(?![\w])",
        _mixed,
        lexical=True,
    ),
    rule(
        "letters: first letter with a slash or dash",
        r"(?<![\w'])A(?=\s?[–/-]\s?[A-Z]\b)",
        lambda m: letter_names("A"),
    ),
    rule(
        "letters: plural of a letter",
        r"(?<![\w'.])(?P<letter>[B-HJ-TV-Z])s\b",
        lambda m: letter_names(m["letter"]) + "'s",
    ),
    rule(
        "letters: acronym",
        r"(?<![\w'])(?P<letters>[A-Z]{2,20})(?P<ending>'?s)?\b(?!'[A-Za-z])",
        _acronym,
        lexical=True,
    ),
    rule(
        "letters: ampersand in an acronym",
        r"(?<=[A-Z\ue061-\ue07a])&(?=[A-Z\ue061-\ue07a])",
        lambda m: " and ",
    ),
    rule(
        "letters: words without a space",
        r"\b[A-Za-z]?[a-z]{1,20}(?:[A-Z][a-z]{1,20}){1,4}\b",
        _camel_case,
        lexical=True,
    ),
)
