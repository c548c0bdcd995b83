"""`Converter`: a trained sequence-to-sequence model in NumPy, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import NamedTuple

import numpy as np

from asr import ctc
from asr.base.batching import map_by_length, pad
from asr.base.blas import one_thread
from asr.ctc.prefix_beam import beam_search
from asr.errors import TextError
from asr.models import find_model
from asr.networks.model_directory import read_config
from asr.networks.numpy_stack import CellState, NumpyStack
from asr.networks.weights import WeightArrays
from asr.seq2seq.converter_config import ConverterConfig
from asr.seq2seq.pairs import END, PADDING, UNKNOWN, SymbolVocabulary, join_symbols, split_symbols
from asr.seq2seq.search import search_targets

SOURCES_PER_BATCH = 64
"""Number of sources in one batch."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """A target that a converter found for a source.

    Attributes:
        text: the target.
        symbols: its symbols.
        score: its log-probability in nats.
        attention: attention of each symbol and, in the last row, of the end, to the source's
            symbols, [symbols + 1, source symbols]; None for CTC.
    """

    text: str
    symbols: tuple[str, ...]
    score: float
    attention: np.ndarray | None = None


class DenseLayer(NamedTuple):
    """A dense layer in NumPy.

    Attributes:
        kernel: weights, [inputs, outputs].
        bias: [outputs].
    """

    kernel: np.ndarray
    bias: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """[..., inputs] → [..., outputs]."""
        return x @ self.kernel + self.bias


class Converter:
    """Converts sources to targets with a trained `AttentionNetwork` or `CTCNetwork`, in float32.

    Args:
        config: content of the model's `model.json`.
        weights: arrays of the model.

    >>> converter = Converter.load("en-g2p")
    >>> ((best,),) = converter.convert(["speech"])
    >>> best.text
    'S P IY1 CH'
    """

    def __init__(self, config: ConverterConfig, weights: WeightArrays) -> None:
        self.config, shape = config, config.network
        self.sources = SymbolVocabulary(config.source_symbols)
        self.targets = SymbolVocabulary(config.target_symbols)

        def take(name: str, *sizes: int) -> np.ndarray:
            return weights.take(f"converter/{name}", *sizes).astype(np.float32)

        def dense(name: str, inputs: int, outputs: int) -> DenseLayer:
            return DenseLayer(
                take(f"{name}/kernel", inputs, outputs), take(f"{name}/bias", outputs)
            )

        def stack(
            name: str, inputs: int, units: int, layers: int, bidirectional: bool
        ) -> NumpyStack:
            return NumpyStack(
                weights, f"converter/{name}", inputs, shape.cell, units, layers, bidirectional
            )

        labels, embedding, units = len(self.targets), shape.embedding, shape.decoder_units
        self.embedding = take("embedding/embeddings", len(self.sources), embedding)
        self.encoder = stack("encoder", embedding, shape.encoder_units, shape.encoder_layers, True)
        width = self.encoder.width
        if shape.kind == "attention":
            self.target_embedding = take("said/embeddings", labels, embedding)
            self.summary = dense("summary", width, embedding)
            self.reader = stack("reader", embedding, units, 1, False)
            self.keys = take("keys/kernel", width, units)
            self.writer = stack("writer", units + width, units, 1, False)
            self.head = dense("head", units + width, labels)
        else:
            self.head = dense("head", width, labels * shape.frames)
        weights.finish()

    @classmethod
    def load(cls, model: str | PathLike[str]) -> Converter:
        """Load a converter by shipped name or directory.

        Raises:
            ModelError: there is no such model, it is another kind of model, or it is damaged.
            ConfigError: its `model.json` has an unknown, missing or invalid key.
        """
        folder = find_model(model)
        config = read_config(ConverterConfig, folder)
        return cls(config, WeightArrays(folder / "weights.npz", config.weights_sha256))

    def convert(
        self, sources: Sequence[str], beam: int = 1, nbest: int = 1, length_penalty: float = 0.0
    ) -> list[list[Conversion]]:
        """Find the most probable targets of each source.

        Args:
            sources: texts, such as words to pronounce.
            beam: number of hypotheses to keep after each symbol or, with CTC, each frame; at least
                `nbest` are kept. 1, the default, is greedy decoding.
            nbest: the most targets to return for a source, 1 by default.
            length_penalty: power of (5 + symbols) / 6 by which scores are divided for ranking (Wu
                et al., 2016). Only models with attention use it. 0, the default, ranks by
                probability.

        Returns:
            For each source one to `nbest` targets, best first.

        Raises:
            TextError: a source has no symbols.
        """
        beam = max(beam, nbest)
        ids = [np.array(self._ids(source), int) for source in sources]

        def convert(batch: list[np.ndarray]) -> list[list[Conversion]]:
            with one_thread():
                return list(self._batch(batch, beam, nbest, length_penalty))

        return map_by_length(ids, len, SOURCES_PER_BATCH, convert)

    def _ids(self, source: str) -> list[int]:
        ids = self.sources.ids(split_symbols(source, self.config.source))
        if not ids:
            raise TextError(f"{source!r}: there are no symbols to convert")
        return ids

    def _batch(
        self, ids: list[np.ndarray], beam: int, nbest: int, length_penalty: float
    ) -> Iterator[list[Conversion]]:
        lengths = np.array([len(i) for i in ids])
        encoded = self.encoder.run(self.embedding[pad(ids, int)], lengths)
        if self.config.network.kind == "ctc":
            for row, length in zip(encoded, lengths, strict=True):
                yield self._by_ctc(row[:length], beam)[:nbest]
            return
        decoder, longest = AttentionDecoder(self, encoded, lengths), self.config.longest
        found = search_targets(decoder, len(ids), beam, nbest, longest, length_penalty)
        for targets, length in zip(found, lengths, strict=True):
            yield [self._conversion(f.ids, f.score, f.attention[:, :length]) for f in targets]

    def _by_ctc(self, encoded: np.ndarray, beam: int) -> list[Conversion]:
        logits = self.head(encoded)
        logs = ctc.log_softmax(logits.reshape(-1, len(self.targets)))
        logs[:, [END, UNKNOWN]] = -np.inf
        if beam == 1:
            best = ctc.greedy(logs)
            return [self._conversion(best.labels, best.score)]
        return [self._conversion(h.labels, h.score) for h in beam_search(logs, beam)]

    def _conversion(
        self, ids: Sequence[int], score: float, attention: np.ndarray | None = None
    ) -> Conversion:
        target = self.targets.symbols(ids)
        return Conversion(join_symbols(target, self.config.target), target, score, attention)


class AttentionDecoder:
    """Decoder of a trained `AttentionNetwork`, for the beam search over a batch of sources.

    Args:
        model: the converter, which has the weights.
        encoded: outputs of the encoder, [sources, symbols, width].
        lengths: number of symbols of each source, int [sources].
    """

    def __init__(self, model: Converter, encoded: np.ndarray, lengths: np.ndarray) -> None:
        self.model, self.encoded = model, encoded
        self.keys = (encoded @ model.keys).transpose(0, 2, 1)
        self.outside = np.arange(encoded.shape[1]) >= lengths[:, None, None]
        units, rows = model.config.network.encoder_units, np.arange(len(lengths))
        # The last output of either direction, which has read the whole source.
        ends = np.concatenate([encoded[rows, lengths - 1, :units], encoded[:, 0, units:]], axis=1)
        self.first = model.summary(ends)[:, None]
        self.states = model.reader.start(len(lengths)), model.writer.start(len(lengths))

    def step(self, last: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Predict the next symbol of each hypothesis; see `search.StepDecoder.step`."""
        model = self.model
        x = self.first if last is None else model.target_embedding[last]
        n, hypotheses = x.shape[:2]
        query, reader = model.reader.step(x.reshape(n * hypotheses, -1), self.states[0])
        scores = query.reshape(n, hypotheses, -1) @ self.keys
        scores *= model.config.network.decoder_units**-0.5
        scores = np.where(self.outside, -np.inf, scores)
        attention = np.exp(scores - scores.max(axis=2, keepdims=True))
        attention /= attention.sum(axis=2, keepdims=True)
        found = (attention @ self.encoded).reshape(n * hypotheses, -1)
        written, writer = model.writer.step(np.concatenate([query, found], axis=1), self.states[1])
        self.states = reader, writer
        logits = model.head(np.concatenate([written, found], axis=1))
        logs = ctc.log_softmax(logits).reshape(n, hypotheses, -1)
        logs[:, :, [PADDING, UNKNOWN]] = -np.inf
        return logs, attention

    def select(self, sources: np.ndarray, hypotheses: np.ndarray) -> None:
        """Keep only some sources and hypotheses; see `search.StepDecoder.select`."""
        before = len(self.states[0][0][0]) // len(self.encoded)
        rows = (sources[:, None] * before + hypotheses).ravel()
        reader, writer = self.states
        self.states = _rows(reader, rows), _rows(writer, rows)
        if len(sources) < len(self.encoded):
            self.encoded, self.keys = self.encoded[sources], self.keys[sources]
            self.outside = self.outside[sources]


def _rows(state: tuple[CellState, ...], rows: np.ndarray) -> tuple[CellState, ...]:
    return tuple(tuple(array[rows] for array in layer) for layer in state)
