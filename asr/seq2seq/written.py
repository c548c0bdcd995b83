"""Transcripts as they would be written: "twenty three dollars" → "$23"; English.

Stretches of a text that hold number words go to a converter (`asr.seq2seq.converter`), which says
how each is written. What it says is taken only if that, spoken out again (`asr.seq2seq.spoken`), is
what was said; all else stays in words, and text without number words never gets so far.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from asr.results import Transcript, Word
from asr.seq2seq.spoken import COINS, HALVES, MONTHS, UNITS, Piece, align

Propose = Callable[[Sequence[str]], Sequence[Sequence[str]]]
"""Sources, symbols parted by spaces → targets for each, the best first."""

SMALL = frozenset(
    "zero oh one two three four five six seven eight nine first second third fourth fifth sixth "
    "seventh eighth ninth".split()
)
"""Stay words where they stand alone."""
SCALES = frozenset("hundred thousand million billion trillion".split())
ORDINALS = frozenset(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth fortieth "
    "fiftieth sixtieth seventieth eightieth ninetieth hundredth thousandth millionth".split()
)
DECADES = frozenset(
    "twenties thirties forties fifties sixties seventies eighties nineties".split()
)
NUMBERS = (
    SMALL | SCALES | ORDINALS | DECADES | frozenset(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty "
        "thirty forty fifty sixty seventy eighty ninety".split()
    )
)  # fmt: skip
MONTH_WORDS = frozenset(month.lower() for month in MONTHS)
PHRASES = {
    ("p", "m"): "pm", ("a", "m"): "am", ("per", "cent"): "percent", ("kilo", "hertz"): "kilohertz",
    ("mile", "per", "hour"): "mph", ("miles", "per", "hour"): "mph",
}  # fmt: skip
"""Words that are one symbol."""
BEHIND = frozenset(
    ("o'clock", "percent", "mph", *HALVES, *(name for pair in COINS.values() for names in pair
     for name in names), *(name for names in UNITS.values() for name in names if " " not in name))
)  # fmt: skip
"""Belong to the number before them."""
TIME_CUES = frozenset(
    "at by before after until till around about since from to between past".split()
)
"""Behind one of these, "five thirty" is a time."""
CODE_CUES = frozenset(
    "room flight number route highway bus interstate apartment gate channel code extension".split()
)
"""Behind one of these, "five thirty" is 530."""
DATE_CUES = frozenset(
    "on by since until till before after from of through last next this in".split()
)
"""Behind one of these, "may first" is a date."""
KNOWN = (
    NUMBERS | MONTH_WORDS | BEHIND | TIME_CUES | CODE_CUES | DATE_CUES | frozenset(
        "a the and or of point past half quarter with for is was are were be i you he she it we "
        "they that who which not will would can could into over under nearly almost only than "
        "more less morning night year years people times".split()
    )
)  # fmt: skip
"""Symbols of sources; `OTHER` is any other word."""
OTHER, OPEN, CLOSE = "?", "<", ">"
NEIGHBOURS = 2
"""Words that the converter sees on either side of a stretch, which is between `OPEN` and `CLOSE`."""
APART = "_"
"""In targets: between two words of the written text."""


@dataclass(frozen=True)
class Span:
    """A stretch of words that may be written otherwise, `first` … `last` - 1, and the converter's
    source."""

    first: int
    last: int
    source: str


class Writer:
    """Writes numbers, dates, money, times, percentages and units with digits.

    Args:
        propose: the converter; whatever it says is checked.
    """

    def __init__(self, propose: Propose) -> None:
        self.propose = propose

    def text(self, text: str) -> str:
        """A normalised text as it would be written; nothing but the numbers is touched."""
        found = list(re.finditer(r"\S+", text))
        (pieces,) = self.pieces([[word[0] for word in found]])
        parts, at = [], 0
        for piece in pieces:
            start, end = found[piece.first].start(), found[piece.last - 1].end()
            parts += [text[at:start], piece.text]
            at = end
        return "".join(parts) + text[at:]

    def transcripts(self, results: Sequence[Transcript]) -> list[Transcript]:
        """Each with text, words and alternatives as they would be written.

        A word that stands for several said ones lasts from the first to the last of them, and is as
        sure as the least sure. Tokens stay what was heard.
        """
        said = [[word.text for word in result.words] for result in results]
        alternatives = [a.text.split() for result in results for a in result.alternatives]
        pieces = iter(self.pieces([*said, *alternatives]))
        written = [_rewritten(result, next(pieces)) for result in results]
        return [
            replace(
                result,
                alternatives=tuple(
                    replace(a, text=" ".join(piece.text for piece in next(pieces)))
                    for a in result.alternatives
                ),
            )
            for result in written
        ]

    def pieces(self, texts: Sequence[Sequence[str]]) -> list[list[Piece]]:
        """What becomes of the words of each text; all texts go to the converter together."""
        found = [spans(words) for words in texts]
        sources = list(dict.fromkeys(span.source for of_one in found for span in of_one))
        proposed = dict(zip(sources, self.propose(sources), strict=True)) if sources else {}
        written = []
        for words, of_one in zip(texts, found, strict=True):
            pieces, at = [], 0
            for span in of_one:
                pieces += _unchanged(words, at, span.first)
                found_here = checked(words[span.first : span.last], proposed[span.source])
                pieces += [
                    Piece(p.text, span.first + p.first, span.first + p.last) for p in found_here
                ]
                at = span.last
            written.append(pieces + _unchanged(words, at, len(words)))
        return written


def _unchanged(words: Sequence[str], first: int, last: int) -> list[Piece]:
    return [Piece(words[i], i, i + 1) for i in range(first, last)]


def checked(words: Sequence[str], targets: Iterable[str]) -> list[Piece]:
    """The first of the converter's targets that says these words, or the words as they are."""
    for target in targets:
        if (pieces := align(words, tokens_of(target))) is not None:
            return pieces
    return _unchanged(words, 0, len(words))


def _rewritten(result: Transcript, pieces: Sequence[Piece]) -> Transcript:
    if [piece.text for piece in pieces] == [word.text for word in result.words]:
        return result
    words = []
    for piece in pieces:
        said = result.words[piece.first : piece.last]
        sure = min(word.confidence for word in said)
        words.append(Word(piece.text, said[0].start, said[-1].end, sure))
    return replace(result, text=" ".join(word.text for word in words), words=tuple(words))


def spans(words: Sequence[str]) -> list[Span]:
    """The stretches of number words, and what may belong to them, that could be written otherwise."""
    items = list(_items(words))
    symbols = [symbol for symbol, _, _ in items]
    found, at = [], 0
    while at < len(items):
        if symbols[at] not in NUMBERS | MONTH_WORDS:
            at += 1
            continue
        start, at = at, _end(symbols, at)
        start -= _before(symbols, start, at)
        inside = symbols[start:at]
        numbers = [symbol for symbol in inside if symbol in NUMBERS]
        if numbers and (len(inside) > 1 or inside[0] not in SMALL):
            parts = symbols[max(0, start - NEIGHBOURS) : start], symbols[at : at + NEIGHBOURS]
            left, right = ([s if s in KNOWN else OTHER for s in part] for part in parts)
            source = " ".join([*left, OPEN, *inside, CLOSE, *right])
            found.append(Span(items[start][1], items[at - 1][2], source))
    return found


def _items(words: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Symbols, and the words that each is."""
    at = 0
    while at < len(words):
        for size in (3, 2, 1):
            part = tuple(words[at : at + size])
            if size == 1 or part in PHRASES:
                yield PHRASES.get(part, part[0]), at, at + len(part)
                at += len(part)
                break


def _end(symbols: Sequence[str], at: int) -> int:
    """Where the stretch that starts with a number or a month ends."""
    while at < len(symbols):
        before, behind = symbols[at - 1] if at else "", symbols[at + 1 : at + 2]
        symbol = symbols[at]
        if symbol in NUMBERS | MONTH_WORDS | BEHIND:
            at += 1
        elif behind and (
            (symbol in ("and", "to", "or", "point", "past") and behind[0] in NUMBERS)
            or (symbol == "of" and before in ORDINALS and behind[0] in MONTH_WORDS)
            or (symbol == "the" and before in MONTH_WORDS and behind[0] in ORDINALS | NUMBERS)
        ):
            at += 2
        else:
            break
    return at


def _before(symbols: Sequence[str], start: int, end: int) -> int:
    """How many symbols before a stretch belong to it: "a" hundred, "half past" five, "the" third."""
    before = symbols[max(0, start - 3) : start]
    if before[-2:] in (["half", "past"], ["quarter", "past"]):
        return 3 if before[-2] == "quarter" and before[0] == "a" else 2
    if before[-1:] == ["a"] and symbols[start] in SCALES:
        return 1
    if before[-1:] == ["the"] and any(symbol in ORDINALS for symbol in symbols[start:end]):
        return 1
    return 0


def target_of(tokens: Iterable[str]) -> str:
    """The converter's target for a written text: digits and signs one by one, words whole."""
    return f" {APART} ".join(
        " ".join(re.findall(r"[0-9]|[a-z]+|.", token)) if re.search("[0-9]", token) else token
        for token in tokens
    )


def tokens_of(target: str) -> list[str]:
    """The words of the written text that a target is."""
    return target.replace(" ", "").replace(APART, " ").split()
