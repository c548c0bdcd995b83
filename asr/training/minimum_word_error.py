"""Minimum word error training: fewer expected word errors among the hypotheses of a search.

CTC makes the labels of the text likelier. The expected number of word errors of an n-best list also
counts what the language model can mend and what it cannot (Prabhavalkar et al., 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr import ctc
from asr.base.config import STRICT
from asr.data.manifest import Utterance
from asr.text.tokenizers import Tokenizer
from asr.training.hypothesis_lists import Rival

if TYPE_CHECKING:
    from asr.base.tensorflow import tf
    from asr.networks.head_layout import Heads

IMPOSSIBLE = -1e9
"""Language model score of an empty place in a list, in nats: its probability is 0."""


@dataclass(frozen=True, config=STRICT)
class MinimumWordErrorConfig:
    """The key `minimum_word_error` of a recogniser's YAML file. All of `data.train` must be made by
    pipelines/list_hypotheses.py."""

    hypotheses: int = Field(default=6, ge=2)
    """Texts that are weighed for each utterance: its own text and the best others. Default: 6."""
    scale: float = Field(default=0.5, gt=0)
    """Factor of the texts' scores before their probabilities are computed. Smaller values make
    less likely texts count more. Default: 0.5."""
    spelling: float = Field(default=0.35, ge=0)
    """Weight of the letters beside the phones, as in decoding; without phones, letters have the
    weight 1. Default: 0.35."""
    ctc: float = Field(default=0.2, ge=0)
    """Weight of the CTC loss, in nats an utterance, beside the expected word errors. Default:
    0.2."""


class RivalLists:
    """The lists of hypotheses of a training, as arrays for its batches.

    Args:
        lists: utterance → list, its own text included.
        tokenizer: text → label ids.
        most: texts of an utterance at most.
    """

    def __init__(
        self, lists: Mapping[Utterance, Sequence[Rival]], tokenizer: Tokenizer, most: int
    ) -> None:
        self.most = most
        self._lists: dict[Utterance, list[tuple[tuple[int, ...], Rival]]] = {}
        for utterance, rivals in lists.items():
            own = tokenizer.normalise(utterance.text)
            # Stable: after the own text, the others stay in their order.
            best = sorted(rivals, key=lambda rival: rival.text != own)[:most]
            self._lists[utterance] = [(tuple(tokenizer.encode(r.text)), r) for r in best]

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """Types of what `arrays` returns."""
        from asr.base.tensorflow import tf

        texts = {
            f"rival_{name}": tf.TensorSpec([None, self.most, None], tf.int32)
            for name in ("labels", "phones")
        }
        lengths = {
            f"rival_{name}_lengths": tf.TensorSpec([None, self.most], tf.int32)
            for name in ("label", "phone")
        }
        scores = {
            f"rival_{name}": tf.TensorSpec([None, self.most], tf.float32)
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

        Texts that an utterance's frames cannot hold are left out, and empty places have its own
        text with the probability 0.

        Args:
            utterances: the utterances of the batch.
            labels, phones: ids of their own texts, which fit into their frames.
            frames: output frames of each.
        """
        rows = [
            self._row(self._lists[utterance], own, frames_of)
            for utterance, *own, frames_of in zip(utterances, labels, phones, frames, strict=True)
        ]
        return {
            "rival_labels": _padded([[r[0] for r in row] for row in rows]),
            "rival_label_lengths": np.array([[len(r[0]) for r in row] for row in rows], np.int32),
            "rival_phones": _padded([[r[1] for r in row] for row in rows]),
            "rival_phone_lengths": np.array([[len(r[1]) for r in row] for row in rows], np.int32),
            "rival_lm": np.array([[r[2] for r in row] for row in rows], np.float32),
            "rival_errors": np.array([[r[3] for r in row] for row in rows], np.float32),
        }

    def _row(
        self,
        rivals: Sequence[tuple[tuple[int, ...], Rival]],
        own: Sequence[tuple[int, ...]],
        frames: int,
    ) -> list[tuple[tuple[int, ...], tuple[int, ...], float, int]]:
        """(labels, phones, score of the language model, word errors) of `most` texts."""
        row = [
            (labels, rival.phones, rival.lm, rival.errors)
            for labels, rival in rivals
            if max(ctc.frames_needed(labels), ctc.frames_needed(rival.phones)) <= frames
        ]
        return row + [(own[0], own[1], IMPOSSIBLE, 0)] * (self.most - len(row))


def expected_errors(
    heads: Heads, lengths: tf.Tensor, batch: Mapping[str, tf.Tensor], config: MinimumWordErrorConfig
) -> tf.Tensor:
    """Expected number of word errors of each utterance's list, float32 [batch].

    The probability of a text among the list's is proportional to the exponential of its scaled
    score: log-likelihoods of its labels and phones, and the language model.

    Args:
        heads: logits of the labels and the phones, float [batch, frames, labels].
        lengths: output frames, int32 [batch].
        batch: see `RivalLists.arrays`.
        config: weights.
    """
    from asr.base.tensorflow import tf

    most = batch["rival_lm"].shape[1]

    def log_likelihoods(logits: tf.Tensor, name: str) -> tf.Tensor:
        ids, counts = batch[f"rival_{name}s"], batch[f"rival_{name}_lengths"]
        losses = ctc.loss(
            tf.repeat(logits, most, axis=0),
            tf.repeat(lengths, most),
            tf.reshape(ids, [-1, tf.shape(ids)[2]]),
            tf.reshape(counts, [-1]),
        )
        return -tf.reshape(losses, [-1, most])

    if heads.phones is None:
        acoustic = log_likelihoods(heads.labels, "label")
    else:
        acoustic = log_likelihoods(heads.phones, "phone")
        acoustic += config.spelling * log_likelihoods(heads.labels, "label")
    probabilities = tf.nn.softmax(config.scale * (acoustic + batch["rival_lm"]), axis=1)
    return tf.reduce_sum(probabilities * batch["rival_errors"], axis=1)


def _padded(rows: Sequence[Sequence[Sequence[int]]]) -> np.ndarray:
    """Ids of the texts of each utterance, int32 [batch, texts, ids], padded with 0."""
    longest = max(len(ids) for row in rows for ids in row)
    padded = np.zeros([len(rows), len(rows[0]), longest], np.int32)
    for i, row in enumerate(rows):
        for j, ids in enumerate(row):
            padded[i, j, : len(ids)] = ids
    return padded
