"""`RecurrentLM`: a trained recurrent language model in numpy, for words or whole sentences."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.batching import map_by_length
from asr.base.blas import one_thread
from asr.base.config import STRICT
from asr.ctc.best_path import log_softmax
from asr.errors import ConfigError
from asr.language.word_lm import END
from asr.models import find_model
from asr.networks.acoustic_config import Cell
from asr.networks.model_directory import read_config
from asr.networks.numpy_stack import CellState, NumpyStack
from asr.networks.weights import WeightArrays
from asr.text.tokenizers import BLANK, Tokenizer, TokenizerConfig

BOUNDARY = BLANK
"""Label before the first label of a sentence and behind its last one. Text never has the blank."""
CACHE_SIZE = 4096
"""Beginnings of sentences whose cell states and next-label distributions are cached, about 4 kB
each."""
BATCH_SIZE = 128
"""Sentences scored in one batch."""
STEPS_AT_ONCE = 128
"""Steps whose distributions over all labels are computed at once: more would not fit the cache of
the processor."""
LOG10 = float(np.log(10))

LabelHistory = tuple[int, ...]
"""The labels of a sentence so far, from `BOUNDARY` on. Equal words give equal histories."""


@dataclass(frozen=True, config=STRICT)
class LanguageNetworkConfig:
    """Shape of the network (`asr.language.recurrent_network`).

    Attributes:
        cell: kind of recurrent cell. Default LSTM.
        units: units of each layer. Default 512.
        layers: recurrent layers. Default 1.
        embedding: size of a label's vector, in the input and the output layer. Default 256.
        dropout: share of inputs and outputs that training sets to 0. Default 0.1.
    """

    cell: Cell = "lstm"
    units: int = Field(default=512, ge=1)
    layers: int = Field(default=1, ge=1)
    embedding: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)


@dataclass(frozen=True, config=STRICT)
class LanguageConfig:
    """The content of a language model's `model.json`.

    Attributes:
        language: name of the model.
        tokenizer: units of text.
        network: shape of the network.
        training: the run that made the weights: command, seed, data, commit, scores.
        versions: versions of the libraries in that run.
        weights_sha256: SHA-256 of `weights.npz`.
        format: version of this file's format.
    """

    language: str
    tokenizer: TokenizerConfig
    network: LanguageNetworkConfig
    training: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str = ""
    format: int = 1


class Speller:
    """Spells a sentence in labels, word by word. The labels of `END` are `BOUNDARY`.

    Subword tokenizers, too, encode each word by itself, so that a word's labels do not depend on
    its neighbours.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._words: dict[str, tuple[int, ...]] = {END: (BOUNDARY,)}

    def word(self, word: str, first: bool) -> tuple[int, ...]:
        """The labels of a word, with the space before it unless it is the first word.

        Raises:
            TextError: the word has a character that the model does not know.
        """
        if word not in self._words:
            self._words[word] = tuple(self.tokenizer.encode(word, "language model"))
        space = self.tokenizer.space
        if first or space is None or word == END:
            return self._words[word]
        return (space, *self._words[word])

    def sentence(self, words: Sequence[str]) -> list[tuple[int, ...]]:
        """The labels of each word, and of the end."""
        return [self.word(word, first=i == 0) for i, word in enumerate((*words, END))]


class _Cached(NamedTuple):
    """Results for the beginning of a sentence: the cells' states, and the log-probabilities of the
    next label, in nats: [labels]."""

    cells: tuple[CellState, ...]
    next_label: np.ndarray


class RecurrentLM:
    """A language model of characters or subwords that scores words.

    `start` and `step` work as in `WordLM`. There is no vocabulary: the model scores every word of
    its alphabet. Scores are log10 probabilities; a word's probability is the product of its
    labels' probabilities.
    """

    def __init__(self, config: LanguageConfig, weights: WeightArrays) -> None:
        """Take the weights of a model.

        Raises:
            ModelError: the weights do not fit the configuration.
        """
        self.config, network = config, config.network
        self.tokenizer = Tokenizer(config.tokenizer)
        labels, size = len(self.tokenizer), network.embedding

        def take(name: str, *shape: int) -> np.ndarray:
            return weights.take(f"language/{name}", *shape).astype(np.float32)

        self.embedding, self.bias = take("embedding", labels, size), take("bias", labels)
        self.kernel = take("projection/kernel", network.units, size)
        self.shift = take("projection/bias", size)
        self.stack = NumpyStack(
            weights, "language/stack", size, network.cell, network.units, network.layers
        )
        weights.finish()
        self._cache: OrderedDict[LabelHistory, _Cached] = OrderedDict()
        self._speller = Speller(self.tokenizer)

    @classmethod
    def load(cls, model: str | PathLike[str]) -> RecurrentLM:
        """Load a model by shipped name or directory.

        Raises:
            ModelError: the model is missing or damaged.
            ConfigError: the model is not a language model.
        """
        folder = find_model(model)
        config = read_config(LanguageConfig, folder)
        return cls(config, WeightArrays(Path(folder, "weights.npz"), config.weights_sha256))

    def start(self) -> LabelHistory:
        """State at the start of a sentence."""
        return (BOUNDARY,)

    def step(self, state: LabelHistory, word: str) -> tuple[float, LabelHistory]:
        """Log10 probability of `word` in `state`, and the state behind the word.

        Raises:
            TextError: the word has a character that the model does not know.
        """
        total = 0.0
        for label in self._speller.word(word, first=len(state) == 1):
            total += float(self.next_label(state)[label])
            state = (*state, label)
        return total / LOG10, state

    def next_label(self, history: LabelHistory) -> np.ndarray:
        """Log-probabilities of the next label, in nats: float32 [labels]. They are cached.

        Args:
            history: labels from `BOUNDARY` on.
        """
        return self._after(history).next_label

    def word_scores(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Log10 probabilities of the words and the end of each sentence: [words + 1] each.

        Sentences are scored in batches, which is much faster than `step`.

        Raises:
            TextError: a word has a character that the model does not know.
        """
        spelled = [self._speller.sentence(words) for words in sentences]
        return map_by_length(spelled, lambda s: sum(map(len, s)), BATCH_SIZE, self._score_batch)

    def sentence(self, words: Sequence[str]) -> float:
        """Log10 probability of a sentence, its end included."""
        return float(self.word_scores([words])[0].sum())

    def generate(
        self,
        prompt: str = "",
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int | tuple[int, ...] = 0,
        max_labels: int = 200,
    ) -> str:
        """Continue `prompt` label by label until the model ends the sentence.

        Args:
            prompt: beginning of the sentence. Default: none.
            temperature: below 1, likely labels become likelier; near 0, the likeliest label always
                follows. Default 1.
            top_p: draw from the fewest labels that together have this probability (nucleus
                sampling: Holtzman et al., 2020). Default 1, all labels.
            seed: seed of the random numbers. Default 0.
            max_labels: length at which the sentence is cut, in labels. Default 200.

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
        while len(labels) <= max_labels:
            logits = self.next_label(tuple(labels)).astype(np.float64) / temperature
            label = _draw(np.exp(log_softmax(logits)), top_p, rng)
            if label == BOUNDARY:
                break
            labels.append(label)
        return self.tokenizer.decode(labels[1:])

    def _score_batch(self, sentences: list[list[tuple[int, ...]]]) -> list[np.ndarray]:
        """`word_scores` of sentences in labels, computed as one padded batch."""
        flat = [[label for word in sentence for label in word] for sentence in sentences]
        lengths = np.array([len(labels) for labels in flat])
        inputs = np.full((len(flat), lengths.max()), BOUNDARY)
        for row, labels in zip(inputs, flat, strict=True):
            row[1 : len(labels)] = labels[:-1]
        valid = np.arange(inputs.shape[1]) < lengths[:, None]
        with one_thread():
            outputs = self.stack.run(self.embedding[inputs], lengths)
            chosen = self._label_scores(outputs[valid], np.concatenate(flat)) / LOG10
        ends = np.cumsum([len(word) for sentence in sentences for word in sentence])
        words = np.add.reduceat(chosen, [0, *ends[:-1]])
        return np.split(words, np.cumsum([len(sentence) for sentence in sentences])[:-1])

    def _label_scores(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Log-probabilities, in nats, of the labels that followed: [steps].

        Args:
            outputs: outputs of the stack, [steps, units].
            labels: the next label of each step, [steps].
        """
        parts = []
        for first in range(0, len(labels), STEPS_AT_ONCE):
            rows = self._distributions(outputs[first : first + STEPS_AT_ONCE])
            parts.append(rows[np.arange(len(rows)), labels[first : first + STEPS_AT_ONCE]])
        return np.concatenate(parts)

    def _distributions(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of the stack [..., units] → log-probabilities of the next label [..., labels]."""
        logits = (outputs @ self.kernel + self.shift) @ self.embedding.T + self.bias
        return log_softmax(logits)

    def _after(self, history: LabelHistory) -> _Cached:
        found = self._cache.get(history)
        if found is not None:
            self._cache.move_to_end(history)
            return found
        before = self._after(history[:-1]).cells if len(history) > 1 else self.stack.start(1)
        with one_thread():
            output, cells = self.stack.step(self.embedding[[history[-1]]], before)
            next_label = self._distributions(output)[0]
        found = self._cache[history] = _Cached(cells, next_label)
        if len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)
        return found


def _draw(probabilities: np.ndarray, top_p: float, rng: np.random.Generator) -> int:
    """A random label among the fewest likeliest labels that together have `top_p`."""
    order = np.argsort(-probabilities, kind="stable")
    total = np.cumsum(probabilities[order])
    kept = order[: int(np.searchsorted(total, top_p * total[-1])) + 1]
    return int(rng.choice(kept, p=probabilities[kept] / probabilities[kept].sum()))
