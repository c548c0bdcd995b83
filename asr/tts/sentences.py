"""The text front end of a voice: text → sentences of symbols, which are phones and pauses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from asr.base.units import Seconds
from asr.errors import TextError
from asr.pronunciation.pronouncer import Pronouncer, letter_phones, with_s
from asr.text.normalisers import spell_out
from asr.text.phones import PHONES
from asr.text.verbalisation import verbalise
from asr.text.verbalisation.rules import LETTER_NAME_OFFSET
from asr.tts.marked_text import Break, Mark, MarkedText, Pronounced, Prosody
from asr.tts.plain_text import clean_text
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


@dataclass(frozen=True)
class SpokenWord:
    """A word of a sentence.

    Attributes:
        text: its letters.
        first, last: range of its phones in the sentence's symbols; `last` is exclusive.
        written: the written text that begins with this word, such as "$5" for "five"; None if the
            word continues the written text of the word before it.
        prosody: how it is spoken, relative to the rest.
    """

    text: str
    first: int
    last: int
    written: str | None = None
    prosody: Prosody = Prosody()


@dataclass(frozen=True)
class Sentence:
    """A sentence as symbols.

    Attributes:
        symbols: START, then phones, gaps and pauses; the last symbol is one of PAUSES.
        words: the words.
        warnings: one message for each part that is skipped, spelled or pronounced by a rule.
        characters: about how many characters of the text have been read at its end.
        pause: seconds of silence before it; None for the usual pause.
        silence: seconds of silence behind it, at the end of a text.
    """

    symbols: tuple[str, ...]
    words: tuple[SpokenWord, ...]
    warnings: tuple[str, ...]
    characters: int = 0
    pause: Seconds | None = None
    silence: Seconds = 0.0

    @property
    def ids(self) -> list[int]:
        """Ids of the symbols, indices of SYMBOLS."""
        return [_IDS[symbol] for symbol in self.symbols]

    @property
    def text(self) -> str:
        """The words separated by spaces, like a recogniser's transcript."""
        return " ".join(word.text for word in self.words)


_IDS = {symbol: i for i, symbol in enumerate(SYMBOLS)}


def sentences(text: str | MarkedText, pronounce: Pronouncer) -> Iterator[Sentence]:
    """The sentences of a text in order.

    A warning about a part without speakable words is in the next sentence, or in the last one. A
    text that has nothing to speak gives no sentence; `unspeakable_reason` says why.

    Args:
        text: any text.
        pronounce: word → phones.
    """
    marked = text if isinstance(text, MarkedText) else None
    pending = list(marked.warnings) if marked else []
    pause: Seconds | None = None
    held: Sentence | None = None
    for piece in _pieces(text, pronounce):
        pending += piece.warnings
        for symbols, words in _divided(piece.symbols, piece.words):
            if held is not None:
                yield held
            held = Sentence(tuple(symbols), tuple(words), tuple(pending), piece.characters, pause)
            pending, pause = [], None
        if piece.pause:
            pause = (pause or 0.0) + piece.pause
    if held is not None:
        yield replace(held, warnings=(*held.warnings, *pending), silence=pause or 0.0)


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
    """A sentence of any length, or a part of one that ends at a break; how many characters have
    been read at its end, and the seconds of the break."""

    symbols: list[str]
    words: list[SpokenWord]
    warnings: list[str]
    characters: int
    pause: Seconds


def _pieces(text: str | MarkedText, pronounce: Pronouncer) -> Iterator[_Piece]:
    marked = text if isinstance(text, MarkedText) else None
    marks = marked.marks if marked else {}
    reader, before = _Reader(pronounce, marks), 0
    for passage in passages(marked.text if marked else str(text)):
        pieces = []
        texts = _in_words(passage if marked else clean_text(passage), pronounce.lexicon)
        for i, sentence in enumerate(texts, 1):
            characters = before + len(passage) * i // len(texts)
            for part, pause in _until_breaks(sentence, marks):
                pieces.append(_Piece(*reader.read(part, bool(pause)), characters, pause))
        written = [_written(word, marks) for word in passage.split()]
        begins = iter(
            written_spans(
                [word for word in written if word],
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
    written = verbalise(passage, known).rstrip()
    return [spell_out(sentence) for sentence in _SENTENCE_ENDS.split(written)]


def _until_breaks(sentence: str, marks: Mapping[str, Mark]) -> Iterator[tuple[str, Seconds]]:
    """The parts of a sentence, and the seconds of the break behind each; 0 for the last one."""
    start = 0
    for i, character in enumerate(sentence):
        mark = marks.get(character)
        if isinstance(mark, Break):
            yield sentence[start:i], mark.seconds
            start = i + 1
    yield sentence[start:], 0.0


def _written(word: str, marks: Mapping[str, Mark]) -> str:
    """A written word; "" for a mark that is no word. Letters' names are letters again."""
    mark = marks.get(word)
    if mark is None:
        return "".join(
            chr(ord(c) - LETTER_NAME_OFFSET) if "\ue061" <= c <= "\ue07a" else c for c in word
        )
    return mark.text if isinstance(mark, Pronounced) else ""


def _spoken_alone(written: str, known: Collection[str]) -> list[str]:
    """The words that are spoken for one written word, if it stands alone."""
    words = []
    for sentence in _in_words(clean_text(written), known):
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


class _Reader:
    """Reads sentences of words as symbols. A prosody holds until the next one.

    Args:
        pronounce: word → phones.
        marks: what marks in the sentences stand for.
    """

    def __init__(self, pronounce: Pronouncer, marks: Mapping[str, Mark]) -> None:
        self.pronounce, self.marks = pronounce, marks
        self.prosody = Prosody()
        self.symbols, self.words, self.warnings = [START], list[SpokenWord](), list[str]()

    def read(self, sentence: str, goes_on: bool) -> tuple[list[str], list[SpokenWord], list[str]]:
        """Symbols, words and warnings of a sentence.

        Args:
            sentence: small letters and punctuation.
            goes_on: whether the sentence goes on after a break: it may end with a comma.
        """
        self.symbols, self.words, self.warnings = [START], [], []
        for token in _TOKEN.findall(sentence):
            if token in _PAUSE:
                self._add_pause(_PAUSE[token])
            elif "\ue061" <= token[0] <= "\ue07a":
                letter, ending = chr(ord(token[0]) - LETTER_NAME_OFFSET), token[1:]
                phones = letter_phones(letter)
                self._add_phones(letter + ending, with_s(phones) if ending else phones)
            elif (mark := self.marks.get(token)) is not None:
                self._obey(mark)
            elif (word := _word(token, self.pronounce.lexicon)) is not None:
                self._add_word(word)
            elif token not in _IGNORED and token.strip("'"):
                name = unicodedata.name(token[0], "").lower()
                self.warnings.append(
                    f"skipped: {token}" + (f" ({name})" if len(token) == 1 and name else "")
                )
        symbols, usual = self.symbols, "," if goes_on else "."
        final = symbols.pop() if symbols[-1] in SILENT and len(symbols) > 1 else usual
        symbols.append(final if final in (".", "?", "!") else usual)
        return symbols, self.words, self.warnings

    def _obey(self, mark: Mark) -> None:
        if isinstance(mark, Prosody):
            self.prosody = mark
        elif isinstance(mark, Pronounced):
            self._add_phones(mark.text.lower(), mark.phones)

    def _add_pause(self, symbol: str) -> None:
        if self.words:
            # The last of several marks counts: ?!, .), …
            if self.symbols[-1] in SILENT:
                self.symbols.pop()
            self.symbols.append(symbol)

    def _add_word(self, word: str) -> None:
        if len(word) > MAX_LETTERS:
            word, cut = word[:MAX_LETTERS], len(word) - MAX_LETTERS
            self.warnings.append(f"skipped: the last {cut} letters of {word}…, too long for a word")
        pronunciation = self.pronounce(word)
        if pronunciation.source == "spelled":
            self.warnings.append(f"spelled: {word}")
        elif pronunciation.source in ("rule", "learned"):
            phones = " ".join(pronunciation.phones)
            self.warnings.append(f"not in the lexicon: {word}, pronounced {phones}")
        self._add_phones(word, pronunciation.phones)

    def _add_phones(self, word: str, phones: Sequence[str]) -> None:
        if self.symbols[-1] not in SILENT:
            self.symbols.append(GAP)
        first = len(self.symbols)
        self.words.append(SpokenWord(word, first, first + len(phones), prosody=self.prosody))
        self.symbols += phones


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
