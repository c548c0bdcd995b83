"""Text as it is spoken, for language models: sentences in lower-case words, and generated numbers.

`asr.data.prose` cuts prose at colons and semicolons, and reads years like other numbers.
`spoken_phrases` cuts at the ends of sentences only, so that a time of day stays whole, and writes
years, titles and "OK" in the words that people say.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from num2words import num2words

from asr.inverse_normalisation.phrases import PhraseSampler
from asr.inverse_normalisation.spoken_forms import one_by_one
from asr.text.normalisers import TITLES, normalise_english

_TITLE = re.compile(rf"\b({'|'.join(TITLES)})\b\.?")
_ABBREVIATION = re.compile(r"\b(St|Messrs|Capt|Col|Rev|Gen|Lt|Hon|Esq|vs|etc|viz|[A-Z])\.(?= )")
_END = re.compile(r"[.!?]+[\"'”’)\]*_]*(?:\s+|$)|\n+")
_YEAR = re.compile(r"(?<![\d$€£.,#-])(1[1-9]\d\d|20\d\d)(?![\d%-]|[.,]\d|'?s\b)")
_UNSPEAKABLE = re.compile(
    r"(?<![$€£\d])\d{4}(?!'?s\b)|\d-\d|@|www|http|\d[a-zA-Z]+\d|[<>{}\[\]|\\]"
)
"""Codes, telephone numbers, addresses on the net and markup, which people read in other words."""
_OK = re.compile(r"\bo\.?k\b", re.IGNORECASE)


def spoken_phrases(text: str) -> Iterator[list[str]]:
    """Words of each sentence of a text, as they are spoken.

    Sentences with letters outside ASCII, and with codes or addresses that a reader may say in
    several ways, are left out.

    >>> for words in spoken_phrases("Mr. Hill came at 4:07 in 1862. OK?"):
    ...     print(*words)
    mister hill came at four oh seven in eighteen sixty two
    okay
    """
    text = _TITLE.sub(lambda title: f"{TITLES[title[1]]} ", text)
    for sentence in _END.split(_ABBREVIATION.sub(r"\1", text)):
        spoken = _YEAR.sub(lambda y: num2words(int(y[1]), to="year"), _OK.sub("okay", sentence))
        if _UNSPEAKABLE.search(spoken):
            continue
        words = normalise_english(spoken).split()
        if words and all(word.isascii() for word in words):
            yield words


def number_sentences(count: int, words: Sequence[str], seed: int) -> Iterator[list[str]]:
    """Sentences of numbers, dates, amounts, and words spelled letter by letter, made at random.

    Args:
        count: number of sentences.
        words: words to spell.
        seed: seed of the random numbers; the same arguments give the same sentences.
    """
    sampler = PhraseSampler("train", seed)
    chance = random.Random(seed)
    for _ in range(count):
        kind = chance.random()
        if kind < 0.4:
            spoken = " ".join(sampler.phrase().spoken for _ in range(chance.choice((1, 1, 2))))
        elif kind < 0.6:
            size = chance.choice((1, 2, 3, 4, 5, 5, 6, 7, 10))
            digits = f"{chance.randrange(10**size):0{size}}"
            spoken = chance.choice(one_by_one(digits))
        elif kind < 0.95:
            spoken = " ".join(letter for letter in chance.choice(words) if letter.isalpha())
        else:
            signs = "abcdefghijklmnopqrstuvwxyz0123456789"
            code = "".join(chance.choice(signs) for _ in range(chance.randrange(2, 9)))
            spoken = " ".join(c if c.isalpha() else one_by_one(c)[0] for c in code)
        yield spoken.split()


def choose_vocabulary(
    texts: Iterable[Iterable[Sequence[str]]],
    least: int,
    most: int,
    known: Collection[str] = (),
    least_known: int = 1,
) -> list[str]:
    """The most frequent words of several texts, sorted.

    A word of a dictionary needs fewer occurrences than another one, which may be a misspelling, and
    whose pronunciation would be a guess.

    Args:
        texts: words of each sentence of each text.
        least: occurrences that a word needs in all texts together.
        most: number of words.
        known: words of a dictionary. Default: none.
        least_known: occurrences that a word of the dictionary needs. Default: 1.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        for sentence in text:
            counts.update(sentence)
    enough = [w for w, c in counts.items() if c >= (least_known if w in known else least)]
    return sorted(sorted(enough, key=lambda word: (-counts[word], word))[:most])
