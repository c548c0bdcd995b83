"""The shape of the acoustic model, apart from any library that computes it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.text.phones import PHONE_LABELS

Cell = Literal["rnn", "lstm", "gru"]


@dataclass(frozen=True, config=STRICT)
class AcousticConfig:
    """Shape of the acoustic model; travels inside every model."""

    front: Literal["stack", "conv"] = "stack"
    """What lowers the frame rate: neighbours joined into one, or a strided convolution."""
    stride: int = Field(default=2, ge=1)
    """Feature frames an output frame."""
    filters: int = Field(default=256, ge=1)
    """Channels of the convolution (front: conv)."""
    cell: Cell = "lstm"
    units: int = Field(default=256, ge=1)
    layers: int = Field(default=3, ge=1)
    bidirectional: bool = True
    dropout: float = Field(default=0.3, ge=0, lt=1)
    norm: Literal["layer", "none"] = "layer"
    phones: bool = False
    """A second head beside the tokenizer's, over `asr.text.phones`: it helps the first to learn, and is
    read where there is a lexicon."""

    def heads(self, labels: int) -> dict[str, int]:
        """Names of the dense layers to the logits and how many these are, in their order, for a
        tokenizer of so many labels."""
        return {"head": labels, **({"phones": len(PHONE_LABELS)} if self.phones else {})}

    def frames(self, feature_frames: int) -> int:
        """Output frames for so many feature frames."""
        return -(-feature_frames // self.stride)
