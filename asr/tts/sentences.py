"""The front end of a voice: text → sentences → symbols, which are phones and pauses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from asr.errors import TextError
from asr.pronunciation.pronouncer import Pronouncer, spell
from asr.text.expansion import LETTER_NAME_OFFSET, expand_written_forms
from asr.text.normalisers import spell_out
from asr.text.phones import PHONES

START, GAP = "^", "_"
"""Before the first word; between two words without punctuation, where mostly nobody pauses."""
PAUSES = (",", ".", "?", "!")
SYMBOLS = (START, GAP, *PAUSES, *PHONES)
"""What a voice's network reads; ids are places in this list."""
SILENT = frozenset((START, GAP, *PAUSES))
LONGEST = 200
"""Symbols a sentence: longer ones are divided, at a comma or a gap, since durations are learnt from
recordings of some seconds."""
LONGEST_WORD = 28
"""Letters; a longer run of letters is no word, and only its start is said."""

_PAUSE = {",": ",", ";": ",", ":": ",", "(": ",", ")": ",", "—": ",", "–": ",", ".": ".", "…": ".",
          "?": "?", "!": "!"}  # fmt: skip
_SILENTLY = frozenset("'\"-“”„«»[]{}*/_‐‑‒−~^|\\<>#")
"""Marks that nobody says: left out without a word."""
_BASE = str.maketrans({
    "ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
    "đ": "d", "ð": "d", "þ": "th", "⁄": "/",
})  # fmt: skip
"""Letters that Unicode does not take apart into a–z and an accent."""


@dataclass(frozen=True)
class Word:
    """A word as it is said: its letters, and its phones' place in the sentence's symbols."""

    text: str
    first: int
    last: int
    """Exclusive."""


@dataclass(frozen=True)
class Sentence:
    """What is said in one breath.

    symbols: from START to a pause of PAUSES, see SYMBOLS. words: what stands between the pauses.
    warnings: what could not be said, or only by guessing, each naming what.
    """

    symbols: tuple[str, ...]
    words: tuple[Word, ...]
    warnings: tuple[str, ...]

    @property
    def ids(self) -> list[int]:
        """The symbols' places in SYMBOLS."""
        return [_IDS[symbol] for symbol in self.symbols]

    @property
    def text(self) -> str:
        """The words, as a recogniser's transcript would have them."""
        return " ".join(word.text for word in self.words)


_IDS = {symbol: i for i, symbol in enumerate(SYMBOLS)}


def sentences(text: str, pronounce: Pronouncer) -> Iterator[Sentence]:
    """Sentences of a text in their order; nothing for a text in which nothing can be said.

    Every warning is in the sentence that follows what it is about, or in the last one; where there
    is no sentence at all, use `unspeakable`.
    """
    pending: list[str] = []
    held: Sentence | None = None
    written = expand_written_forms(_clean(text), pronounce.lexicon)
    # A small letter goes on with the sentence: "p. 45 and", "he said so! and left".
    for piece in re.split(r"(?<=[.?!…])[\"'”’)\]]*\s+(?![a-z])|\n\s*\n", written):
        symbols, words, warnings = _symbols(spell_out(piece), pronounce)
        pending += warnings
        for part_symbols, part_words in _divided(symbols, words):
            if held is not None:
                yield held
            held = Sentence(tuple(part_symbols), tuple(part_words), tuple(pending))
            pending = []
    if held is not None:
        yield replace(held, warnings=(*held.warnings, *pending))


def one_sentence(text: str, pronounce: Pronouncer) -> Sentence:
    """All of a text as one sentence, for what was recorded as one.

    Raises:
        TextError: nothing in it can be said.
    """
    symbols, words, warnings = [START], list[Word](), list[str]()
    for part in sentences(text, pronounce):
        shift = len(symbols) - 1
        symbols += part.symbols[1:]
        words += [Word(w.text, w.first + shift, w.last + shift) for w in part.words]
        warnings += part.warnings
    if not words:
        raise TextError(unspeakable(text))
    return Sentence(tuple(symbols), tuple(words), tuple(warnings))


def unspeakable(text: str) -> str:
    """Why `sentences` found nothing in a text."""
    if not text.strip():
        return "the text is empty"
    shown = text.strip()[:40]
    return f"nothing in {shown!r} can be said: no letters of a–z and no numbers"


def _clean(text: str) -> str:
    """Letters of a–z where there are any, without control characters; a line of its own ends a
    sentence only at an empty line."""
    text = re.sub("[¼-¾⅐-⅞]", lambda m: " " + unicodedata.normalize("NFKC", m[0]), text)
    text = unicodedata.normalize("NFC", text).translate(_BASE)
    kinds = ((c, unicodedata.category(c)) for c in text)
    # Soft hyphens and the like stand inside words.
    kept = (("" if k == "Cf" else " ") if k[0] == "C" and c != "\n" else c for c, k in kinds)
    return "".join(kept)


def _symbols(piece: str, pronounce: Pronouncer) -> tuple[list[str], list[Word], list[str]]:
    symbols, words, warnings = [START], list[Word](), list[str]()
    for token in re.findall(r"[\ue061-\ue07a]|[a-z']+|[^\W_]+|[^\s]", piece):
        if token in _PAUSE:
            if words:
                # Of several marks the last counts: ?!, .), …
                if symbols[-1] in SILENT:
                    symbols.pop()
                symbols.append(_PAUSE[token])
            continue
        if "\ue061" <= token <= "\ue07a":
            letter = chr(ord(token) - LETTER_NAME_OFFSET)
            _add(letter, spell(letter), symbols, words)
            continue
        said = token if token in pronounce.lexicon else token.strip("'")
        if not re.fullmatch("[a-z']+", said):
            if token not in _SILENTLY and said:
                name = unicodedata.name(token[0], "").lower()
                warnings.append(
                    f"skipped: {token}" + (f" ({name})" if len(token) == 1 and name else "")
                )
            continue
        if len(said) > LONGEST_WORD:
            said, cut = said[:LONGEST_WORD], len(said) - LONGEST_WORD
            warnings.append(f"skipped: the last {cut} letters of {said}…, which is no word")
        _say(said, pronounce, symbols, words, warnings)
    final = symbols.pop() if symbols[-1] in SILENT and len(symbols) > 1 else "."
    symbols.append(final if final in (".", "?", "!") else ".")
    return symbols, words, warnings


def _say(
    word: str, pronounce: Pronouncer, symbols: list[str], words: list[Word], warnings: list[str]
) -> None:
    pronunciation = pronounce(word)
    if pronunciation.source == "spelled":
        warnings.append(f"spelled: {word}")
    elif pronunciation.source in ("rule", "learned"):
        said = " ".join(pronunciation.phones)
        warnings.append(f"not in the lexicon: {word}, said as {said}")
    _add(word, pronunciation.phones, symbols, words)


def _add(word: str, phones: Sequence[str], symbols: list[str], words: list[Word]) -> None:
    if symbols[-1] not in SILENT:
        symbols.append(GAP)
    words.append(Word(word, len(symbols), len(symbols) + len(phones)))
    symbols += phones


def _divided(
    symbols: Sequence[str], words: Sequence[Word]
) -> Iterator[tuple[list[str], list[Word]]]:
    """A sentence in parts of at most LONGEST symbols, divided at a pause where there is one."""
    i = 0
    while i < len(words):
        first, j = words[i].first, len(words)
        if len(symbols) - first >= LONGEST:
            j = i + 1
            while j < len(words) and words[j].last - first + 1 < LONGEST:
                j += 1
            pauses = [
                k
                for k in range(i + 1, j + 1)
                if symbols[words[k - 1].last] != GAP and words[k - 1].last - first > LONGEST // 3
            ]
            j = pauses[-1] if pauses else j
        last, shift = words[j - 1].last, first - 1
        mark = symbols[last] if symbols[last] != GAP else ","
        yield (
            [START, *symbols[first:last], mark],
            [Word(w.text, w.first - shift, w.last - shift) for w in words[i:j]],
        )
        i = j
