"""Translation of English phrases to Korean: pieces of words, `Translator`, and evaluation."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from asr.base.files import atomic_write
from asr.base.progress import track
from asr.base.statistics import bootstrap_interval
from asr.errors import ConfigError, ModelError, reason
from asr.seq2seq.converter import Converter
from asr.seq2seq.pairs import Pair, write_pairs
from asr.text.tokenizers import PIECE_SPACE

ENGLISH = "english.model"
"""File name of the sentencepiece model for English, beside the files of pairs in pieces."""
BOOTSTRAP_SEED = 1
"""Seed of the bootstrap intervals."""
LENGTHS = {"1 word": (1, 1), "2 to 4 words": (2, 4), "5 to 12 words": (5, 12)}
"""Groups of phrases by the number of English words: fewest and most words."""


def write_splits(folder: Path, splits: Mapping[str, Sequence[tuple[str, str]]], size: int) -> None:
    """Write each split as `folder`/NAME.tsv, and train and dev in pieces of words.

    The files in pieces are `folder`/pieces/NAME.tsv. Beside them is the sentencepiece model that
    divides English into pieces.

    Args:
        folder: where to write.
        splits: pairs of English and Korean by the name of their split.
        size: number of pieces for each language: unigrams of sentencepiece (Kudo, 2018), trained on
            the split "train".

    Raises:
        ConfigError: there are too few phrases for this number of pieces.
    """
    for name, phrases in splits.items():
        write_pairs(folder / f"{name}.tsv", [Pair(*phrase) for phrase in phrases])
    english, korean = zip(*splits["train"], strict=True)
    models = _train_pieces(english, size), _train_pieces(korean, size)
    with atomic_write(folder / "pieces" / ENGLISH, binary=True) as file:
        file.write(models[0].serialized_model_proto())
    for name in ("train", "dev"):
        apart = [
            Pair(*(to_pieces(model, text) for model, text in zip(models, phrase, strict=True)))
            for phrase in splits[name]
        ]
        write_pairs(folder / "pieces" / f"{name}.tsv", apart)


def _train_pieces(texts: Iterable[str], size: int) -> Any:
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter(texts),
            model_writer=model,
            vocab_size=size,
            model_type="unigram",
            character_coverage=1.0,
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ConfigError(f"pieces: {error}") from None
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def to_pieces(model: Any, text: str) -> str:
    """Divide a text into pieces, with spaces between them; unknown characters are a piece."""
    return " ".join(model.encode(text, out_type=str))


def from_pieces(pieces: str) -> str:
    """Join pieces to a text: the inverse of `to_pieces`."""
    return "".join(pieces.split()).replace(PIECE_SPACE, " ").strip()


class Translator:
    """Translates phrases with a converter whose symbols are pieces of words.

    Args:
        model: directory of the converter.
        pieces: folder of its training pairs in pieces, from `write_splits`.

    Raises:
        ModelError: the converter or the sentencepiece model cannot be read.
    """

    def __init__(self, model: str | PathLike[str], pieces: Path) -> None:
        import sentencepiece

        self.converter = Converter.load(model)
        path = pieces / ENGLISH
        try:
            self.pieces = sentencepiece.SentencePieceProcessor(model_proto=path.read_bytes())
        except (OSError, RuntimeError) as error:
            raise ModelError(f"{path}: cannot be read: {reason(error)}") from None

    def __call__(
        self, phrases: Sequence[str], beam: int = 1, length_penalty: float = 0.0
    ) -> list[str]:
        """Translate phrases, in lower case as in training.

        Args:
            phrases: English phrases.
            beam, length_penalty: see `Converter.convert`.
        """
        sources = [to_pieces(self.pieces, phrase.lower()) for phrase in phrases]
        found = self.converter.convert(sources, beam, length_penalty=length_penalty)
        return [from_pieces(best.text) for best, *_ in found]


@dataclass(frozen=True)
class TranslationScore:
    """Scores of translations, in percent.

    Attributes:
        phrases: number of phrases.
        bleu: BLEU of characters, because Korean joins particles to words (Papineni et al., 2002).
        chrf: chrF, over sequences of up to six characters without spaces (Popović, 2015).
        exact: share of translations that equal the reference.
        interval: 95 % bootstrap interval of `exact`.
    """

    phrases: int
    bleu: float
    chrf: float
    exact: float
    interval: tuple[float, float]

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"BLEU {self.bleu:5.1f}  chrF {self.chrf:5.1f}  exact {self.exact:5.1f} % "
            f"({low:.1f} to {high:.1f})"
        )


def _metrics() -> tuple[Any, Any]:
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError:
        raise ModelError("BLEU and chrF need a package: pip install sacrebleu") from None
    return BLEU(tokenize="char"), CHRF()


def score_translations(translations: Sequence[str], references: Sequence[str]) -> TranslationScore:
    """Compare translations with their references.

    Raises:
        ModelError: sacrebleu is not installed.
    """
    bleu, chrf = (metric.corpus_score(translations, [references]).score for metric in _metrics())
    right = np.array([100.0 * (a == b) for a, b in zip(translations, references, strict=True)])
    interval = bootstrap_interval(right, np.ones(len(right)), BOOTSTRAP_SEED)
    return TranslationScore(len(translations), bleu, chrf, float(right.mean()), interval)


def metric_signatures() -> list[str]:
    """Signatures of the metrics by sacrebleu: everything that their values depend on."""
    return [
        f"{metric.corpus_score(['가'], [['가']]).name}|{metric.get_signature()}"
        for metric in _metrics()
    ]


def nearest_translations(train: Sequence[Pair], sources: Sequence[str]) -> list[str]:
    """Translate each source by a translation memory.

    The translation is that of the training phrase with the smallest edit distance, relative to the
    length of the longer one.
    """
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    known = [pair.source for pair in train]
    found = []
    for source in track(sources, len(sources), "nearest phrases"):
        _, _, index = process.extractOne(source, known, scorer=Levenshtein.normalized_distance)
        found.append(train[index].target)
    return found


@dataclass(frozen=True)
class TranslationComparison:
    """Scores of several systems on the same phrases.

    Attributes:
        scores: scores by name of the system or of the group of phrases.
        translations: the translations by beam search.
    """

    scores: dict[str, TranslationScore]
    translations: list[str]

    def to_dict(self) -> dict[str, Any]:
        """The scores as plain values for JSON."""
        return {"scores": {name: asdict(score) for name, score in self.scores.items()}}


def compare_systems(
    translator: Translator,
    train: Sequence[Pair],
    pairs: Sequence[Pair],
    beam: int,
    length_penalty: float,
) -> TranslationComparison:
    """Score greedy decoding and beam search of a network, and two baselines.

    The baselines are the unchanged English and `nearest_translations`. Beam search is also scored
    by length of the phrase.

    Args:
        translator: the network.
        train: training pairs, for the translation memory.
        pairs: pairs to translate.
        beam, length_penalty: of the beam search; see `Converter.convert`.

    Raises:
        ModelError: sacrebleu is not installed.
    """
    sources, wanted = [pair.source for pair in pairs], [pair.target for pair in pairs]
    best = translator(sources, beam, length_penalty)
    scores = {
        "the English as it is": score_translations(sources, wanted),
        "nearest phrase of train": score_translations(nearest_translations(train, sources), wanted),
        "network, greedy": score_translations(translator(sources), wanted),
        f"network, beam {beam}": score_translations(best, wanted),
    }
    for name, (fewest, most) in LENGTHS.items():
        chosen = [i for i, source in enumerate(sources) if fewest <= len(source.split()) <= most]
        if chosen:
            part = score_translations([best[i] for i in chosen], [wanted[i] for i in chosen])
            scores[f"  {name} ({len(chosen)})"] = part
    return TranslationComparison(scores, best)
