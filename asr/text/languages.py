"""Languages: their codes, the letters that give them away, and how they write numbers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator

from asr.errors import ConfigError


class Language(NamedTuple):
    """One language.

    Attributes:
        code: ISO 639-1 code.
        other_codes: ISO 639-2 and 639-3 codes, separated by spaces.
        name: English name.
        letters: letters of the usual spelling beyond a–z, lower case.
    """

    code: str
    other_codes: str
    name: str
    letters: str = ""


LANGUAGES = (
    Language("ar", "ara", "Arabic", "ابتثجحخدذرزسشصضطظعغفقكلمنهويىةأإآؤئء"),
    Language("az", "aze", "Azerbaijani", "əğıöüşç"),
    Language("be", "bel", "Belarusian", "абвгдеёжзійклмнопрстуўфхцчшыьэюя"),
    Language("bg", "bul", "Bulgarian", "абвгдежзийклмнопрстуфхцчшщъьюя"),
    Language("ca", "cat", "Catalan", "àçèéíïòóúü"),
    Language("cs", "ces cze", "Czech", "áčďéěíňóřšťúůýž"),
    Language("cy", "cym wel", "Welsh", "âêîôûŵŷ"),
    Language("da", "dan", "Danish", "æøå"),
    Language("de", "deu ger", "German", "äöüß"),
    Language("el", "ell gre", "Greek", "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"),
    Language("en", "eng", "English"),
    Language("eo", "epo", "Esperanto", "ĉĝĥĵŝŭ"),
    Language("es", "spa", "Spanish", "áéíóúñü"),
    Language("et", "est", "Estonian", "äõöü"),
    Language("eu", "eus baq", "Basque", "ñ"),
    Language("fa", "fas per", "Persian", "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهیآئ"),
    Language("fi", "fin", "Finnish", "äö"),
    Language("fr", "fra fre", "French", "éèêëàâçîïôûùœ"),
    Language("ga", "gle", "Irish", "áéíóú"),
    Language("he", "heb", "Hebrew", "אבגדהוזחטיכךלמםנןסעפףצץקרשת"),
    Language("hi", "hin", "Hindi"),
    Language("hr", "hrv", "Croatian", "čćđšž"),
    Language("hu", "hun", "Hungarian", "áéíóöőúüű"),
    Language("id", "ind", "Indonesian"),
    Language("is", "isl ice", "Icelandic", "áðéíóúýþæö"),
    Language("it", "ita", "Italian", "àèéìòù"),
    Language("ja", "jpn", "Japanese"),
    Language("ko", "kor", "Korean"),
    Language("lt", "lit", "Lithuanian", "ąčęėįšųūž"),
    Language("lv", "lav", "Latvian", "āčēģīķļņšūž"),
    Language("nl", "nld dut", "Dutch", "éëïó"),
    Language("no", "nor nob nno nb nn", "Norwegian", "æøå"),
    Language("pl", "pol", "Polish", "ąćęłńóśźż"),
    Language("pt", "por", "Portuguese", "ãõáâàçéêíóôú"),
    Language("ro", "ron rum", "Romanian", "ăâîșțşţ"),
    Language("ru", "rus", "Russian", "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"),
    Language("sk", "slk slo", "Slovak", "áäčďéíĺľňóôŕšťúýž"),
    Language("sl", "slv", "Slovenian", "čšž"),
    Language("sr", "srp", "Serbian", "абвгдђежзијклљмнњопрстћуфхцчџш"),
    Language("sv", "swe", "Swedish", "åäö"),
    Language("ta", "tam", "Tamil"),
    Language("th", "tha", "Thai"),
    Language("tr", "tur", "Turkish", "çğıöşü"),
    Language("uk", "ukr", "Ukrainian", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"),
    Language("ur", "urd", "Urdu", "ابپتٹثجچحخدڈذرڑزژسشصضطظعغفقکگلمنںوہھءیے"),
    Language("vi", "vie", "Vietnamese", "ăâđêôơưàáạảãầấậẩẫằắặẳẵèéẹẻẽềếệểễòóọỏõồốộổỗờớợởỡừứựửữ"),
    Language("zh", "zho chi cmn", "Chinese"),
)
"""Languages that a tag, a code or a name can stand for. Other codes are taken as they are."""
_CODES = {
    name: language.code
    for language in LANGUAGES
    for name in (*language.other_codes.split(), language.name.lower())
}
_NAMES = {language.code: language.name for language in LANGUAGES}
_SCRIPTS = {
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "zh",
    "DEVANAGARI": "hi",
    "TAMIL": "ta",
    "THAI": "th",
}
"""Scripts, by the first word of their characters' names, whose usual language is clear."""
_USUAL = frozenset(("ru", "ar"))
"""The likeliest languages of scripts that several languages share."""
POINT_LANGUAGES = frozenset(
    (
        "am",
        "bn",
        "cy",
        "en",
        "fil",
        "ga",
        "gu",
        "ha",
        "he",
        "hi",
        "ig",
        "ja",
        "km",
        "kn",
        "ko",
        "ml",
        "mr",
        "ms",
        "mt",
        "my",
        "ne",
        "pa",
        "si",
        "sw",
        "ta",
        "te",
        "th",
        "tl",
        "ur",
        "yo",
        "zh",
        "zu",
    )
)
"""Languages that write decimals with a point and group digits with commas. The others write
decimals with a comma and group digits with points or spaces."""
LOAN_LETTERS = frozenset("éèêëàâçîïôûñ")
"""Letters of words that English has borrowed and writes with accents now and then, such as café."""
FOREIGN_SHARE = 0.02
"""Share of words with letters beyond a–z from which a text is not English."""
UNKNOWN_LANGUAGE = frozenset({"", "und", "unk", "mul", "mis", "zxx"})
"""Codes that name no language."""


def language_code(name: str) -> str:
    """The language of a tag or name, without script and region.

    >>> print(*map(language_code, ("en-US", "pt_BR", "English", "deu")))
    en pt en de
    """
    first = name.lower().replace("_", "-").partition("-")[0].strip()
    return _CODES.get(first, first)


def check_language_code(name: str, key: str) -> str:
    """`language_code`, for a name that a person wrote.

    Args:
        name: a code, tag or English name.
        key: the key or option in the error message.

    Raises:
        ConfigError: it is no language code and no known name.
    """
    code = language_code(name)
    if not re.fullmatch("[a-z]{2,3}", code):
        raise ConfigError(f"{key}: {name!r}: expected an ISO 639 code, such as de for German")
    return code


def language_name(code: str) -> str:
    """English name of a language with its code: "German (de)".

    The code alone if it has no name here, and "unknown" for "".
    """
    return f"{_NAMES[code]} ({code})" if code in _NAMES else code or "unknown"


def unquoted_no(value: Any) -> Any:
    """The value of a YAML file's key `language`: in YAML 1.1, `no` (Norwegian) is false."""
    return "no" if value is False else value


LanguageName = Annotated[str, BeforeValidator(unquoted_no)]
"""Type of a configuration's key that names a language."""


def listed_characters(counts: Counter[str], most: int = 12) -> str:
    """Characters with code point and count, the most frequent first: "'ä' (U+00E4) × 2"."""
    listed = [f"{c!r} (U+{ord(c):04X}) × {n}" for c, n in counts.most_common()]
    return ", ".join(listed[:most]) + (", …" if len(listed) > most else "")


def guess_language(letters: Counter[str]) -> str:
    """Guess a language from counts of letters beyond a–z; "" if nothing points to one.

    >>> guess_language(Counter("äöüß")), guess_language(Counter("ışğ"))
    ('de', 'tr')
    """
    scripts: Counter[str] = Counter()
    for c, count in letters.items():
        scripts[_SCRIPTS.get(unicodedata.name(c, "").split(" ")[0], "")] += count
    script, _ = scripts.most_common(1)[0] if scripts else ("", 0)
    if script:
        return "ja" if "ja" in scripts else script

    def fit(language: Language) -> tuple[int, bool, float]:
        covered = sum(n for c, n in letters.items() if c in language.letters)
        seen = sum(c in letters for c in language.letters)
        return covered, language.code in _USUAL, seen / max(len(language.letters), 1)

    best = max(LANGUAGES, key=fit)
    return best.code if fit(best)[0] else ""


@dataclass(frozen=True)
class ForeignLetters:
    """Letters beyond a–z in texts that are read as English.

    Attributes:
        letters: each such letter, in lower case, and how often it occurs.
        words: number of words that have one.
        is_clear: whether the texts are probably of another language. A few borrowed words, such as
            café, leave this open.
    """

    letters: Counter[str]
    words: int
    is_clear: bool

    @property
    def language(self) -> str:
        """Code of the language that the letters point to; "" if none."""
        return guess_language(self.letters)

    @property
    def is_latin(self) -> bool:
        """Whether most of them are Latin letters, with accents or not."""
        latin = sum(n for c, n in self.letters.items() if unicodedata.name(c, "").startswith("LAT"))
        return 2 * latin >= self.letters.total()

    @property
    def listed(self) -> str:
        """The letters with their counts, for messages."""
        return listed_characters(self.letters)


def foreign_letters(texts: Iterable[str]) -> ForeignLetters | None:
    """Find the letters beyond a–z in texts; None if there are none.

    >>> foreign_letters(["a café"]).is_clear, foreign_letters(["schöne Grüße"]).is_clear
    (False, True)
    """
    letters: Counter[str] = Counter()
    weight = foreign = total = 0
    for text in texts:
        for word in unicodedata.normalize("NFC", text).lower().split():
            total += 1
            if word.isascii():
                continue
            found = [c for c in word if c.isalpha() and not c.isascii()]
            letters.update(found)
            if found:
                foreign += 1
                # Borrowed words have few letters. One word with others, such as "über", is more.
                weight += 1 if LOAN_LETTERS.issuperset(found) else 2
    if not foreign:
        return None
    return ForeignLetters(letters, foreign, weight >= 3 and foreign >= FOREIGN_SHARE * total)


def clearly_foreign_letters(texts: Iterable[str]) -> ForeignLetters | None:
    """`foreign_letters` of texts that are probably not English; None for other texts."""
    found = foreign_letters(texts)
    return found if found is not None and found.is_clear else None


def yaml_line(code: str) -> str:
    """The line of a training configuration for a language, and what to do if it is another one."""
    if not code:
        return "`language: CODE`, with the ISO 639 code of the language, such as de"
    return f"`language: {code}` for {_NAMES.get(code, code)}, or the code of another language"
