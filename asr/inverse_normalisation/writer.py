"""Transcripts as they would be written: "twenty three dollars" → "$23"; English.

Where a text has number words (`asr.inverse_normalisation.spans`), a converter (`asr.seq2seq.converter`) says how
they are written. What it says is taken only if that, spoken out again (`asr.inverse_normalisation.spoken_forms`), is
what was said; all else stays in words, and text without number words never gets so far.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache

from asr.errors import ConfigError
from asr.inverse_normalisation.spans import spans, tokens_of
from asr.inverse_normalisation.spoken_forms import Piece, align
from asr.models import NUMBER_WRITER
from asr.networks.model_directory import read_model
from asr.results import Transcript, Word

Propose = Callable[[Sequence[str], int], Sequence[Sequence[str]]]
"""Sources, symbols parted by spaces, and how many of the likeliest targets → these for each source,
the best first."""
Said = tuple[str, tuple[str, ...]]
"""A span: its source, and its words."""

NBEST = 4
"""Targets that are asked for where the likeliest does not pass."""


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
        said = [_words(result) for result in results]
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
        found = [
            [(span, (span.source, tuple(words[span.first : span.last]))) for span in spans(words)]
            for words in texts
        ]
        settled = self.settle([said for of_one in found for _, said in of_one])
        written = []
        for words, of_one in zip(texts, found, strict=True):
            pieces, at = [], 0
            for span, said in of_one:
                pieces += _unchanged(words, at, span.first)
                pieces += [
                    Piece(p.text, span.first + p.first, span.first + p.last) for p in settled[said]
                ]
                at = span.last
            written.append(pieces + _unchanged(words, at, len(words)))
        return written

    def settle(self, spans: Iterable[Said]) -> dict[Said, list[Piece]]:
        """Of each span the likeliest target that says what was said, or the words as they are."""
        open_ones, settled = list(dict.fromkeys(spans)), {}
        for count in (1, NBEST):
            if not open_ones:
                break
            targets = self.propose([source for source, _ in open_ones], count)
            for said, of_one in zip(open_ones, targets, strict=True):
                aligned = (align(said[1], tokens_of(target)) for target in of_one)
                if pieces := next((p for p in aligned if p is not None), None):
                    settled[said] = pieces
            open_ones = [said for said in open_ones if said not in settled]
        return settled | {said: _unchanged(said[1], 0, len(said[1])) for said in open_ones}


@cache
def load_writer(model: str = NUMBER_WRITER) -> Writer:
    """A writer with a converter by shipped name or directory, loaded once.

    Raises:
        ModelError, ConfigError: see `Converter.load`.
    """
    from asr.seq2seq.converter import Converter

    converter = Converter.load(model)

    def propose(sources: Sequence[str], count: int) -> list[list[str]]:
        found = converter.convert(sources, count, count)
        return [[conversion.text for conversion in of_one] for of_one in found]

    return Writer(propose)


def check_language(model: str) -> None:
    """Raise a `ConfigError` unless the recogniser, by shipped name or directory, is English."""
    language = read_model(model)[1].tokenizer.normaliser
    if language != "english":
        raise ConfigError(
            f"--written knows English numbers only: the texts of {model} are normalised as "
            f"{language}"
        )


def _unchanged(words: Sequence[str], first: int, last: int) -> list[Piece]:
    return [Piece(words[i], i, i + 1) for i in range(first, last)]


def _words(result: Transcript) -> list[str]:
    return [word.text for word in result.words] or result.text.split()


def _rewritten(result: Transcript, pieces: Sequence[Piece]) -> Transcript:
    texts = [piece.text for piece in pieces]
    if texts == _words(result):
        return result
    words = []
    for piece in pieces if result.words else ():
        said = result.words[piece.first : piece.last]
        sure = min(word.confidence for word in said)
        words.append(Word(piece.text, said[0].start, said[-1].end, sure))
    return replace(result, text=" ".join(texts), words=tuple(words))
