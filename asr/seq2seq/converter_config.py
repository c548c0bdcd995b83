"""`Seq2SeqConfig` and `ConverterConfig`: the shape of a converter and its `model.json`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.networks.acoustic_config import Cell
from asr.seq2seq.pairs import Symbols


@dataclass(frozen=True, config=STRICT)
class Seq2SeqConfig:
    """Shape of the network, stored in every `model.json`."""

    kind: Literal["attention", "ctc"] = "attention"
    """Kind of output: a decoder with attention to the encoder, or CTC."""
    cell: Cell = "gru"
    embedding: int = Field(default=96, ge=1)
    encoder_units: int = Field(default=192, ge=1)
    """Size of the state of each direction of the encoder."""
    encoder_layers: int = Field(default=2, ge=1)
    decoder_units: int = Field(default=256, ge=1)
    """Size of the state of both decoder layers (kind: attention)."""
    frames: int = Field(default=3, ge=1)
    """Output frames for each source symbol (kind: ctc); no target may need more frames."""
    dropout: float = Field(default=0.2, ge=0, lt=1)


@dataclass(frozen=True, config=STRICT)
class ConverterConfig:
    """The content of `model.json`."""

    converter: str
    """Name of the converter."""
    source: Symbols
    target: Symbols
    source_symbols: tuple[str, ...]
    target_symbols: tuple[str, ...]
    """Vocabularies; ids count from `pairs.FIRST`."""
    longest: int
    """The most symbols of a target: the length of the longest one in training."""
    network: Seq2SeqConfig = Field(default_factory=Seq2SeqConfig)
    training: dict[str, Any] = Field(default_factory=dict)
    """Summary of the training: command, seed, data, commit, scores."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str = ""
    format: int = 1
