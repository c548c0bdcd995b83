"""`AcousticConfig`: the shape of the acoustic model. Imports no deep learning library."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.errors import ConfigError
from asr.networks.head_layout import HeadLayout
from asr.text.phones import PHONE_LABELS

Cell = Literal["rnn", "lstm", "gru"]
"""Kind of recurrent cell."""

NORM_EPSILON = 1e-3
"""Added to the variance in layer normalisation: the default of Keras."""


@dataclass(frozen=True, config=STRICT)
class AcousticConfig:
    """Shape of the acoustic model, stored in every `model.json`."""

    front: Literal["stack", "conv"] = "stack"
    """How to lower the frame rate: "stack" joins neighbouring frames, "conv" is a strided
    convolution."""
    stride: int = Field(default=2, ge=1)
    """Feature frames for each output frame."""
    filters: int = Field(default=256, ge=1)
    """Channels of the convolution (front: conv)."""
    cell: Cell = "lstm"
    units: int = Field(default=256, ge=1)
    layers: int = Field(default=3, ge=1)
    bidirectional: bool = True
    look_ahead: int = Field(default=0, ge=0)
    """Output frames that a unidirectional network hears beyond a frame before it gives the frame's
    logits. Default: 0."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    norm: Literal["layer", "none", "batch"] = "layer"
    middle: float = 0.0
    phones: bool = False
    """Whether a second head predicts phones (`asr.text.phones`). Training the first head beside it
    improves the first, and decoding with a lexicon uses it."""

    def __post_init__(self) -> None:
        if self.look_ahead and self.bidirectional:
            raise ConfigError(
                f"acoustic.look_ahead: {self.look_ahead}: a bidirectional network hears all; set "
                "acoustic.bidirectional: false, or leave look_ahead out"
            )

    @property
    def stateful(self) -> bool:
        """Whether the network can go on from where it stopped, so that a stream reads no frame
        twice. A convolution would need frames from before."""
        return not self.bidirectional and self.front == "stack"

    def head_layout(self, labels: int) -> HeadLayout:
        """Sizes of the model's heads for a tokenizer with this number of labels."""
        return HeadLayout(labels, len(PHONE_LABELS) if self.phones else 0)

    def frames(self, feature_frames: int) -> int:
        """Number of output frames for a number of feature frames."""
        return -(-feature_frames // self.stride)
