"""Training data: pairs → ids → batches of like length, a function of seed and epoch alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asr import ctc
from asr.base.batching import pad, prefetched, shuffled_batches
from asr.seq2seq.pairs import END, UNKNOWN, Pair, Symbols, Vocabulary, symbols

if TYPE_CHECKING:
    from asr.base.tensorflow import tf


BATCH_SYMBOLS = 50_000.0
"""Padded symbols of sources and targets in one batch at most."""


class PairDataset:
    """Pairs as ids.

    Args:
        frames: of a source symbol, for CTC: pairs whose targets need more are left out; `skipped`
            names them. 0: for attention, any will do.
        hidden: share of the source symbols that each epoch makes unknown, others in each: for
            sources whose symbols training cannot all have (Dai & Le, 2015, "word dropout").
    """

    def __init__(
        self, pairs: Sequence[Pair], source: Symbols, target: Symbols,
        source_vocabulary: Vocabulary, target_vocabulary: Vocabulary,
        seed: int, frames: int = 0, hidden: float = 0.0,
    ) -> None:  # fmt: skip
        self.pairs: list[Pair] = []
        self.sources: list[np.ndarray] = []
        self.targets: list[np.ndarray] = []
        self.skipped: list[str] = []
        self.seed, self.hidden = seed, hidden
        for pair in pairs:
            read = source_vocabulary.ids(symbols(pair.source, source))
            said = target_vocabulary.ids(symbols(pair.target, target))
            if frames and ctc.frames_needed(said) > frames * len(read):
                self.skipped.append(
                    f"{pair.source!r}: {len(read)} symbols have too few frames for {len(said)}"
                )
                continue
            self.pairs.append(pair)
            self.sources.append(np.array(read, np.int32))
            self.targets.append(np.array(said, np.int32))

    def __len__(self) -> int:
        return len(self.pairs)

    def describe(self, index: int) -> str:
        """What a pair is called in errors."""
        return repr(self.pairs[index].source)

    def digest(self) -> str:
        """SHA-256 of the ids in their order."""
        digest = hashlib.sha256()
        for array in (*self.sources, *self.targets):
            digest.update(len(array).to_bytes(4, "big") + array.tobytes())
        return digest.hexdigest()

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """The epoch's batches as arrays of indices: shuffled, yet of like length."""
        lengths = [
            len(source) + len(target) / 1000
            for source, target in zip(self.sources, self.targets, strict=True)
        ]
        return shuffled_batches(lengths, batch_size, (self.seed, epoch), BATCH_SYMBOLS)

    def batch(self, indices: Sequence[int] | np.ndarray, epoch: int | None) -> dict[str, Any]:
        """Sources [batch, symbols] and targets [batch, symbols + 1], `END` behind each, padded;
        their lengths [batch], those of targets without `END`. `epoch` None: nothing is hidden."""
        sources, targets = [self.sources[i] for i in indices], [self.targets[i] for i in indices]
        if self.hidden and epoch is not None:
            sources = [self._hide(i, epoch) for i in indices]
        return {
            "sources": pad(sources, np.int32),
            "lengths": np.array([len(s) for s in sources], np.int32),
            "targets": pad([np.append(t, END) for t in targets], np.int32),
            "target_lengths": np.array([len(t) for t in targets], np.int32),
            "indices": np.asarray(indices, np.int32),
            "weights": np.full(len(sources), 1 / len(sources), np.float32),
        }

    def _hide(self, index: int, epoch: int) -> np.ndarray:
        source = self.sources[index]
        chosen = np.random.default_rng((self.seed, epoch, index)).random(len(source)) < self.hidden
        return np.where(chosen, UNKNOWN, source).astype(np.int32)

    def tf_dataset(self, epoch: int, batch_size: int, skip: int = 0) -> tf.data.Dataset:
        """The epoch's batches from number `skip` on, as a prefetched tf.data pipeline."""
        from asr.base.tensorflow import tf

        ranks = {
            "sources": 2, "lengths": 1, "targets": 2, "target_lengths": 1, "indices": 1,
            "weights": 1,
        }  # fmt: skip
        signature = {
            key: tf.TensorSpec([None] * rank, tf.float32 if key == "weights" else tf.int32)
            for key, rank in ranks.items()
        }
        plan = self.plan(epoch, batch_size)[skip:]
        return prefetched(lambda: (self.batch(i, epoch) for i in plan), signature)
