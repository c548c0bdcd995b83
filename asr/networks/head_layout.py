"""`HeadLayout`: which columns of the acoustic model's output belong to which head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Heads:
    """Logits of each head of the acoustic model, of the same type and for the same frames.

    Attributes:
        labels: logits of the tokenizer's labels, [..., labels].
        phones: logits of the phones, [..., phones]; None for a model with one head.
    """

    labels: Any
    phones: Any = None


@dataclass(frozen=True)
class HeadLayout:
    """Sizes of the heads, whose logits stand side by side in one array.

    Attributes:
        labels: number of the tokenizer's labels.
        phones: number of phone labels; 0 for a model with one head.

    >>> import numpy as np
    >>> heads = HeadLayout(labels=29, phones=40).split(np.zeros([100, 69]))
    >>> heads.labels.shape, heads.phones.shape
    ((100, 29), (100, 40))
    """

    labels: int
    phones: int = 0

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each head by the name of its dense layer, in the order of the columns."""
        return {"head": self.labels, **({"phones": self.phones} if self.phones else {})}

    @property
    def size(self) -> int:
        """Number of columns, over all heads."""
        return self.labels + self.phones

    def split(self, logits: Any) -> Heads:
        """Cut a NumPy array or TensorFlow tensor, [..., size], along its last axis."""
        leading = (slice(None),) * (len(logits.shape) - 1)
        phones = logits[(*leading, slice(self.labels, None))] if self.phones else None
        return Heads(labels=self.tokenizer_logits(logits), phones=phones)

    def tokenizer_logits(self, logits: Any) -> Any:
        """The logits of the tokenizer's labels alone: a TensorFlow graph gets only one slice."""
        leading = (slice(None),) * (len(logits.shape) - 1)
        return logits[(*leading, slice(None, self.labels))]
