"""`written_words`: which spoken words each word of a written text stands for."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import NamedTuple

CONTEXT = 4
"""Words on either side of a boundary that can belong to one written form, such as "$5.5 million".
The longest forms of the normalisers have three words."""


class WrittenWord(NamedTuple):
    """A word as it is written, with its punctuation.

    Attributes:
        text: the word; with a space inside if a mark stands alone, as in "yes —", or if several
            words are spoken together.
        spoken: number of words of the normalised text; 1 or more.
    """

    text: str
    spoken: int


def written_words(text: str, normalise: Callable[[str], str]) -> list[WrittenWord]:
    """Split a written text into words, and count the normalised words of each.

    >>> from asr import normalise_english
    >>> for word in written_words("Dr. Smith paid $23.50 — in May.", normalise_english):
    ...     print(word.spoken, word.text)
    1 Dr.
    1 Smith
    1 paid
    5 $23.50 —
    1 in
    1 May.

    Args:
        text: any text.
        normalise: converts a text to the words that are spoken, separated by white space.

    Returns:
        The words in order. Their counts add up to the number of words of `normalise(text)`; there
        are none if that is 0.
    """
    tokens = text.split()
    spoken = normalise(text).split()
    counts = [len(normalise(token).split()) for token in tokens]
    alone = [word for token in tokens for word in normalise(token).split()]
    if alone != spoken:
        counts = _counts_in_context(tokens, spoken, normalise)
    words: list[WrittenWord] = []
    waiting: list[str] = []  # marks before a word
    for token, count in zip(tokens, counts, strict=True):
        if count:
            words.append(WrittenWord(" ".join([*waiting, token]), count))
            waiting = []
        elif words and not waiting and not _opens(token):
            words[-1] = WrittenWord(f"{words[-1].text} {token}", words[-1].spoken)
        else:
            waiting.append(token)
    if words and waiting:
        words[-1] = WrittenWord(" ".join([words[-1].text, *waiting]), words[-1].spoken)
    return words


def _opens(mark: str) -> bool:
    """Whether a mark belongs to the word behind it: a bracket, a quotation mark or a currency."""
    return all(unicodedata.category(c) in ("Ps", "Pi", "Sc") for c in mark)


def _counts_in_context(
    tokens: list[str], spoken: list[str], normalise: Callable[[str], str]
) -> list[int]:
    """Number of words of `spoken` for each token, where some tokens are spoken together."""

    def words(part: list[str]) -> list[str]:
        return normalise(" ".join(part)).split()

    pieces: list[list[str]] = [[]]
    for i, token in enumerate(tokens):
        before, after = tokens[max(0, i - CONTEXT) : i], tokens[i : i + CONTEXT]
        # Two words of letters are never one written form; checking them all would be slow.
        plain = bool(before) and before[-1].isalpha() and token.isalpha()
        if before and (plain or words(before) + words(after) == words(before + after)):
            pieces.append([])
        pieces[-1].append(token)
    expanded = [words(piece) for piece in pieces]
    if [word for part in expanded for word in part] != spoken:
        pieces, expanded = [tokens], [spoken]
    return [
        count
        for piece, part in zip(pieces, expanded, strict=True)
        for count in _shares(piece, part, words)
    ]


def _shares(
    tokens: list[str], spoken: list[str], words: Callable[[list[str]], list[str]]
) -> list[int]:
    """Share out the words of a piece among its tokens, in order.

    A token begins with the first word that it has on its own. If these words are not in order, a
    word belongs to the token that has the word on its own, and other words belong to the token of
    the word before them.
    """
    if len(tokens) == 1:
        return [len(spoken)]
    each = [words([token]) for token in tokens]
    if (found := _counts_from_first_words(each, spoken)) is not None:
        return found
    owners = [i for i, own in enumerate(each) for _ in own]
    alone = [word for own in each for word in own]
    matcher = SequenceMatcher(None, alone, spoken, autojunk=False)
    counts = [0] * len(tokens)
    owner = at = 0
    for block in matcher.get_matching_blocks():
        counts[owner] += block.b - at
        for k in range(block.size):
            owner = owners[block.a + k]
            counts[owner] += 1
        at = block.b + block.size
    return counts


def _counts_from_first_words(each: list[list[str]], spoken: list[str]) -> list[int] | None:
    """Number of words of each token, which begins with its first word.

    Args:
        each: words of each token on its own.
        spoken: words of all tokens together.

    Returns:
        One number per token; None if the first words are not in `spoken` in this order.
    """
    owners = [i for i, own in enumerate(each) if own]
    starts: list[int] = []
    for i in owners:
        at = starts[-1] + 1 if starts else 0
        if each[i][0] not in spoken[at:]:
            return None
        starts.append(spoken.index(each[i][0], at))
    if not starts or starts[0] > 0:
        return None
    counts = [0] * len(each)
    for i, start, end in zip(owners, starts, [*starts[1:], len(spoken)], strict=True):
        counts[i] = end - start
    return counts
