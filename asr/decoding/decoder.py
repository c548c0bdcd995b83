"""From logits to labels: greedy, or a beam search with what it is told of words."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic

from asr import ctc
from asr.base.config import STRICT, parse, to_dict
from asr.base.files import atomic_write
from asr.ctc.prefix_beam import Hypothesis, beam_search
from asr.decoding.lexicon_scorer import LEXICON, LexiconScorer, read_pronunciations
from asr.decoding.word_scorer import NATS, WordScorer, hot_phrases
from asr.errors import ConfigError, reason
from asr.language.mixture import Mixture
from asr.language.ngram import NgramModel, read_arpa
from asr.language.recurrent_lm import RecurrentLM
from asr.models import find_model
from asr.text.tokenizers import Tokenizer

GENERAL = "general"
"""Names the language model that is shipped with a recogniser: `lm.arpa.gz` in its directory."""
WEIGHTS = ("alpha", "beta", "unknown", "spelling", "share")
"""Of a language model; the last two are the decoder's, not the scorer's."""
RANKED_ANEW = 50
"""Hypotheses of a search that a recurrent language model looks at: the best."""
Fusion = Literal["rescore", "shallow"]


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class Weights:
    """How a language model is used: found by `asr tune`, kept beside it.

    alpha: weight of its log-probability. beta: what each word adds. unknown: what a word that it
    does not know adds (all in nats but alpha). beam: prefixes kept. spelling: where words are found
    by their sound, the weight of what the letters say about them. share: of a recurrent language
    model beside this one (`asr.language.mixture`).
    """

    alpha: float = 0.5
    beta: float = 1.0
    unknown: float = -5.0
    beam: int = pydantic.Field(default=16, ge=1)
    spelling: float = pydantic.Field(default=0.5, ge=0)
    share: float = pydantic.Field(default=0.5, ge=0, le=1)


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class LmRecord:
    """The file beside a language model, such as `lm.json` of `lm.arpa.gz`.

    weights: how to use it. tuned: command, commit, model, dev set and WER that they come from.
    made: the text that it was estimated from, and how.
    """

    weights: Weights = field(default_factory=Weights)
    tuned: dict[str, Any] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def path(lm: Path) -> Path:
        """Where the record of a language model is."""
        name = lm.name.removesuffix(".gz").removesuffix(".arpa")
        return lm.with_name(f"{name}.json")

    @classmethod
    def read(cls, lm: Path) -> LmRecord:
        """The record of a language model; the defaults if it has none.

        Raises:
            ConfigError: the record is broken; the key is named.
        """
        path = cls.path(lm)
        if not path.exists():
            return cls()
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: cannot be read: {reason(error)}") from None
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: expected one JSON object")
        return parse(cls, values, str(path))

    def write(self, lm: Path) -> Path:
        """Put it beside the language model."""
        path = self.path(lm)
        with atomic_write(path) as file:
            file.write(json.dumps(to_dict(self), indent=2, ensure_ascii=False) + "\n")
        return path


@dataclass(frozen=True)
class Decoding:
    """How to decode; what is None is as the language model was tuned, or else the default.

    beam: prefixes kept; 0 for greedy, which is also what None means where there is nothing that
    needs a beam. lm: ARPA file of a word model, or "general" for the recogniser's own. alpha, beta,
    unknown, spelling: see `Weights`. hot_words: words and phrases that are likelier here than
    elsewhere; hot_weight: nats for each of their words. lexicon: file of the only words that may
    come out. nbest: how many alternatives to keep, the best included; 0 for none. rnn_lm: a
    recurrent language model beside `lm`, by shipped name or directory, with `share` of the say; it
    ranks anew what the search found ("rescore"), or takes part in it ("shallow", much slower).
    """

    beam: int | None = None
    lm: str | Path | None = None
    alpha: float | None = None
    beta: float | None = None
    unknown: float | None = None
    hot_words: tuple[str, ...] = ()
    hot_weight: float = 5.0
    lexicon: Path | None = None
    nbest: int = 0
    spelling: float | None = None
    share: float | None = None
    rnn_lm: str | Path | None = None
    fusion: Fusion | None = None

    def __post_init__(self) -> None:
        if self.beam is not None and self.beam < 0:
            raise ConfigError(f"beam must be 0 (greedy) or more, found {self.beam}")
        if self.nbest < 0:
            raise ConfigError(f"nbest must be 0 or more, found {self.nbest}")
        for name in (*WEIGHTS, "hot_weight"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ConfigError(f"{name} must be a finite number, found {value}")
        weights = WEIGHTS[:-1]
        if self.lm is None and any(getattr(self, name) is not None for name in weights):
            raise ConfigError(f"{', '.join(weights)} weigh a language model: give one with --lm")
        if self.lm is None and self.rnn_lm is not None:
            raise ConfigError(
                "--rnn-lm goes beside a model of words, whose words are looked for: give --lm, too"
            )
        if self.rnn_lm is None and (self.share is not None or self.fusion is not None):
            raise ConfigError("share and fusion are about a recurrent model: give one as --rnn-lm")
        if self.share is not None and not 0 <= self.share <= 1:
            raise ConfigError(f"share must be 0 … 1, found {self.share}")
        needs = self._needs_beam()
        if self.beam == 0 and needs:
            raise ConfigError(f"{needs} needs a beam, such as --beam 16")

    def _needs_beam(self) -> str:
        if self.lm is not None:
            return f"{self.lm}: a language model"
        if self.lexicon is not None:
            return f"{self.lexicon}: a lexicon"
        return "a hot word" if self.hot_words else "n-best" if self.nbest else ""

    def lm_file(self, folder: Path | None = None) -> Path | None:
        """The language model's file, if there is one.

        Args:
            folder: the recogniser's directory, where "general" is.

        Raises:
            ConfigError: "general" where the recogniser has no language model of its own.
        """
        if self.lm != GENERAL:
            return None if self.lm is None else Path(self.lm)
        if folder is None or not (folder / "lm.arpa.gz").is_file():
            raise ConfigError(f"--lm {GENERAL}: this recogniser has no language model of its own")
        return folder / "lm.arpa.gz"

    def tuned_file(self, folder: Path | None = None) -> Path | None:
        """The file whose `LmRecord` has the weights: the language model's, or "fusion" in the
        directory of a recurrent one, which other weights suit.

        Raises:
            ConfigError: see `lm_file`.
            ModelError: there is no such recurrent model.
        """
        lm = self.lm_file(folder)
        return lm if self.rnn_lm is None else find_model(self.rnn_lm) / "fusion"

    def settle(self, folder: Path | None = None) -> Decoding:
        """The same with nothing left open: weights and beam as the language model was tuned.
        Without a language model there are no weights: they stay None, as what is about a recurrent
        one does without it.

        Raises:
            ConfigError: see `lm_file`; or the language model's record is broken.
            ModelError: there is no such recurrent model.
        """
        lm = self.tuned_file(folder)
        weights = Weights() if lm is None else LmRecord.read(lm).weights
        beam = self.beam
        if beam is None:
            beam = max(weights.beam, self.nbest) if self._needs_beam() else 0
        chosen = {
            name: getattr(weights, name) if getattr(self, name) is None else getattr(self, name)
            for name in (() if lm is None else WEIGHTS if self.rnn_lm else WEIGHTS[:-1])
        }
        fusion = None if self.rnn_lm is None else self.fusion or "rescore"
        return replace(self, beam=beam, fusion=fusion, **chosen)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            key: str(value) if isinstance(value, Path) else value
            for key, value in dataclasses.asdict(self).items()
        }


class Decoder:
    """Decodes one utterance's logits [frames, labels] into a `ctc.Path`.

    Args:
        tokenizer: what the labels mean.
        decoding: how; it is settled first.
        folder: the recogniser's directory, where "general" is looked for.
        phones: logits of `asr.pronunciation.phone_speller` stand behind the tokenizer's. Then the words of a language
            model or a lexicon are found by their sound, and their letters are only asked which of
            the best it was.

    Raises:
        ModelError: the language model's file is broken, or the recurrent model.
        ConfigError: the tokenizer has no words to score, spells none of the model's or the
            lexicon's, or cannot spell a hot word.
    """

    def __init__(
        self, tokenizer: Tokenizer, decoding: Decoding, folder: Path | None = None,
        phones: bool = False,
    ) -> None:  # fmt: skip
        self.decoding = decoding = decoding.settle(folder)
        self.tokenizer = tokenizer
        self.scorer: WordScorer | LexiconScorer | None = None
        self.mixture: Mixture | None = None
        if decoding.lm is None and decoding.lexicon is None and not decoding.hot_words:
            return
        if tokenizer.config.kind == "jamo":
            raise ConfigError(
                f"{decoding.lm or decoding.lexicon or 'hot words'}: words go with a tokenizer of "
                "characters or subwords, this recogniser's is jamo"
            )
        lm = decoding.lm_file(folder)
        model: NgramModel | Mixture | None = None if lm is None else read_arpa(lm)
        if isinstance(model, NgramModel) and decoding.rnn_lm is not None:
            assert decoding.share is not None
            recurrent = RecurrentLM.load(decoding.rnn_lm)
            letters = "".join(tokenizer.spellings).replace(" ", "")
            # The second half first: an apostrophe that nothing stands before is no letter.
            middle = len(letters) // 2
            if unknown := recurrent.tokenizer.unknown(letters[middle:] + letters[:middle]):
                raise ConfigError(
                    f"--rnn-lm {decoding.rnn_lm}: it cannot spell {', '.join(map(repr, unknown))}, "
                    "which this recogniser may hear"
                )
            self.mixture = Mixture(model, recurrent, decoding.share)
            model = self.mixture if decoding.fusion == "shallow" else model
        words = None if decoding.lexicon is None else read_words(decoding.lexicon, tokenizer)
        weights: dict[str, float] = {}
        if model is not None:
            weights = {name: getattr(decoding, name) for name in WEIGHTS[:3]}
        known = words if words is not None else model.vocabulary if model is not None else None
        if phones and known is not None:
            if folder is None:
                raise ConfigError("words are found by their sound: save the model with its lexicon")
            hot = tuple(hot_phrases(decoding.hot_words, tokenizer, words))
            known = known | set(" ".join(hot).split())
            entries = read_pronunciations(folder / LEXICON, known, tokenizer)
            self.scorer = LexiconScorer(
                entries, model, hot_words=hot, hot_weight=decoding.hot_weight, **weights
            )
        else:
            self.scorer = WordScorer(
                tokenizer,
                model,
                hot_words=decoding.hot_words,
                hot_weight=decoding.hot_weight,
                lexicon=words,
                name=f"language model {lm}",
                **weights,
            )

    def weigh(self, weights: Weights) -> None:
        """Use the language model with other weights."""
        assert self.scorer is not None
        names = WEIGHTS if self.mixture is not None else WEIGHTS[:-1]
        self.decoding = replace(self.decoding, **{name: getattr(weights, name) for name in names})
        if self.mixture is not None:
            self.mixture.share = weights.share
        self.scorer.weigh(weights.alpha, weights.beta, weights.unknown)

    def __call__(self, logits: np.ndarray) -> ctc.Path:
        if not self.decoding.beam or not len(logits):
            return ctc.greedy(logits[:, : len(self.tokenizer)])
        spelled, said = self._emissions(logits)
        found = self._search(spelled, said)
        # The search sums over alignments and so has no times: those are the best alignment's.
        path = ctc.align(spelled, found[0].labels)
        if not self.decoding.nbest:
            return path
        # Labels that differ in spaces only are one text.
        texts: dict[str, tuple[tuple[int, ...], float]] = {}
        for h in found:
            texts.setdefault(self.tokenizer.decode(h.labels), (h.labels, h.score))
        return replace(path, others=tuple(texts.values())[: self.decoding.nbest])

    def search(self, logits: np.ndarray) -> list[Hypothesis]:
        """What the beam search finds, best first, without times."""
        return self._search(*self._emissions(logits))

    def _emissions(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities of the tokenizer's labels, and logits of what stands behind them."""
        exact, size = logits.astype(np.float64), len(self.tokenizer)
        return ctc.log_softmax(exact[:, :size]), exact[:, size:]

    def _search(self, spelled: np.ndarray, said: np.ndarray) -> list[Hypothesis]:
        found = self._heard(spelled, said)
        if self.mixture is None or self.decoding.fusion != "rescore":
            return found
        assert self.decoding.alpha is not None
        texts = [self.tokenizer.decode(h.labels).split() for h in found[:RANKED_ANEW]]
        gains = self.decoding.alpha * NATS * self.mixture.gains(texts)
        ranked = [
            replace(h, score=h.score + float(gain)) for h, gain in zip(found, gains, strict=False)
        ]
        return sorted(ranked, key=lambda h: (-h.score, h.labels))

    def _heard(self, spelled: np.ndarray, said: np.ndarray) -> list[Hypothesis]:
        assert self.decoding.beam
        if not isinstance(self.scorer, LexiconScorer):
            return beam_search(spelled, self.decoding.beam, scorer=self.scorer)
        heard = beam_search(ctc.log_softmax(said), self.decoding.beam, scorer=self.scorer)
        return self._spelled(heard, spelled)

    def _spelled(self, heard: list[Hypothesis], log_probabilities: np.ndarray) -> list[Hypothesis]:
        """Words found by their sound as the tokenizer's labels, ranked anew with what these say."""
        assert isinstance(self.scorer, LexiconScorer)
        best: dict[tuple[int, ...], Hypothesis] = {}
        for h in heard:
            texts = self.scorer.texts(h.state)
            for gain, text in texts:
                labels = tuple(self.tokenizer.encode(text))
                score = h.score - texts[0][0] + gain
                # Phones may find room where letters do not.
                fits = ctc.frames_needed(labels) <= len(log_probabilities)
                if fits and (labels not in best or score > best[labels].score):
                    best[labels] = Hypothesis(labels, score, h.acoustic)
        if not best:
            return [Hypothesis((), 0.0, 0.0)]
        weight = self.decoding.spelling
        if weight is None:  # a lexicon, without a language model that it was tuned with
            weight = Weights().spelling
        letters = weight * ctc.log_likelihoods(log_probabilities, list(best))
        found = [
            replace(h, score=h.score + float(more))
            for h, more in zip(best.values(), letters, strict=True)
        ]
        return sorted(found, key=lambda h: (-h.score, h.labels))


def read_phrases(given: str | None) -> tuple[str, ...]:
    """Hot words: a file's lines, or what stands between commas; none of None.

    Raises:
        ConfigError: the file cannot be read, or holds none.
    """
    if given is None:
        return ()
    path = Path(given)
    try:
        found = (
            path.read_text(encoding="utf-8").splitlines() if path.is_file() else given.split(",")
        )
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text: {reason(error)}") from None
    phrases = tuple(phrase.strip() for phrase in found if phrase.strip())
    if not phrases:
        raise ConfigError(f"hot words {given!r}: none in it")
    return phrases


def read_words(path: Path, tokenizer: Tokenizer) -> set[str]:
    """Words of a text file, normalised.

    Raises:
        ConfigError: the file cannot be read, or holds none.
    """
    try:
        words = set(tokenizer.normalise(path.read_text(encoding="utf-8")).split())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text: {reason(error)}") from None
    if not words:
        raise ConfigError(f"{path}: no words in it")
    return words
