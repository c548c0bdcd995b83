"""`NumberWriter`: writes numbers in English transcripts with digits.

"twenty three dollars" becomes "$23".

Where a text has number words (`asr.inverse_normalisation.spans`), a converter
(`asr.seq2seq.converter`) proposes how to write them. The writer accepts a proposal only if one of
its spoken forms (`asr.inverse_normalisation.spoken_forms`) equals the words of the transcript. All
else stays in words, and the converter never reads text without number words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache

from asr.errors import ConfigError
from asr.inverse_normalisation.spans import spans, tokens_of
from asr.inverse_normalisation.spoken_forms import Piece, align_written
from asr.models import NUMBER_WRITER
from asr.networks.model_directory import read_model
from asr.results import Transcript, Word
from asr.text.languages import language_name

Propose = Callable[[Sequence[str], int], Sequence[Sequence[str]]]
"""A function from sources and a number of targets to that many targets for each source, best first.
Symbols of sources and targets have spaces between them."""
SpanKey = tuple[str, tuple[str, ...]]
"""A span's source and words."""

NBEST = 4
"""Number of targets to try where the best one fails the check."""


class NumberWriter:
    """Writes numbers, dates, money, times, percentages and units with digits.

    Args:
        propose: the converter, whose proposals are checked.
    """

    def __init__(self, propose: Propose) -> None:
        self.propose = propose

    def text(self, text: str) -> str:
        """Write the numbers of a normalised text with digits; all else stays unchanged."""
        found = list(re.finditer(r"\S+", text))
        (pieces,) = self.pieces([[word[0] for word in found]])
        parts, at = [], 0
        for piece in pieces:
            start, end = found[piece.first].start(), found[piece.last - 1].end()
            parts += [text[at:start], piece.text]
            at = end
        return "".join(parts) + text[at:]

    def transcripts(self, results: Sequence[Transcript]) -> list[Transcript]:
        """Write the numbers in the text, words and alternatives of transcripts with digits.

        A written word that stands for several spoken words lasts from the first to the last of them
        and has the lowest of their confidences. Tokens stay unchanged.
        """
        spoken = [_words(result) for result in results]
        alternatives = [a.text.split() for result in results for a in result.alternatives]
        pieces = iter(self.pieces([*spoken, *alternatives]))
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
        """The written pieces of each text; the converter reads all texts in one batch."""
        found = [
            [(span, (span.source, tuple(words[span.first : span.last]))) for span in spans(words)]
            for words in texts
        ]
        settled = self.settle([spoken for of_one in found for _, spoken in of_one])
        written = []
        for words, of_one in zip(texts, found, strict=True):
            pieces, at = [], 0
            for span, spoken in of_one:
                pieces += _unchanged(words, at, span.first)
                pieces += [
                    Piece(p.text, span.first + p.first, span.first + p.last)
                    for p in settled[spoken]
                ]
                at = span.last
            written.append(pieces + _unchanged(words, at, len(words)))
        return written

    def settle(self, spans: Iterable[SpanKey]) -> dict[SpanKey, list[Piece]]:
        """For each span, the best target that passes the check, or the unchanged words."""
        open_ones, settled = list(dict.fromkeys(spans)), {}
        for count in (1, NBEST):
            if not open_ones:
                break
            targets = self.propose([source for source, _ in open_ones], count)
            for spoken, of_one in zip(open_ones, targets, strict=True):
                aligned = (align_written(spoken[1], tokens_of(target)) for target in of_one)
                if pieces := next((p for p in aligned if p is not None), None):
                    settled[spoken] = pieces
            open_ones = [spoken for spoken in open_ones if spoken not in settled]
        return settled | {spoken: _unchanged(spoken[1], 0, len(spoken[1])) for spoken in open_ones}


@cache
def load_number_writer(model: str = NUMBER_WRITER) -> NumberWriter:
    """Load a writer with a converter by shipped name or directory; each is loaded once.

    Raises:
        ModelError, ConfigError: see `Converter.load`.
    """
    from asr.seq2seq.converter import Converter

    converter = Converter.load(model)

    def propose(sources: Sequence[str], count: int) -> list[list[str]]:
        found = converter.convert(sources, count, count)
        return [[conversion.text for conversion in of_one] for of_one in found]

    return NumberWriter(propose)


def check_language(model: str) -> None:
    """Check that a recogniser, by shipped name or directory, is English.

    Raises:
        ConfigError: its texts are of another language.
    """
    tokenizer = read_model(model)[1].tokenizer
    if tokenizer.normaliser != "english":
        language = language_name(tokenizer.language) if tokenizer.language else "another language"
        raise ConfigError(
            f"--written: {model} is a model for {language}, and only English is supported"
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
        spoken = result.words[piece.first : piece.last]
        sure = min(word.confidence for word in spoken)
        words.append(Word(piece.text, spoken[0].start, spoken[-1].end, sure))
    return replace(result, text=" ".join(texts), words=tuple(words))
