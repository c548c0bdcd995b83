"""English phrases to Korean: the pieces that a converter reads and writes, and how good it is."""

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
"""Sentencepiece's model of the English pieces, beside the files of pairs in pieces."""
SEED = 1
"""Of the bootstrap."""
LENGTHS = {"1 word": (1, 1), "2 to 4 words": (2, 4), "5 to 12 words": (5, 12)}
"""Words of the English by which results are told apart."""


def write_splits(folder: Path, splits: Mapping[str, Sequence[tuple[str, str]]], size: int) -> None:
    """Write each split as it is, `folder`/NAME.tsv, and those to train from in pieces of words,
    `folder`/pieces/NAME.tsv, with the model that takes English apart.

    Args:
        size: pieces of either language: sentencepiece's unigrams (Kudo, 2018), of train alone.

    Raises:
        ConfigError: the phrases are too few for so many pieces.
    """
    for name, phrases in splits.items():
        write_pairs(folder / f"{name}.tsv", [Pair(*phrase) for phrase in phrases])
    english, korean = zip(*splits["train"], strict=True)
    models = _train_pieces(english, size), _train_pieces(korean, size)
    with atomic_write(folder / "pieces" / ENGLISH, binary=True) as file:
        file.write(models[0].serialized_model_proto())
    for name in ("train", "dev"):
        apart = [
            Pair(*(in_pieces(model, text) for model, text in zip(models, phrase, strict=True)))
            for phrase in splits[name]
        ]
        write_pairs(folder / "pieces" / f"{name}.tsv", apart)


def _train_pieces(texts: Iterable[str], size: int) -> Any:
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter(texts), model_writer=model, vocab_size=size,
            model_type="unigram", character_coverage=1.0, bos_id=-1, eos_id=-1, minloglevel=2,
        )  # fmt: skip
    except RuntimeError as error:
        raise ConfigError(f"pieces: {error}") from None
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def in_pieces(model: Any, text: str) -> str:
    """A text's pieces, with spaces between; what is not known is a piece of its own."""
    return " ".join(model.encode(text, out_type=str))


def joined_pieces(pieces: str) -> str:
    """The text that `in_pieces` has taken apart."""
    return "".join(pieces.split()).replace(PIECE_SPACE, " ").strip()


class Translator:
    """Phrases → translations, by a converter whose symbols are pieces.

    Args:
        model: its directory.
        pieces: the folder of the files it was trained from, which `write_splits` made.

    Raises:
        ModelError: one of them cannot be read.
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
        """Translations of phrases, put in lower case as those of training are; the arguments are
        those of `Converter.convert`."""
        sources = [in_pieces(self.pieces, phrase.lower()) for phrase in phrases]
        found = self.converter.convert(sources, beam, length_penalty=length_penalty)
        return [joined_pieces(best.text) for best, *_ in found]


@dataclass(frozen=True)
class Score:
    """Of many translations, in percent.

    bleu: of characters, for Korean words are glued to their particles (Papineni et al., 2002).
    chrf: of sequences of up to six characters, without spaces (Popović, 2015).
    exact: share that is the reference to the letter; interval: its 95 % bootstrap interval.
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


def score(said: Sequence[str], wanted: Sequence[str]) -> Score:
    """Translations beside their references.

    Raises:
        ModelError: sacrebleu is not installed.
    """
    bleu, chrf = (metric.corpus_score(said, [wanted]).score for metric in _metrics())
    right = np.array([100.0 * (a == b) for a, b in zip(said, wanted, strict=True)])
    interval = bootstrap_interval(right, np.ones(len(right)), SEED)
    return Score(len(said), bleu, chrf, float(right.mean()), interval)


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


@dataclass(frozen=True)
class Comparison:
    """Scores of all systems on the same phrases, and what the last of them said."""

    scores: dict[str, Score]
    said: list[str]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"scores": {name: asdict(score) for name, score in self.scores.items()}}


def compare(
    translator: Translator,
    train: Sequence[Pair],
    pairs: Sequence[Pair],
    beam: int,
    length_penalty: float,
) -> Comparison:
    """A network, greedily and by beam search, beside the English left as it is and `nearest`; by
    beam search also by length.

    Raises:
        ModelError: sacrebleu is not installed.
    """
    sources, wanted = [pair.source for pair in pairs], [pair.target for pair in pairs]
    best = translator(sources, beam, length_penalty)
    scores = {
        "the English as it is": score(sources, wanted),
        "nearest phrase of train": score(nearest(train, sources), wanted),
        "network, greedy": score(translator(sources), wanted),
        f"network, beam {beam}": score(best, wanted),
    }
    for name, (fewest, most) in LENGTHS.items():
        chosen = [i for i, source in enumerate(sources) if fewest <= len(source.split()) <= most]
        if chosen:
            part = score([best[i] for i in chosen], [wanted[i] for i in chosen])
            scores[f"  {name} ({len(chosen)})"] = part
    return Comparison(scores, best)
