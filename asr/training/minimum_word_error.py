"""Minimum word error training: fewer expected word errors of the beam search's n-best list.

CTC makes each letter of the text likelier, whether the language model needs it or not. The expected
word errors fall where the right text overtakes the wrong ones (Prabhavalkar et al., 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr import ctc
from asr.base.batching import pad
from asr.base.config import STRICT
from asr.data.manifest import Utterance
from asr.text.tokenizers import Tokenizer
from asr.training.nbest_lists import NBest

if TYPE_CHECKING:
    from asr.base.tensorflow import tf
    from asr.networks.head_layout import Heads

IMPOSSIBLE = -1e9
"""Language model score of an empty place in a list, in nats: its probability is 0."""


@dataclass(frozen=True, config=STRICT)
class MinimumWordErrorConfig:
    """The key `minimum_word_error` of a recogniser's YAML file. All manifests of `data.train` must
    be made by pipelines/list_hypotheses.py."""

    hypotheses: int = Field(default=6, ge=2)
    """Length of the n-best lists: the reference and the best other texts. Default: 6."""
    scale: float = Field(default=0.5, gt=0)
    """Factor of the scores before the probabilities of the texts are computed. With smaller values,
    less likely texts count more. Default: 0.5."""
    spelling: float = Field(default=0.35, ge=0)
    """Weight of the letters beside the phones, as in decoding; without phones, letters have the
    weight 1. Default: 0.35."""
    ctc: float = Field(default=0.2, ge=0)
    """Weight of the CTC loss, in nats an utterance, beside the expected word errors. Default:
    0.2."""


class _Text(NamedTuple):
    """An `NBestEntry` with its label ids."""

    labels: tuple[int, ...]
    phones: tuple[int, ...]
    lm: float
    errors: int


class NBestLists:
    """The n-best lists of a training, as arrays for its batches.

    Args:
        lists: utterance → list.
        tokenizer: text → label ids.
        length: entries of a list at most.
    """

    def __init__(self, lists: Mapping[Utterance, NBest], tokenizer: Tokenizer, length: int) -> None:
        self.length = length
        self._lists: dict[Utterance, list[_Text]] = {}
        for utterance, entries in lists.items():
            # Stable: behind the reference, the others stay in their order.
            best = sorted(entries, key=lambda entry: entry.errors > 0)[:length]
            # Lists may have been made with another alphabet.
            self._lists[utterance] = [
                _Text(tuple(tokenizer.encode(e.text)), e.phones, e.lm, e.errors)
                for e in best
                if not tokenizer.unknown(e.text)
            ]

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """Types of what `arrays` returns."""
        from asr.base.tensorflow import tf

        texts = {
            f"nbest_{name}": tf.TensorSpec([None, self.length, None], tf.int32)
            for name in ("labels", "phones")
        }
        lengths = {
            f"nbest_{name}_lengths": tf.TensorSpec([None, self.length], tf.int32)
            for name in ("label", "phone")
        }
        scores = {
            f"nbest_{name}": tf.TensorSpec([None, self.length], tf.float32)
            for name in ("lm", "errors")
        }
        return texts | lengths | scores

    def arrays(
        self,
        utterances: Sequence[Utterance],
        labels: Sequence[tuple[int, ...]],
        phones: Sequence[tuple[int, ...]],
        frames: Sequence[int],
    ) -> dict[str, np.ndarray]:
        """The lists of a batch.

        Texts that the frames of an utterance cannot hold, or that cannot be spelled, are left out.
        Empty places have the reference, with the probability 0.

        Args:
            utterances: the utterances of the batch.
            labels, phones: ids of the references, which fit into the frames.
            frames: output frames of each utterance.
        """
        texts = [
            text
            for utterance, own, heard, count in zip(utterances, labels, phones, frames, strict=True)
            for text in self._row(utterance, _Text(own, heard, IMPOSSIBLE, 0), count)
        ]
        shape = len(utterances), self.length
        arrays: dict[str, np.ndarray] = {
            "nbest_lm": np.array([text.lm for text in texts], np.float32).reshape(shape),
            "nbest_errors": np.array([text.errors for text in texts], np.float32).reshape(shape),
        }
        for name in ("label", "phone"):
            ids = [np.array(getattr(text, f"{name}s"), np.int32) for text in texts]
            padded = pad(ids, np.int32)
            arrays[f"nbest_{name}s"] = padded.reshape(*shape, padded.shape[1])
            counts = np.array([len(row) for row in ids], np.int32)
            arrays[f"nbest_{name}_lengths"] = counts.reshape(shape)
        return arrays

    def _row(self, utterance: Utterance, empty: _Text, frames: int) -> list[_Text]:
        """`length` texts of an utterance.

        Args:
            utterance: the utterance.
            empty: what empty places have.
            frames: output frames.
        """
        row = [
            text
            for text in self._lists[utterance]
            if text.labels
            and max(ctc.frames_needed(text.labels), ctc.frames_needed(text.phones)) <= frames
        ]
        return row + [empty] * (self.length - len(row))


def expected_errors(
    heads: Heads, lengths: tf.Tensor, batch: Mapping[str, tf.Tensor], config: MinimumWordErrorConfig
) -> tf.Tensor:
    """Expected number of word errors of each utterance's n-best list, float32 [batch].

    The probabilities of the texts are the softmax of their scaled scores. A score is the sum of the
    log-likelihood of the phones, that of the letters times `spelling`, and the language model's
    score.

    Args:
        heads: logits of the labels and the phones, float [batch, frames, labels].
        lengths: output frames, int32 [batch].
        batch: see `NBestLists.arrays`.
        config: weights.
    """
    from asr.base.tensorflow import tf

    length = batch["nbest_lm"].shape[1]

    def log_likelihoods(logits: tf.Tensor, name: str) -> tf.Tensor:
        ids, counts = batch[f"nbest_{name}s"], batch[f"nbest_{name}_lengths"]
        losses = ctc.loss(
            tf.repeat(logits, length, axis=0),
            tf.repeat(lengths, length),
            tf.reshape(ids, [-1, tf.shape(ids)[2]]),
            tf.reshape(counts, [-1]),
        )
        return -tf.reshape(losses, [-1, length])

    if heads.phones is None:
        acoustic = log_likelihoods(heads.labels, "label")
    else:
        acoustic = log_likelihoods(heads.phones, "phone")
        acoustic += config.spelling * log_likelihoods(heads.labels, "label")
    probabilities = tf.nn.softmax(config.scale * (acoustic + batch["nbest_lm"]), axis=1)
    return tf.reduce_sum(probabilities * batch["nbest_errors"], axis=1)
