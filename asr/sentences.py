"""Sentences for a synthetic voice to read: out of text files, as they are spoken."""

from __future__ import annotations

import lzma
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path

from asr.errors import TextError, reason
from asr.prose import HeldOut
from asr.text import normalise_english, spell_out

_TYPOGRAPHY = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "`": "'", "–": "—", "…": "...", "\u2060": "", "\ufeff": ""}
)
_TITLES = {"Mr": "Mister", "Mrs": "Missus", "Dr": "Doctor"}
_TITLE = re.compile(r"\b(Mr|Mrs|Dr)\.(?= [A-Z])")
_NUMBER = re.compile(
    r"[$€£]?\d[\d,.:]*(?:(?:st|nd|rd|th|'?s)\b)?%?"
    r"(?: (?:hundred|thousand|million|billion|trillion)\b)?"
)
_UNNATURAL = re.compile(r"\d{4}|\d-\d|/|\d[A-Za-z]*\d|\b[IVX]{2,}\b|\b[A-Z]{5,}\b")
"""Years, telephone numbers, dates in digits, codes, Roman numerals and headings: a voice reads
these otherwise than `normalise_english` spells them."""
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
    if _UNNATURAL.search(line):
        return None
    line = _TITLE.sub(lambda title: _TITLES[title[1]], line)
    line = _NUMBER.sub(_number, line)
    line = re.sub(r'["“”()_*]+', " ", line)
    line = " ".join(re.sub(r"\s+([,.;:!?])", r"\1", line).split())
    if not _PLAIN.fullmatch(line) or _INSIDE.search(line) or _ABBREVIATION.search(line):
        return None
    return line.lstrip(",.;:!?—- ")


def _number(match: re.Match[str]) -> str:
    written = match[0].rstrip(",.:")
    spelled = " ".join(spell_out(written).split())
    return f" {spelled} {match[0][len(written) :]}"


def sentences_of(lines: Iterable[str], fewest: int, most: int) -> Iterator[str]:
    """Sentences of `fewest` to `most` words, as spoken. A longer line is cut where sentences end."""
    for line in lines:
        for part in [line] if len(line.split()) <= most else _SENTENCE_END.split(line):
            spoken = as_spoken(part)
            if spoken is not None and fewest <= len(normalise_english(spoken).split()) <= most:
                yield spoken


def read_lines(path: Path) -> list[str]:
    """Lines of a text file, which xz may have compressed.

    Raises:
        TextError: the file cannot be read.
    """
    try:
        if path.suffix == ".xz":
            with lzma.open(path, "rt", encoding="utf-8") as file:
                return file.read().split("\n")
        return path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise TextError(f"{path}: cannot be read: {reason(error)}") from None


def fair_order(sources: Sequence[Iterable[str]], held_out: HeldOut, seed: int) -> list[str]:
    """Sentences of all sources, each once, in turns: any beginning is a fair sample.

    Args:
        sources: sentences of each; they take turns while they last, each in a random order.
        held_out: sentences to leave out.
        seed: of the order.
    """
    shuffled = []
    for source in sources:
        sentences = list(dict.fromkeys(source))
        random.Random(seed).shuffle(sentences)
        shuffled.append(sentences)
    kept: dict[tuple[str, ...], str] = {}
    for sentence in chain.from_iterable(zip_longest(*shuffled)):
        if sentence is not None:
            words = tuple(normalise_english(sentence).split())
            if words not in kept and not held_out.within(words):
                kept[words] = sentence
    return list(kept.values())
