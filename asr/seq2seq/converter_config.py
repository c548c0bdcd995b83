"""The shape of a converter, and what its model directory says, apart from what computes it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.networks.acoustic_config import Cell
from asr.seq2seq.pairs import Symbols


@dataclass(frozen=True, config=STRICT)
class Seq2SeqConfig:
    """Shape of the network; travels inside every model."""

    kind: Literal["attention", "ctc"] = "attention"
    """A decoder that looks at the encoder by attention, or frames of labels with blanks."""
    cell: Cell = "gru"
    embedding: int = Field(default=96, ge=1)
    encoder_units: int = Field(default=192, ge=1)
    """Of each direction."""
    encoder_layers: int = Field(default=2, ge=1)
    decoder_units: int = Field(default=256, ge=1)
    """Of both decoder layers (kind: attention)."""
    frames: int = Field(default=3, ge=1)
    """Output frames of a source symbol (kind: ctc): no target may need more."""
    dropout: float = Field(default=0.2, ge=0, lt=1)


@dataclass(frozen=True, config=STRICT)
class ConverterConfig:
    """The content of `model.json`."""

    converter: str
    """Its name."""
    source: Symbols
    target: Symbols
    source_symbols: tuple[str, ...]
    target_symbols: tuple[str, ...]
    """Vocabularies, from id `pairs.FIRST` on."""
    longest: int
    """Symbols of the longest target of training: no result gets longer."""
    network: Seq2SeqConfig = Field(default_factory=Seq2SeqConfig)
    training: dict[str, Any] = Field(default_factory=dict)
    """Summary of the run that made the weights: command, seed, data, commit, scores."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str = ""
    format: int = 1
