"""`SpellingJoiner`: a `WindowJoiner` that finds other spellings of doubtful words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from asr import ctc
from asr.ctc.prefix_beam import beam_search
from asr.decoding.emission_joiner import Emissions
from asr.decoding.window_joiner import Decode, Prepare, WindowJoiner
from asr.networks.head_layout import HeadLayout
from asr.results import Word
from asr.text.tokenizers import Tokenizer

CERTAIN = 0.95
"""Probability of a word's least probable label from which no other spelling is sought."""
LEAST = 0.03
"""Lowest probability of a spelling that is kept."""
MOST = 3
"""Spellings of a word at most."""
BEAM = 8
"""Prefixes that the search for spellings keeps."""


class Spelling(NamedTuple):
    """A text that the letters of the network allow in the place of a word.

    Attributes:
        text: the spelling; it may be several words.
        probability: of this text among all texts in the word's frames, by the tokenizer's labels
            alone: without language model, lexicon and hot words.
    """

    text: str
    probability: float


class SpellingJoiner(WindowJoiner):
    """A `WindowJoiner` that also knows other spellings.

    Args:
        decode: logits [frames', labels] → path.
        tokenizer: the recogniser's tokenizer.
        layout: heads of the logits.
        prepare: see `WindowJoiner`.
    """

    def __init__(
        self, decode: Decode, tokenizer: Tokenizer, layout: HeadLayout, prepare: Prepare
    ) -> None:
        super().__init__(decode, tokenizer.space, layout, prepare)
        self.tokenizer = tokenizer
        self._found: dict[int, tuple[str, list[Spelling]]] = {}

    def spellings(self, words: Sequence[Word]) -> list[list[Spelling]]:
        """Other spellings of each word, most probable first; empty for a word that is certain.

        Args:
            words: words of the transcript of all windows.
        """
        spans = self.tokenizer.word_spans(self.labels)
        if len(spans) != len(words):
            return [[] for _ in words]
        found = [self._found.get(first, ("", [])) for first, _ in spans]
        # A word that was cut between two parts differs from the part that was searched.
        return [
            spellings if text == word.text else []
            for word, (text, spellings) in zip(words, found, strict=True)
        ]

    def _add_path(self, part: Emissions, path: ctc.Path) -> None:
        super()._add_path(part, path)
        spans = self.tokenizer.word_spans(path.labels)
        # The first label may have been merged into the last one of the part before.
        shift = len(self.labels) - len(path.labels)
        cuts = [0, *_middles(path, spans), len(part.logits)]
        for i, (first, last) in enumerate(spans):
            if math.exp(min(path.scores[first:last])) >= CERTAIN:
                continue
            text = self.tokenizer.decode(path.labels[first:last])
            logits = part.logits[cuts[i] : cuts[i + 1]]
            self._found[first + shift] = text, self._search(logits, text)

    def _search(self, logits: np.ndarray, word: str) -> list[Spelling]:
        labels = self.layout.split(logits.astype(np.float64)).labels
        probabilities: dict[str, float] = {}
        for hypothesis in beam_search(ctc.log_softmax(labels), BEAM):
            text = self.tokenizer.decode(hypothesis.labels).strip()
            probabilities[text] = probabilities.get(text, 0.0) + math.exp(hypothesis.score)
        found = [
            Spelling(text, probability)
            for text, probability in probabilities.items()
            if probability >= LEAST and text not in ("", word)
        ]
        return sorted(found, key=lambda spelling: -spelling.probability)[:MOST]


def _middles(path: ctc.Path, spans: Sequence[tuple[int, int]]) -> list[int]:
    """The frames half-way between each word's last label and the next word's first one."""
    return [
        (path.ends[last - 1] + path.starts[first]) // 2 for (_, last), (first, _) in pairwise(spans)
    ]
