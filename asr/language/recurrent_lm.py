"""`RecurrentLM`: a trained recurrent language model in numpy, word by word or whole sentences.

It answers as `asr.language.ngram.NgramModel` does (`start`, `step`), so that a search can be told of either.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass as plain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.ctc.best_path import log_softmax
from asr.errors import ConfigError
from asr.language.ngram import END
from asr.models import find_model
from asr.networks.acoustic_config import Cell
from asr.networks.model_directory import read_config
from asr.networks.numpy_stack import Stack, one_thread
from asr.networks.numpy_stack import State as CellState
from asr.networks.weights import Weights
from asr.text.tokenizers import BLANK, Tokenizer, TokenizerConfig

BOUNDARY = BLANK
"""Label before a sentence's first and behind its last: text never has the blank's."""
REMEMBERED = 4096
"""Beginnings of sentences whose states are kept: 4 kB and a distribution over the labels each."""
BATCH = 128
"""Sentences scored together."""
STEPS = 128
"""Of them, steps whose distributions are computed together."""
LOG10 = float(np.log(10))

State = tuple[int, ...]
"""The labels so far. Equal for equal words, by whichever way a search came to them."""


@dataclass(frozen=True, config=STRICT)
class LanguageNetworkConfig:
    """Shape of the network (asr/language/recurrent_network.py)."""

    cell: Cell = "lstm"
    units: int = Field(default=512, ge=1)
    layers: int = Field(default=1, ge=1)
    embedding: int = Field(default=256, ge=1)
    """Size of a label's vector, in the input and in the output layer."""
    dropout: float = Field(default=0.1, ge=0, lt=1)


@dataclass(frozen=True, config=STRICT)
class LanguageConfig:
    """The content of a language model's `model.json`."""

    language: str
    """Its name."""
    tokenizer: TokenizerConfig
    network: LanguageNetworkConfig
    training: dict[str, Any] = Field(default_factory=dict)
    """Summary of the run that made the weights: command, seed, data, commit, scores."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str = ""
    format: int = 1


class Speller:
    """Words → labels, each with what parts it from the word before; END is `BOUNDARY`.

    Word by word also for subwords, so that a word's labels do not depend on its neighbours.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._words: dict[str, State] = {END: (BOUNDARY,)}

    def __call__(self, word: str, first: bool) -> State:
        """Raises:
        TextError: a character that the model does not know.
        """
        if word not in self._words:
            self._words[word] = tuple(self.tokenizer.encode(word, "language model"))
        space = self.tokenizer.space
        if first or space is None or word == END:
            return self._words[word]
        return (space, *self._words[word])

    def sentence(self, words: Sequence[str]) -> list[State]:
        """The labels of each word, and of the end."""
        return [self(word, first=i == 0) for i, word in enumerate((*words, END))]


@plain(frozen=True)
class _Known:
    """What is known of the beginning of a sentence: the cells' state, and log-probabilities
    [labels] of what follows, in nats."""

    state: tuple[CellState, ...]
    following: np.ndarray


class RecurrentLM:
    """A language model of characters or subwords, scored by words.

    Scores are log10 probabilities, as in ARPA files. The probability of a word is that of its
    labels; a sentence's is exact.
    """

    def __init__(self, config: LanguageConfig, weights: Weights) -> None:
        """Raises:
        ModelError: the weights are not those of this configuration.
        """
        self.config, network = config, config.network
        self.tokenizer = Tokenizer(config.tokenizer)
        labels, size = len(self.tokenizer), network.embedding

        def take(name: str, *shape: int) -> np.ndarray:
            return weights.take(f"language/{name}", *shape).astype(np.float32)

        self.embedding, self.bias = take("embedding", labels, size), take("bias", labels)
        self.kernel = take("projection/kernel", network.units, size)
        self.shift = take("projection/bias", size)
        self.stack = Stack(
            weights, "language/stack", size, network.cell, network.units, network.layers
        )
        weights.finish()
        self._known: OrderedDict[State, _Known] = OrderedDict()
        self._speller = Speller(self.tokenizer)

    @classmethod
    def load(cls, model: str | PathLike[str]) -> RecurrentLM:
        """A model by shipped name or directory.

        Raises:
            ModelError, ConfigError: it is missing, damaged, or of another kind.
        """
        folder = find_model(model)
        config = read_config(LanguageConfig, folder)
        return cls(config, Weights(Path(folder, "weights.npz"), config.weights_sha256))

    def start(self) -> State:
        """State at the start of a sentence."""
        return (BOUNDARY,)

    def step(self, state: State, word: str) -> tuple[float, State]:
        """Log10 probability of `word` in `state`, and the state behind it."""
        total = 0.0
        for label in self._speller(word, first=len(state) == 1):
            total += float(self._after(state).following[label])
            state = (*state, label)
        return total / LOG10, state

    def word_scores(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Of each sentence the log10 probabilities of its words, and of its end: [words + 1].

        Sentences are scored in batches: much faster than `step`.
        """
        spelled = [self._speller.sentence(words) for words in sentences]
        scores: list[np.ndarray] = [np.empty(0)] * len(spelled)
        order = sorted(range(len(spelled)), key=lambda i: sum(map(len, spelled[i])))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            flat = [[label for word in spelled[i] for label in word] for i in batch]
            lengths = np.array([len(labels) for labels in flat])
            inputs = np.full((len(batch), lengths.max()), BOUNDARY)
            for row, labels in zip(inputs, flat, strict=True):
                row[1 : len(labels)] = labels[:-1]
            valid = np.arange(inputs.shape[1]) < lengths[:, None]
            with one_thread():
                outputs = self.stack.run(self.embedding[inputs], lengths)
                chosen = self._chosen(outputs[valid], np.concatenate(flat)) / LOG10
            ends = np.cumsum([len(word) for i in batch for word in spelled[i]])
            each = np.split(
                np.add.reduceat(chosen, [0, *ends[:-1]]),
                np.cumsum([len(spelled[i]) for i in batch])[:-1],
            )
            for i, row in zip(batch, each, strict=True):
                scores[i] = row
        return scores

    def sentence(self, words: Sequence[str]) -> float:
        """Log10 probability of a whole sentence, its end included."""
        return float(self.word_scores([words])[0].sum())

    def generate(
        self, prompt: str = "", temperature: float = 1.0, top_p: float = 1.0,
        seed: int | tuple[int, ...] = 0, most: int = 200,
    ) -> str:  # fmt: skip
        """A sentence that begins with `prompt`, label by label until the model ends it.

        Args:
            temperature: below 1 the likely is likelier, near 0 the likeliest always.
            top_p: only the likeliest labels that together have this probability are drawn from
                (nucleus sampling: Holtzman et al., 2020).
            most: labels at most.

        Raises:
            ConfigError: temperature or top_p is out of range.
            TextError: the prompt has characters that the model does not know.
        """
        if not temperature > 0 or not 0 < top_p <= 1:
            raise ConfigError(
                f"temperature must be above 0 and top-p in 0 … 1, found {temperature} and {top_p}"
            )
        rng = np.random.default_rng(seed)
        labels = [BOUNDARY, *self.tokenizer.encode(prompt, "prompt")]
        while len(labels) <= most:
            logits = self._after(tuple(labels)).following.astype(np.float64) / temperature
            label = _draw(np.exp(log_softmax(logits)), top_p, rng)
            if label == BOUNDARY:
                break
            labels.append(label)
        return self.tokenizer.decode(labels[1:])

    def _following(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of the stack [..., units] → log-probabilities [..., labels]."""
        logits = (outputs @ self.kernel + self.shift) @ self.embedding.T + self.bias
        return log_softmax(logits)

    def _chosen(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Outputs [steps, units] and the labels that followed → their log-probabilities [steps]."""
        parts = []
        # Few at a time: distributions over all labels of all steps would not fit the cache.
        for first in range(0, len(labels), STEPS):
            rows = self._following(outputs[first : first + STEPS])
            parts.append(rows[np.arange(len(rows)), labels[first : first + STEPS]])
        return np.concatenate(parts)

    def _after(self, state: State) -> _Known:
        found = self._known.get(state)
        if found is not None:
            self._known.move_to_end(state)
            return found
        before = self._after(state[:-1]).state if len(state) > 1 else self.stack.start(1)
        with one_thread():
            output, after = self.stack.step(self.embedding[[state[-1]]], before)
            following = self._following(output)[0]
        found = self._known[state] = _Known(after, following)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found


def _draw(probabilities: np.ndarray, top_p: float, rng: np.random.Generator) -> int:
    """A label out of the fewest, likeliest ones that have `top_p` together."""
    order = np.argsort(-probabilities, kind="stable")
    total = np.cumsum(probabilities[order])
    kept = order[: int(np.searchsorted(total, top_p * total[-1])) + 1]
    return int(rng.choice(kept, p=probabilities[kept] / probabilities[kept].sum()))
