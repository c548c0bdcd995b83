"""The text front end of a voice: text → sentences of symbols, which are phones and pauses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from asr.errors import TextError
from asr.pronunciation.pronouncer import Pronouncer, letter_phones, with_s
from asr.text.normalisers import spell_out
from asr.text.phones import PHONES
from asr.text.verbalisation import verbalise
from asr.text.verbalisation.rules import LETTER_NAME_OFFSET
from asr.tts.written_spans import written_spans

START, GAP = "^", "_"
"""The symbol before the first word; the symbol between two words without punctuation."""
PAUSES = (",", ".", "?", "!")
"""Symbols of punctuation marks, where a reader pauses."""
SYMBOLS = (START, GAP, *PAUSES, *PHONES)
"""All symbols; an id is an index of this tuple."""
SILENT = frozenset((START, GAP, *PAUSES))
"""Symbols that are not phones."""
MAX_SYMBOLS = 200
"""Longest sentence, in symbols. Longer ones are divided at a comma or a gap, because the network is
trained on recordings of a few seconds."""
MAX_LETTERS = 28
"""Longest word, in letters. Of a longer run of letters only the beginning is spoken."""

_PAUSE = dict.fromkeys(",;:()—–", ",") | dict.fromkeys(".…", ".") | {"?": "?", "!": "!"}
"""Punctuation mark → its symbol."""
_IGNORED = frozenset("'\"-“”„«»[]{}*/_‐‑‒−~^|\\<>#")
"""Marks that are left out without a warning."""
_BASE_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "⁄": "/",
    }
)
"""Letters that Unicode does not decompose into a–z and an accent."""


@dataclass(frozen=True)
class SpokenWord:
    """A word of a sentence.

    Attributes:
        text: its letters.
        first, last: range of its phones in the sentence's symbols; `last` is exclusive.
        written: the written text that begins with this word, such as "$5" for "five"; None if the
            word continues the written text of the word before it.
    """

    text: str
    first: int
    last: int
    written: str | None = None


@dataclass(frozen=True)
class Sentence:
    """A sentence as symbols.

    Attributes:
        symbols: START, then phones, gaps and pauses; the last symbol is one of PAUSES.
        words: the words.
        warnings: one message for each part that is skipped, spelled or pronounced by a rule.
        characters: about how many characters of the text have been read at its end.
    """

    symbols: tuple[str, ...]
    words: tuple[SpokenWord, ...]
    warnings: tuple[str, ...]
    characters: int = 0

    @property
    def ids(self) -> list[int]:
        """Ids of the symbols, indices of SYMBOLS."""
        return [_IDS[symbol] for symbol in self.symbols]

    @property
    def text(self) -> str:
        """The words separated by spaces, like a recogniser's transcript."""
        return " ".join(word.text for word in self.words)


_IDS = {symbol: i for i, symbol in enumerate(SYMBOLS)}


def sentences(text: str, pronounce: Pronouncer) -> Iterator[Sentence]:
    """The sentences of a text in order.

    A warning about a part without speakable words is in the next sentence, or in the last one. A
    text that has nothing to speak gives no sentence; `unspeakable_reason` says why.

    Args:
        text: any text.
        pronounce: word → phones.
    """
    pending: list[str] = []
    held: Sentence | None = None
    for symbols, words, warnings, characters in _pieces(text, pronounce):
        pending += warnings
        for part_symbols, part_words in _divided(symbols, words):
            if held is not None:
                yield held
            held = Sentence(tuple(part_symbols), tuple(part_words), tuple(pending), characters)
            pending = []
    if held is not None:
        yield replace(held, warnings=(*held.warnings, *pending))


def one_sentence(text: str, pronounce: Pronouncer) -> Sentence:
    """A whole text as one sentence, for recordings of several sentences.

    Raises:
        TextError: the text has nothing that can be spoken.
    """
    symbols, words, warnings = [START], list[SpokenWord](), list[str]()
    for part in sentences(text, pronounce):
        shift = len(symbols) - 1
        symbols += part.symbols[1:]
        words += [replace(w, first=w.first + shift, last=w.last + shift) for w in part.words]
        warnings += part.warnings
    if not words:
        raise TextError(unspeakable_reason(text))
    return Sentence(tuple(symbols), tuple(words), tuple(warnings))


def unspeakable_reason(text: str) -> str:
    """Why `sentences` finds no sentence in a text."""
    if not text.strip():
        return "the text is empty"
    shown = text.strip()[:40]
    return f"nothing in {shown!r} can be spoken: it has no letters a–z and no numbers"


_SENTENCE_ENDS = re.compile(r"(?<=[.?!…])[\"'”’)\]]*\s+(?![a-z])")
_PASSAGE_ENDS = re.compile(
    r"\n\s*\n"
    # In a long paragraph, also the end of a sentence, after a word that is no abbreviation.
    r"|(?<=[a-z]{5}[.?!])\s(?=[A-Z])"
)
PASSAGE = 1000
"""Least length of a passage of a text without empty lines, in characters."""


def passages(text: str) -> Iterator[str]:
    """Parts of a text, with whole sentences, that are read one after the other.

    The first sentence of a book is therefore spoken before the rest of the book is read. Passages
    end at empty lines, and at the ends of sentences if a paragraph is long.
    """
    start = 0
    for end in _PASSAGE_ENDS.finditer(text):
        if end[0].count("\n") > 1 or end.start() - start >= PASSAGE:
            yield text[start : end.end()]
            start = end.end()
    yield text[start:]


class _Piece(NamedTuple):
    """A sentence of any length, and how many characters have been read at its end."""

    symbols: list[str]
    words: list[SpokenWord]
    warnings: list[str]
    characters: int


def _pieces(text: str, pronounce: Pronouncer) -> Iterator[_Piece]:
    before = 0
    for passage in passages(text):
        texts = _in_words(passage, pronounce.lexicon)
        pieces = [
            _Piece(*_symbols(each, pronounce), before + len(passage) * i // len(texts))
            for i, each in enumerate(texts, 1)
        ]
        begins = iter(
            written_spans(
                passage.split(),
                [word.text for piece in pieces for word in piece.words],
                partial(_spoken_alone, known=pronounce.lexicon),
            )
        )
        for piece in pieces:
            words = [replace(word, written=next(begins)) for word in piece.words]
            yield piece._replace(words=words)
        before += len(passage)


def _in_words(passage: str, known: Collection[str]) -> list[str]:
    """The sentences of a passage in small letters, without numbers."""
    # No sentence ends before a small letter: "p. 45 and", "he said so! and left".
    written = verbalise(_clean(passage), known).rstrip()
    return [spell_out(sentence) for sentence in _SENTENCE_ENDS.split(written)]


def _spoken_alone(written: str, known: Collection[str]) -> list[str]:
    """The words that are spoken for one written word, if it stands alone."""
    words = []
    for sentence in _in_words(written, known):
        for token in _TOKEN.findall(sentence):
            if "\ue061" <= token[0] <= "\ue07a":
                words.append(chr(ord(token[0]) - LETTER_NAME_OFFSET) + token[1:])
            elif (word := _word(token, known)) is not None:
                words.append(word[:MAX_LETTERS])
    return words


_TOKEN = re.compile(r"[\ue061-\ue07a](?:'s)?|[a-z']+|[^\W_]+|[^\s]")


def _word(token: str, known: Collection[str]) -> str | None:
    """The letters of a token that is a word, else None."""
    word = token if token in known else token.strip("'")
    return word if re.fullmatch("[a-z']+", word) else None


def _clean(text: str) -> str:
    """The text with decomposable letters as a–z and without control characters."""
    text = unicodedata.normalize("NFC", text).translate(_BASE_LETTERS)
    kinds = ((c, unicodedata.category(c)) for c in text)
    # Format characters, such as soft hyphens, are inside words: they are removed, not replaced by
    # a space.
    kept = (("" if k == "Cf" else " ") if k[0] == "C" and c != "\n" else c for c, k in kinds)
    return "".join(kept)


def _symbols(piece: str, pronounce: Pronouncer) -> tuple[list[str], list[SpokenWord], list[str]]:
    symbols, words, warnings = [START], list[SpokenWord](), list[str]()
    for token in _TOKEN.findall(piece):
        if token in _PAUSE:
            if words:
                # The last of several marks counts: ?!, .), …
                if symbols[-1] in SILENT:
                    symbols.pop()
                symbols.append(_PAUSE[token])
            continue
        if "\ue061" <= token[0] <= "\ue07a":
            letter, ending = chr(ord(token[0]) - LETTER_NAME_OFFSET), token[1:]
            phones = letter_phones(letter)
            _add_phones(letter + ending, with_s(phones) if ending else phones, symbols, words)
            continue
        word = _word(token, pronounce.lexicon)
        if word is None:
            if token not in _IGNORED and token.strip("'"):
                name = unicodedata.name(token[0], "").lower()
                warnings.append(
                    f"skipped: {token}" + (f" ({name})" if len(token) == 1 and name else "")
                )
            continue
        if len(word) > MAX_LETTERS:
            word, cut = word[:MAX_LETTERS], len(word) - MAX_LETTERS
            warnings.append(f"skipped: the last {cut} letters of {word}…, too long for a word")
        _add_word(word, pronounce, symbols, words, warnings)
    final = symbols.pop() if symbols[-1] in SILENT and len(symbols) > 1 else "."
    symbols.append(final if final in (".", "?", "!") else ".")
    return symbols, words, warnings


def _add_word(
    word: str,
    pronounce: Pronouncer,
    symbols: list[str],
    words: list[SpokenWord],
    warnings: list[str],
) -> None:
    pronunciation = pronounce(word)
    if pronunciation.source == "spelled":
        warnings.append(f"spelled: {word}")
    elif pronunciation.source in ("rule", "learned"):
        phones = " ".join(pronunciation.phones)
        warnings.append(f"not in the lexicon: {word}, pronounced {phones}")
    _add_phones(word, pronunciation.phones, symbols, words)


def _add_phones(
    word: str, phones: Sequence[str], symbols: list[str], words: list[SpokenWord]
) -> None:
    if symbols[-1] not in SILENT:
        symbols.append(GAP)
    words.append(SpokenWord(word, len(symbols), len(symbols) + len(phones)))
    symbols += phones


def _divided(
    symbols: Sequence[str], words: Sequence[SpokenWord]
) -> Iterator[tuple[list[str], list[SpokenWord]]]:
    """A sentence in parts of at most MAX_SYMBOLS symbols, divided at pauses if possible."""
    i = 0
    while i < len(words):
        first, j = words[i].first, len(words)
        if len(symbols) - first >= MAX_SYMBOLS:
            j = i + 1
            while j < len(words) and words[j].last - first + 1 < MAX_SYMBOLS:
                j += 1
            pauses = [
                k
                for k in range(i + 1, j + 1)
                if symbols[words[k - 1].last] != GAP
                and words[k - 1].last - first > MAX_SYMBOLS // 3
            ]
            j = pauses[-1] if pauses else j
        last, shift = words[j - 1].last, first - 1
        mark = symbols[last] if symbols[last] != GAP else ","
        yield (
            [START, *symbols[first:last], mark],
            [replace(w, first=w.first - shift, last=w.last - shift) for w in words[i:j]],
        )
        i = j
