"""`PairDataset`: training batches of source and target strings for a converter.

A batch is a function of the seed and the epoch alone, so that a resumed training sees the batches
that an uninterrupted one would have seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asr import ctc
from asr.base.batching import pad, prefetched, shuffled_batches
from asr.seq2seq.pairs import END, UNKNOWN, Pair, Symbols, SymbolVocabulary, split_symbols

if TYPE_CHECKING:
    from asr.base.tensorflow import tf


BATCH_SYMBOLS = 50_000.0
"""Largest number of source symbols in a batch, including padding."""


class PairDataset:
    """Pairs as symbol ids, and the batches of any epoch.

    Args:
        pairs: source and target strings.
        source, target: what the symbols of each side are.
        source_vocabulary, target_vocabulary: symbols → ids of each side.
        seed: seed of the order of batches and of hidden symbols.
        frames: output frames per source symbol for CTC. Pairs whose target needs more frames are
            left out and listed in `skipped`. Default: 0, no limit, for attention.
        hidden: fraction of source symbols that each epoch replaces by the unknown symbol (word
            dropout, Dai & Le, 2015), so that the network learns to handle symbols that it has
            never seen. Default: 0.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        source: Symbols,
        target: Symbols,
        source_vocabulary: SymbolVocabulary,
        target_vocabulary: SymbolVocabulary,
        seed: int,
        frames: int = 0,
        hidden: float = 0.0,
    ) -> None:
        self.pairs: list[Pair] = []
        self.sources: list[np.ndarray] = []
        self.targets: list[np.ndarray] = []
        self.skipped: list[str] = []
        self.seed, self.hidden = seed, hidden
        for pair in pairs:
            source_ids = source_vocabulary.ids(split_symbols(pair.source, source))
            target_ids = target_vocabulary.ids(split_symbols(pair.target, target))
            if frames and ctc.frames_needed(target_ids) > frames * len(source_ids):
                self.skipped.append(
                    f"{pair.source!r}: {len(source_ids)} symbols have too few frames for "
                    f"{len(target_ids)}"
                )
                continue
            self.pairs.append(pair)
            self.sources.append(np.array(source_ids, np.int32))
            self.targets.append(np.array(target_ids, np.int32))

    def __len__(self) -> int:
        return len(self.pairs)

    def describe(self, index: int) -> str:
        """Name of a pair in error messages."""
        return repr(self.pairs[index].source)

    def digest(self) -> str:
        """SHA-256 of all ids in order."""
        digest = hashlib.sha256()
        for array in (*self.sources, *self.targets):
            digest.update(len(array).to_bytes(4, "big") + array.tobytes())
        return digest.hexdigest()

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Pair indices of each batch of an epoch, shuffled, with similar lengths in a batch."""
        lengths = [
            len(source) + len(target) / 1000
            for source, target in zip(self.sources, self.targets, strict=True)
        ]
        return shuffled_batches(lengths, batch_size, (self.seed, epoch), BATCH_SYMBOLS)

    def batch(self, indices: Sequence[int] | np.ndarray, epoch: int | None) -> dict[str, Any]:
        """One batch of pairs.

        Args:
            indices: the pairs.
            epoch: decides which symbols are hidden; None: none are hidden.

        Returns:
            `sources`, int32 [batch, symbols]; `targets`, int32 [batch, symbols + 1], each followed
            by `END`; their `lengths` and `target_lengths` (without `END`), int32 [batch];
            `indices`, int32 [batch]; `weights`, float32 [batch], which make the batch's loss the
            mean over its pairs.
        """
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
        """The batches of an epoch, without the first `skip`, as a prefetched pipeline."""
        from asr.base.tensorflow import tf

        signature = {
            "sources": tf.TensorSpec([None, None], tf.int32),
            "lengths": tf.TensorSpec([None], tf.int32),
            "targets": tf.TensorSpec([None, None], tf.int32),
            "target_lengths": tf.TensorSpec([None], tf.int32),
            "indices": tf.TensorSpec([None], tf.int32),
            "weights": tf.TensorSpec([None], tf.float32),
        }
        plan = self.plan(epoch, batch_size)[skip:]
        return prefetched(lambda: (self.batch(i, epoch) for i in plan), signature)
