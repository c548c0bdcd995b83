"""From logits to labels: greedy, or a beam search with or without a language model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr import ctc
from asr.errors import ConfigError
from asr.lm import WordScorer, read_arpa
from asr.text import Tokenizer


@dataclass(frozen=True)
class Decoding:
    """How to decode.

    beam: prefixes kept; 0 for greedy. lm: ARPA file of a word model, which needs a beam. alpha,
    beta: weight of the model's log-probability, and what each word adds; `asr tune` finds them.
    """

    beam: int = 0
    lm: Path | None = None
    alpha: float = 0.5
    beta: float = 1.0

    def __post_init__(self) -> None:
        if self.beam < 0:
            raise ConfigError(f"beam must be 0 (greedy) or more, found {self.beam}")
        if self.lm is not None and not self.beam:
            raise ConfigError(f"{self.lm}: a language model needs a beam, such as --beam 16")


class Decoder:
    """Decodes one utterance's logits [frames, labels] into a `ctc.Path`.

    Raises:
        ModelError: the language model's file is broken.
        ConfigError: the tokenizer has no words to score, or spells none of the model's.
    """

    def __init__(self, tokenizer: Tokenizer, decoding: Decoding) -> None:
        self.decoding = decoding
        self.scorer = None
        if decoding.lm is not None:
            if tokenizer.config.kind != "characters":
                raise ConfigError(
                    f"{decoding.lm}: a word model goes with a character tokenizer, "
                    f"this recogniser's is {tokenizer.config.kind}"
                )
            model = read_arpa(decoding.lm)
            self.scorer = WordScorer(model, tokenizer, decoding.alpha, decoding.beta)

    def __call__(self, logits: np.ndarray) -> ctc.Path:
        if not self.decoding.beam or not len(logits):
            return ctc.greedy(logits)
        log_probabilities = ctc.log_softmax(logits.astype(np.float64))
        best = ctc.beam_search(log_probabilities, self.decoding.beam, scorer=self.scorer)[0]
        # The search sums over alignments and so has no times: those are the best alignment's.
        return ctc.align(log_probabilities, best.labels)
