"""`Converter`: a trained model, run in numpy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np

from asr import ctc
from asr.base.batching import pad
from asr.ctc.prefix_beam import beam_search
from asr.errors import TextError
from asr.models import find_model
from asr.networks.model_directory import read_config
from asr.networks.numpy_stack import Stack, State, one_thread
from asr.networks.weights import Weights
from asr.seq2seq.converter_config import ConverterConfig
from asr.seq2seq.pairs import END, PADDING, UNKNOWN, Vocabulary, joined, symbols
from asr.seq2seq.search import search

BATCH = 64
"""Sources computed together."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """What a source may become.

    `score` is its log-probability in nats; `attention` [symbols + 1, source symbols] says how much
    each symbol looked at each of the source's, the last row what their end did. None of CTC.
    """

    text: str
    symbols: tuple[str, ...]
    score: float
    attention: np.ndarray | None = None


class Converter:
    """Sources → targets, by `AttentionNetwork` or `CTCNetwork` (asr.seq2seq.encoder_decoder), in float32.

    Args:
        config: what its model.json says.
        weights: the model's arrays.
    """

    def __init__(self, config: ConverterConfig, weights: Weights) -> None:
        self.config, shape = config, config.network
        self.sources = Vocabulary(config.source_symbols)
        self.targets = Vocabulary(config.target_symbols)

        def take(name: str, *sizes: int) -> np.ndarray:
            return weights.take(f"converter/{name}", *sizes).astype(np.float32)

        def stack(name: str, inputs: int, units: int, layers: int, bidirectional: bool) -> Stack:
            return Stack(
                weights, f"converter/{name}", inputs, shape.cell, units, layers, bidirectional
            )

        labels, embedding, units = len(self.targets), shape.embedding, shape.decoder_units
        self.embedding = take("embedding/embeddings", len(self.sources), embedding)
        self.encoder = stack("encoder", embedding, shape.encoder_units, shape.encoder_layers, True)
        width = self.encoder.width
        if shape.kind == "attention":
            self.said = take("said/embeddings", labels, embedding)
            self.summary = take("summary/kernel", width, embedding), take("summary/bias", embedding)
            self.reader = stack("reader", embedding, units, 1, False)
            self.keys = take("keys/kernel", width, units)
            self.writer = stack("writer", units + width, units, 1, False)
            self.head = take("head/kernel", units + width, labels), take("head/bias", labels)
        else:
            labels *= shape.frames
            self.head = take("head/kernel", width, labels), take("head/bias", labels)
        weights.finish()

    @classmethod
    def load(cls, model: str | PathLike[str]) -> Converter:
        """A converter by shipped name or directory.

        Raises:
            ModelError: there is none, it is another kind of model, or it is damaged.
            ConfigError: its model.json has an unknown, missing or impossible key.
        """
        folder = find_model(model)
        config = read_config(ConverterConfig, folder)
        return cls(config, Weights(folder / "weights.npz", config.weights_sha256))

    def convert(
        self, sources: Sequence[str], beam: int = 1, nbest: int = 1, length_penalty: float = 0.0
    ) -> list[list[Conversion]]:
        """Of each source the `nbest` likeliest targets that are found, best first; at least one.

        Args:
            beam: hypotheses kept after each symbol, with CTC after each frame; 1 is greedy
                decoding. `nbest` if that is more.
            length_penalty: divide scores by ((5 + symbols) / 6) to this power when they are ranked
                (Wu et al., 2016); for attention. 0: by probability.

        Raises:
            TextError: a source is without symbols.
        """
        beam = max(beam, nbest)
        ids = [np.array(self._ids(source), int) for source in sources]
        results: list[list[Conversion]] = [[] for _ in ids]
        # Of like length, so that there is little padding.
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            with one_thread():
                found = list(self._batch([ids[i] for i in batch], beam, nbest, length_penalty))
            for i, conversions in zip(batch, found, strict=True):
                results[i] = conversions
        return results

    def _ids(self, source: str) -> list[int]:
        ids = self.sources.ids(symbols(source, self.config.source))
        if not ids:
            raise TextError(f"{source!r}: there is nothing in it to convert")
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
        decoder, longest = Decoder(self, encoded, lengths), self.config.longest
        found = search(decoder, len(ids), beam, nbest, longest, length_penalty)
        for targets, length in zip(found, lengths, strict=True):
            yield [self._conversion(f.ids, f.score, f.attention[:, :length]) for f in targets]

    def _by_ctc(self, encoded: np.ndarray, beam: int) -> list[Conversion]:
        logits = encoded @ self.head[0] + self.head[1]
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
        return Conversion(joined(target, self.config.target), target, score, attention)


class Decoder:
    """What the search asks of `AttentionNetwork`, for hypotheses of some encoded sources.

    Args:
        model: whose weights it has.
        encoded: [sources, symbols, width], of so many valid symbols: `lengths` [sources].
    """

    def __init__(self, model: Converter, encoded: np.ndarray, lengths: np.ndarray) -> None:
        self.model, self.encoded = model, encoded
        self.keys = (encoded @ model.keys).transpose(0, 2, 1)
        self.outside = np.arange(encoded.shape[1]) >= lengths[:, None, None]
        units, rows = model.config.network.encoder_units, np.arange(len(lengths))
        # The end of either direction: what has read all of the source.
        ends = np.concatenate([encoded[rows, lengths - 1, :units], encoded[:, 0, units:]], axis=1)
        self.first = (ends @ model.summary[0] + model.summary[1])[:, None]
        self.states = model.reader.start(len(lengths)), model.writer.start(len(lengths))

    def step(self, last: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Last symbols [sources, hypotheses], None before the first → log-probabilities of the
        next [sources, hypotheses, vocabulary] and attention [sources, hypotheses, symbols]."""
        model = self.model
        x = self.first if last is None else model.said[last]
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
        logits = np.concatenate([written, found], axis=1) @ model.head[0] + model.head[1]
        logs = ctc.log_softmax(logits).reshape(n, hypotheses, -1)
        logs[:, :, [PADDING, UNKNOWN]] = -np.inf
        return logs, attention

    def select(self, sources: np.ndarray, hypotheses: np.ndarray) -> None:
        """Go on with some sources only, and of each with these hypotheses, numbers
        [sources, hypotheses] of those of the last step."""
        before = len(self.states[0][0][0]) // len(self.encoded)
        rows = (sources[:, None] * before + hypotheses).ravel()
        reader, writer = self.states
        self.states = _rows(reader, rows), _rows(writer, rows)
        if len(sources) < len(self.encoded):
            self.encoded, self.keys = self.encoded[sources], self.keys[sources]
            self.outside = self.outside[sources]


def _rows(state: tuple[State, ...], rows: np.ndarray) -> tuple[State, ...]:
    return tuple(tuple(array[rows] for array in layer) for layer in state)
