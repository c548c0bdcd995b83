"""Training data: pairs → ids → batches of like length, a function of seed and epoch alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.dataset import BUCKET_BATCHES, pad, prefetched
from asr.seq2seq.pairs import END, UNKNOWN, Pair, Symbols, Vocabulary, symbols

if TYPE_CHECKING:
    import tensorflow as tf


class PairDataset:
    """Pairs as ids.

    Args:
        hidden: share of the source symbols that each epoch makes unknown, others in each: for
            sources whose symbols training cannot all have (Dai & Le, 2015, "word dropout").
    """

    def __init__(
        self, pairs: Sequence[Pair], source: Symbols, target: Symbols,
        source_vocabulary: Vocabulary, target_vocabulary: Vocabulary,
        seed: int = 1, hidden: float = 0.0,
    ) -> None:  # fmt: skip
        self.pairs, self.seed, self.hidden = pairs, seed, hidden
        self.sources = [
            np.array(source_vocabulary.ids(symbols(p.source, source)), np.int32) for p in pairs
        ]
        self.targets = [
            np.array(target_vocabulary.ids(symbols(p.target, target)), np.int32) for p in pairs
        ]

    def digest(self) -> str:
        """SHA-256 of the ids in their order."""
        digest = hashlib.sha256()
        for array in (*self.sources, *self.targets):
            digest.update(len(array).to_bytes(4, "big") + array.tobytes())
        return digest.hexdigest()

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """The epoch's batches as arrays of indices: shuffled, yet of like length."""
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.pairs))
        lengths = np.array([(len(s), len(t)) for s, t in zip(self.sources, self.targets,
                                                             strict=True)])  # fmt: skip
        batches = []
        for start in range(0, len(order), batch_size * BUCKET_BATCHES):
            bucket = order[start : start + batch_size * BUCKET_BATCHES]
            bucket = bucket[np.lexsort((lengths[bucket, 1], lengths[bucket, 0]))]
            batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def batch(self, indices: Sequence[int] | np.ndarray, epoch: int | None) -> dict[str, Any]:
        """Sources [batch, symbols] and targets [batch, symbols + 1], with `END` behind each, padded;
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
        import tensorflow as tf

        ranks = {
            "sources": 2, "lengths": 1, "targets": 2, "target_lengths": 1, "indices": 1, "weights": 1
        }  # fmt: skip
        signature = {
            key: tf.TensorSpec([None] * rank, tf.float32 if key == "weights" else tf.int32)
            for key, rank in ranks.items()
        }
        plan = self.plan(epoch, batch_size)[skip:]
        return prefetched(lambda: (self.batch(i, epoch) for i in plan), signature)
