"""`Decoder`: from the logits of an utterance to labels, greedily or with a beam search."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asr import ctc
from asr.ctc.prefix_beam import Hypothesis, beam_search
from asr.decoding.decoding_options import Decoding
from asr.decoding.hot_words import normalise_hot_words
from asr.decoding.lexicon_scorer import LexiconScorer, read_pronunciations
from asr.decoding.lexicon_search import lexicon_search
from asr.decoding.lm_record import MIXTURE_WEIGHTS, NGRAM_WEIGHTS, SCORER_WEIGHTS, LmWeights
from asr.decoding.weighted_lm import NATS_PER_LOG10
from asr.decoding.word_lists import read_words
from asr.decoding.word_scorer import WordScorer
from asr.errors import ConfigError
from asr.language.mixture import Mixture
from asr.language.ngram import NgramModel
from asr.language.ngram_file import read_ngrams
from asr.language.recurrent_lm import RecurrentLM
from asr.networks.head_layout import HeadLayout, Heads
from asr.networks.model_directory import LEXICON_FILE
from asr.text.tokenizers import Tokenizer


class Pruning(NamedTuple):
    """What a search leaves out beside the prefixes beyond the beam, see `asr.ctc.prefix_beam`.

    Attributes:
        margin: largest distance of a prefix to the score of the best one, in nats.
        token_min: smallest log-probability with which a label extends prefixes in a frame, in nats.
    """

    margin: float
    token_min: float


ONE_TEXT = Pruning(margin=12.0, token_min=-8.0)
"""Pruning if only the best text is wanted. A narrow margin leaves time for a wider beam, which
finds more (docs/decisions/026-default-decoding.md)."""
MANY_TEXTS = Pruning(margin=15.0, token_min=-7.0)
"""Pruning for lists of texts, which need the less likely ones, too."""
RESCORED_HYPOTHESES = 50
"""Hypotheses that a recurrent language model rescores, and, if only the best text is wanted, those
whose letters rescore them."""


class FoundText(NamedTuple):
    """A label sequence that the search found.

    Attributes:
        labels: the tokenizer's labels.
        phones: the phones by which it was found; empty without a head for phones.
        lm: its score without the log-probabilities of the network, in nats: what the language model
            and hot words give.
    """

    labels: tuple[int, ...]
    phones: tuple[int, ...]
    lm: float


class Decoder:
    """Decodes the logits of one utterance, [frames, labels], into a `ctc.Path`.

    Args:
        tokenizer: the recogniser's tokenizer.
        decoding: the options; `resolve` fills in what they leave open.
        folder: the recogniser's directory, with its own language model and its pronunciations.
        layout: heads of the logits. Default: only the tokenizer's labels. With a head for phones,
            the search finds the words of a language model or a lexicon by their phones, and the
            tokenizer's labels then rescore the best texts.

    Attributes:
        decoding: the resolved options.
        scorer: the word-level scores of the beam search; None if it has none.
        mixture: the interpolation with a recurrent language model; None without one.
        one_text: pruning of the search if only its best text is wanted.

    Raises:
        ModelError: a language model's file is broken.
        ConfigError: the tokenizer has no words, or cannot spell the words of the language model,
            the lexicon or the hot words.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        decoding: Decoding,
        folder: Path | None = None,
        layout: HeadLayout | None = None,
    ) -> None:
        self.decoding = decoding.resolve(folder)
        self.tokenizer = tokenizer
        self.layout = HeadLayout(len(tokenizer)) if layout is None else layout
        self.mixture: Mixture | None = None
        self.one_text = ONE_TEXT
        self.scorer: WordScorer | LexiconScorer | None = None
        if self.decoding.has_lm or decoding.lexicon is not None or decoding.hot_words:
            self.scorer = self._build_scorer(folder)

    def with_beam(self, most: int) -> Decoder:
        """A decoder with a beam of at most `most` prefixes, which shares everything else."""
        other = copy(self)
        other.decoding = replace(self.decoding, beam=min(self.decoding.beam or 0, most))
        return other

    def set_weights(self, weights: LmWeights) -> None:
        """Change the weights of the language model.

        Raises:
            ConfigError: there is no language model.
        """
        if self.scorer is None or self.scorer.model is None:
            raise ConfigError("weights need a language model: give --lm")
        names = NGRAM_WEIGHTS if self.mixture is None else MIXTURE_WEIGHTS
        self.decoding = replace(self.decoding, **{name: getattr(weights, name) for name in names})
        if self.mixture is not None:
            self.mixture.share = weights.share
        self.scorer.set_weights(weights.alpha, weights.beta, weights.unknown)

    def __call__(self, logits: np.ndarray) -> ctc.Path:
        """The best labels of an utterance, with their frames.

        Args:
            logits: the network's output, float [frames, layout.size], without padding.
        """
        if not self.decoding.beam or not len(logits):
            return ctc.greedy(self.layout.split(logits).labels)
        heads = self._emissions(logits)
        hypotheses = self._search(heads, None if self.decoding.nbest else RESCORED_HYPOTHESES)
        # A hypothesis of the search is a sum over alignments and has no times. The path has the
        # times of the best alignment.
        path = ctc.align(heads.labels, hypotheses[0].labels)
        if not self.decoding.nbest:
            return path
        # Hypotheses that differ only in spaces are one text.
        texts: dict[str, ctc.ScoredLabels] = {}
        for h in hypotheses:
            texts.setdefault(self.tokenizer.decode(h.labels), ctc.ScoredLabels(h.labels, h.score))
        return replace(path, alternatives=tuple(texts.values())[: self.decoding.nbest])

    def search(self, logits: np.ndarray) -> list[Hypothesis]:
        """The hypotheses of the beam search, best first.

        Args:
            logits: the network's output, float [frames, layout.size], without padding.
        """
        return self._search(self._emissions(logits))

    def found_texts(self, logits: np.ndarray, most: int) -> list[FoundText]:
        """The best label sequences of the beam search, best first.

        The search prunes as for one text: its best few are nearly always within that margin.

        Args:
            logits: the network's output, float [frames, layout.size], without padding.
            most: label sequences at most.
        """
        heads = self._emissions(logits)
        best = self._search(heads)[:most]
        if not isinstance(self.scorer, LexiconScorer):
            return [FoundText(h.labels, (), h.score - h.acoustic) for h in best]
        spellings = self._spelling_scores(heads.labels, [h.labels for h in best])
        return [
            FoundText(h.labels, h.phones, h.score - h.acoustic - float(spelling))
            for h, spelling in zip(best, spellings, strict=True)
        ]

    def _build_scorer(self, folder: Path | None) -> WordScorer | LexiconScorer:
        decoding, tokenizer = self.decoding, self.tokenizer
        lm = decoding.lm_file(folder)
        model: NgramModel | Mixture | None = None
        weights: dict[str, float] = {}
        if lm is not None:
            weights = {name: getattr(decoding, name) for name in SCORER_WEIGHTS}
            model = ngram = read_ngrams(lm)
            if decoding.rnn_lm is not None:
                self.mixture = Mixture(ngram, self._load_recurrent(), decoding.share or 0.0)
                model = self.mixture if decoding.fusion == "shallow" else ngram
        lexicon = None if decoding.lexicon is None else read_words(decoding.lexicon, tokenizer)
        words = lexicon if model is None or lexicon is not None else model.vocabulary
        if not self.layout.phones or words is None:
            return WordScorer(
                tokenizer,
                model,
                hot_words=decoding.hot_words,
                hot_weight=decoding.hot_weight,
                lexicon=lexicon,
                name=f"language model {lm}",
                **weights,
            )
        if folder is None:
            raise ConfigError(
                f"{lm or decoding.lexicon}: needs {LEXICON_FILE} in the recogniser's directory, "
                "and this recogniser has no directory"
            )
        hot = tuple(normalise_hot_words(decoding.hot_words, tokenizer, lexicon))
        entries = read_pronunciations(
            folder / LEXICON_FILE, words | set(" ".join(hot).split()), tokenizer
        )
        return LexiconScorer(
            entries, model, hot_words=hot, hot_weight=decoding.hot_weight, **weights
        )

    def _load_recurrent(self) -> RecurrentLM:
        """Load the recurrent language model and check that its alphabet covers the tokenizer's."""
        assert self.decoding.rnn_lm is not None
        recurrent = RecurrentLM.load(self.decoding.rnn_lm)
        letters = "".join(self.tokenizer.spellings).replace(" ", "")
        # The second half comes first, because the normaliser drops an apostrophe at the start.
        middle = len(letters) // 2
        if unknown := recurrent.tokenizer.unknown(letters[middle:] + letters[:middle]):
            raise ConfigError(
                f"--rnn-lm {self.decoding.rnn_lm}: cannot spell {', '.join(map(repr, unknown))}, "
                "which the recogniser's alphabet has"
            )
        return recurrent

    def _emissions(self, logits: np.ndarray) -> Heads:
        """Log-probabilities of each head, float64."""
        heads = self.layout.split(logits.astype(np.float64))
        phones = None if heads.phones is None else ctc.log_softmax(heads.phones)
        return Heads(labels=ctc.log_softmax(heads.labels), phones=phones)

    def _search(self, heads: Heads, most: int | None = None) -> list[Hypothesis]:
        """Beam search, then rescoring where the options ask for it.

        Args:
            heads: log-probabilities of each head.
            most: hypotheses of phones whose letters are looked at, at most. Default: all.
        """
        beam = self.decoding.beam or LmWeights().beam
        many = bool(self.decoding.nbest or self.mixture)
        margin, token_min = MANY_TEXTS if many else self.one_text
        if isinstance(self.scorer, LexiconScorer):
            if self.mixture is not None or self.scorer.model is None:
                most = None  # homophones are equally likely, and only their letters choose
            found = lexicon_search(
                heads.phones, self.scorer, beam, token_min=token_min, margin=margin, most=most
            )
            hypotheses = self._rescore_with_letters(self.scorer, found, heads.labels)
        else:
            hypotheses = beam_search(
                heads.labels, beam, token_min=token_min, margin=margin, scorer=self.scorer
            )
        if self.mixture is None or self.decoding.fusion != "rescore":
            return hypotheses
        return self._rescore_with_mixture(self.mixture, hypotheses[:RESCORED_HYPOTHESES])

    def _rescore_with_mixture(
        self, mixture: Mixture, hypotheses: list[Hypothesis]
    ) -> list[Hypothesis]:
        """Replace the n-gram model's score of each hypothesis by the mixture's; best first."""
        texts = [self.tokenizer.decode(h.labels).split() for h in hypotheses]
        gains = (self.decoding.alpha or 0.0) * NATS_PER_LOG10 * mixture.gains(texts)
        return _add_scores(hypotheses, gains)

    def _rescore_with_letters(
        self, scorer: LexiconScorer, found: list[Hypothesis], log_probabilities: np.ndarray
    ) -> list[Hypothesis]:
        """Turn hypotheses of phones into the tokenizer's labels, and add the weighted
        log-probability of these labels; best first.

        Args:
            scorer: the scorer of the search.
            found: hypotheses of phones, best first.
            log_probabilities: of the tokenizer's labels, in nats, [frames, labels].
        """
        best: dict[tuple[int, ...], Hypothesis] = {}
        for h in found:
            texts = scorer.texts(h.state)
            for ending, text in texts:
                labels = tuple(self.tokenizer.encode(text))
                score = h.score - texts[0][0] + ending
                # The frames may hold the phones of a text but not its letters.
                fits = ctc.frames_needed(labels) <= len(log_probabilities)
                if fits and (labels not in best or score > best[labels].score):
                    best[labels] = Hypothesis(labels, score, h.acoustic, phones=h.labels)
        if not best:
            return [Hypothesis((), 0.0, 0.0)]
        return _add_scores(
            list(best.values()), self._spelling_scores(log_probabilities, list(best))
        )

    def _spelling_scores(
        self, log_probabilities: np.ndarray, texts: list[tuple[int, ...]]
    ) -> np.ndarray:
        """Weighted log-probability of the labels of each text, in nats, [texts]."""
        # The weight is open where there is a lexicon and no language model.
        weight = self.decoding.spelling
        weight = LmWeights().spelling if weight is None else weight
        return weight * ctc.log_likelihoods(log_probabilities, texts)


def _add_scores(hypotheses: list[Hypothesis], scores: np.ndarray) -> list[Hypothesis]:
    """Hypotheses with `scores` added, in nats, [hypotheses]; best first."""
    rescored = [
        replace(h, score=h.score + float(score))
        for h, score in zip(hypotheses, scores, strict=True)
    ]
    return sorted(rescored, key=lambda h: (-h.score, h.labels))
