"""Text normalisers: training and scoring use the words of a text as they are spoken."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache, partial

from asr.errors import ConfigError
from asr.text.languages import POINT_LANGUAGES
from asr.text.number_words import CURRENCIES, LARGE_SCALES

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<![\w.])\.\d+"
_SCALES = "|".join(("thousand", *LARGE_SCALES))
_SYMBOLS = {"&": "and", "%": "percent", "+": "plus", "=": "equals", "@": "at", "°": "degrees"}
TITLES = {"Mr": "Mister", "Mrs": "Missus", "Dr": "Doctor"}
"""Pronounced forms of titles, in LibriSpeech's spelling. `normalise_english` keeps "mr"."""
_MAX_DIGITS = 15
"""Digits of the longest number that is read as a number; longer ones are read digit by digit."""
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})


_PLAIN = re.compile("[a-z' ]*")
"""Texts in which nothing is spelled out: the beam search asks for many of them."""


def normalise_english(text: str) -> str:
    """Normalise English text to lower case words, with numbers spelled out.

    >>> from asr import normalise_english
    >>> normalise_english("It's 23 o’clock — twenty-third.")
    "it's twenty three o'clock twenty third"
    >>> normalise_english("$5.50 for 201 cafés in the 1990s")
    'five dollars fifty cents for two hundred and one cafes in the nineteen nineties'

    Punctuation is removed, except for apostrophes within words. Hyphens become spaces. Accents are
    removed. Letters of other scripts stay; a tokenizer reports them.

    Each written number is always read in the same way:

    - with "and" after hundreds, as in British English;
    - decimals digit by digit: "three point one four";
    - digit by digit if it starts with zero or has more than 15 digits;
    - years like other numbers, but decades as "nineteen nineties";
    - amounts of money and times as they are spoken: "five dollars fifty cents", "five oh two".
    """
    if not _PLAIN.fullmatch(text):
        text = spell_out(text)
        text = "".join(c if c.isalnum() or c == "'" else " " for c in text)
    tokens = (token.strip("'") for token in text.split())
    return " ".join(token for token in tokens if token)


def spell_out(text: str) -> str:
    """Spell out numbers, amounts of money, times and symbols, as `normalise_english` does.

    The text becomes lower case and loses its accents. Punctuation that belongs to no number stays.
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
    text = "".join(c for c in decomposed if not unicodedata.combining(c)).lower()
    for pattern, words in _WRITTEN_FORMS:
        text = pattern.sub(_with_spaces(words), text)
    for symbol, word in _SYMBOLS.items():
        text = text.replace(symbol, f" {word} ")
    return text


def _with_spaces(words: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
    return lambda match: f" {words(match)} "


def _number(digits: str, to: str = "cardinal") -> str:
    """Read a number, which may have thousands separators and a decimal point."""
    from num2words import num2words

    whole, point, fraction = digits.replace(",", "").partition(".")
    if len(whole) > _MAX_DIGITS or (len(whole) > 1 and int(whole[0]) == 0):
        spoken = _digits(whole)
    else:
        spoken = num2words(int(whole), to=to).replace(",", "") if whole else ""
    return f"{spoken} point {_digits(fraction)}" if point else spoken


def _digits(digits: str) -> str:
    return " ".join(_number(digit) for digit in digits)


def _money(match: re.Match[str]) -> str:
    currency = CURRENCIES[match["sign"]]
    whole, _, fraction = match["amount"].replace(",", "").partition(".")
    if match["scale"] or len(fraction) not in (0, 2):
        return f"{_number(match['amount'])} {match['scale'] or ''} {currency.unit.plural}"
    counts = [(int(whole or "0"), currency.unit), (int(fraction or "0"), currency.hundredth)]
    spoken = [f"{_number(str(count))} {noun.counted(count)}" for count, noun in counts if count]
    return " ".join(spoken) or f"zero {currency.unit.plural}"


def _decade(match: re.Match[str]) -> str:
    """Read a decade, such as 1990s: "nineteen nineties"."""
    words = _number(match[1], "year")
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    if not minute:
        return f"{_number(str(hour))} o'clock"
    return f"{_number(str(hour))} {'oh ' if minute < 10 else ''}{_number(str(minute))}"


_WRITTEN_FORMS: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (
        re.compile(rf"(?P<sign>[$€£])\s?(?P<amount>{_NUMBER})(?:\s(?P<scale>{_SCALES})\b)?"),
        _money,
    ),
    (re.compile(r"\b(\d{1,2}):([0-5]\d)\b(?!:)"), _time),
    (re.compile(r"\b(\d{1,3}0)'?s\b"), _decade),
    (
        re.compile(r"\b(\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b"),
        lambda m: _number(m[1], "ordinal"),
    ),
    (re.compile(_NUMBER), lambda m: _number(m[0])),
]
"""Patterns of written forms and the functions that spell them out, in order of precedence."""


def normalise_korean(text: str) -> str:
    """Normalise Korean text: composed Hangul (NFC), lower case, without punctuation."""
    text = unicodedata.normalize("NFC", text).lower()
    return " ".join("".join(c if c.isalnum() else " " for c in text).split())


_TYPOGRAPHIC = str.maketrans(dict.fromkeys("\u2019\u2018\u201b\u02bc\uff07\u2032`\u00b4", "'"))
_SPOKEN_SIGNS = frozenset("%\u2030&@\u00b0\u00a7\u2116#+=\u00d7\u00f7\u00b1")
"""Signs that are read aloud, as currencies are. No table here knows how, so they stay in the text,
and the tokenizer reports them."""
_INNER_MARKS = {"ca": "\u00b7", "he": "\u05f3\u05f4"}
"""Punctuation that belongs to words of a language, beside the apostrophe: col\u00b7legi."""
_DOTTED_AND_DOTLESS = frozenset(("tr", "az"))
"""Languages whose I without a dot is \u0131 in lower case."""
_NUM2WORDS_CODES = {"kk": "kz"}
"""Languages that num2words has under a code of its own."""


def normalise_neutral(text: str, language: str = "") -> str:
    """Normalise a text of any language to lower case words, with its own letters.

    >>> normalise_neutral("Grüße, es sind 21,5 Grad – „schön“!", "de")
    'grüße es sind einundzwanzig komma fünf grad schön'
    >>> normalise_neutral("DIŞARI, l’eau", "tr")
    "dışarı l'eau"

    - Unicode NFC. Letters and accents stay: ß, ё, ı.
    - Lower case. In Turkish and Azerbaijani, I becomes ı and İ becomes i.
    - Punctuation is removed, and hyphens become spaces. Apostrophes within words stay, in ASCII.
    - Digits become words (num2words), as cardinal numbers. They stay if the language is unknown or
      num2words lacks it.
    - Signs that are spoken, such as % and €, stay. A tokenizer reports them, and digits that stay.

    Args:
        text: any text.
        language: ISO 639-1 code; default: "", unknown.
    """
    text = unicodedata.normalize("NFC", text).translate(_TYPOGRAPHIC)
    if language:
        text = _number_pattern(language).sub(partial(_spell_match, language), text)
    text = unicodedata.normalize("NFC", lower_case(text, language))
    marks = "'" + _INNER_MARKS.get(language, "")
    text = "".join(_kept(c, marks) for c in text)
    return " ".join(word for token in text.split() if (word := token.strip(marks)))


def lower_case(text: str, language: str = "") -> str:
    """Lower case by the rules of a language, of text in NFC."""
    if language in _DOTTED_AND_DOTLESS:
        text = text.replace("İ", "i").replace("I", "ı")
    text = text.lower()
    # Python writes İ as i with a combining dot. Only Lithuanian has this dot.
    return text if language == "lt" else text.replace("i\u0307", "i")


def _kept(c: str, marks: str) -> str:
    """What a character becomes: itself, a space, or nothing."""
    category = unicodedata.category(c)
    if category[0] in "LMN" or c in marks:
        return c
    if c in _SPOKEN_SIGNS or category == "Sc":
        return f" {c} "
    # Format characters are invisible: soft hyphens, joiners, marks of direction.
    return "" if category == "Cf" else " "


@lru_cache(maxsize=64)
def _number_pattern(language: str) -> re.Pattern[str]:
    """Numbers with the separators of a language."""
    group, point = (
        ("[,\u00a0\u202f]", r"\.") if language in POINT_LANGUAGES else ("[.'\u00a0\u202f ]", ",")
    )
    whole = rf"\d{{1,3}}(?:{group}\d{{3}})+(?!\d)|\d+"
    return re.compile(rf"(?P<minus>(?<!\S)[-−])?(?P<whole>{whole})(?:{point}(?P<fraction>\d+))?")


def _spell_match(language: str, match: re.Match[str]) -> str:
    whole = "".join(c for c in match["whole"] if c.isdecimal())
    spelled = _spelled(bool(match["minus"]), whole, match["fraction"] or "", language)
    return match[0] if spelled is None else f" {spelled} "


@lru_cache(maxsize=4096)
def _spelled(minus: bool, whole: str, fraction: str, language: str) -> str | None:
    """A number in words; None if num2words cannot spell it in this language."""
    from num2words import CONVERTER_CLASSES, num2words

    code = _NUM2WORDS_CODES.get(language, language)
    if code not in CONVERTER_CLASSES or len(fraction) > _MAX_DIGITS:
        return None
    try:
        if len(whole) > _MAX_DIGITS or (len(whole) > 1 and int(whole[0]) == 0):
            if minus or fraction:
                return None
            return " ".join(num2words(int(digit), lang=code) for digit in whole)
        number = Decimal(f"{whole}.{fraction}") if fraction else int(whole)
        return str(num2words(-number if minus else number, lang=code))
    except Exception:  # each language of num2words fails in its own way where it is incomplete
        return None


def normalise_none(text: str) -> str:
    """Keep a text as it is written, in Unicode NFC and with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


NORMALISERS: dict[str, Callable[[str], str]] = {
    "english": normalise_english,
    "korean": normalise_korean,
    "neutral": normalise_neutral,
    "none": normalise_none,
}
"""Normalisers by their name in a configuration."""


def default_normaliser(language: str) -> str:
    """Name of the normaliser for a language: english for "en" and "" (unknown), else neutral."""
    return "english" if language in ("", "en") else "neutral"


def find_normaliser(name: str, language: str = "") -> Callable[[str], str]:
    """The function of a normaliser.

    Args:
        name: a key of `NORMALISERS`.
        language: ISO 639-1 code for the normaliser `neutral`; default: "", unknown.

    Raises:
        ConfigError: the name is unknown.
    """
    if name not in NORMALISERS:
        raise ConfigError(f"normaliser {name}: unknown; one of {', '.join(NORMALISERS)}")
    if name == "neutral":
        return partial(normalise_neutral, language=language)
    return NORMALISERS[name]
