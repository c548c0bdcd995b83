"""How good translations are: BLEU and chrF of sacrebleu, and what no network is needed for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asr.errors import ModelError
from asr.progress import track
from asr.seq2seq.pairs import Pair

LENGTHS = {"1 word": (1, 1), "2 to 4 words": (2, 4), "5 to 12 words": (5, 12)}
"""Words of the English by which results are told apart."""


@dataclass(frozen=True)
class Score:
    """Of many translations, in percent.

    bleu: of characters, for Korean words are glued to their particles (Papineni et al., 2002).
    chrf: of sequences of up to six characters, without spaces (Popović, 2015).
    exact: share that is the reference to the letter.
    """

    phrases: int
    bleu: float
    chrf: float
    exact: float

    def __str__(self) -> str:
        return (
            f"BLEU {self.bleu:5.1f}  chrF {self.chrf:5.1f}  exact {self.exact:5.1f} %  "
            f"of {self.phrases}"
        )


def _metrics() -> tuple[Any, Any]:
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError:
        raise ModelError("BLEU and chrF need the package sacrebleu: pip install sacrebleu") from None
    return BLEU(tokenize="char"), CHRF()


def score(said: Sequence[str], wanted: Sequence[str]) -> Score:
    """Translations beside their references.

    Raises:
        ModelError: sacrebleu is not installed.
    """
    bleu, chrf = (metric.corpus_score(said, [wanted]).score for metric in _metrics())
    right = sum(a == b for a, b in zip(said, wanted, strict=True))
    return Score(len(said), bleu, chrf, 100 * right / len(said))


def signatures() -> list[str]:
    """What sacrebleu calls the metrics of `score`: everything their numbers depend on."""
    return [
        f"{metric.corpus_score(['가'], [['가']]).name}|{metric.get_signature()}"
        for metric in _metrics()
    ]


def nearest(train: Sequence[Pair], sources: Sequence[str]) -> list[str]:
    """For each source the translation of the training phrase whose letters have the smallest edit
    distance from its own, relative to the longer one's length: a translation memory."""
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    known = [pair.source for pair in train]
    found = []
    for source in track(sources, len(sources), "nearest phrases"):
        _, _, index = process.extractOne(source, known, scorer=Levenshtein.normalized_distance)
        found.append(train[index].target)
    return found
