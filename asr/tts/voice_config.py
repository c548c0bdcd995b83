"""`VoiceConfig`: the content of a voice's `model.json`, read without TensorFlow."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.errors import ModelError
from asr.models import find_model
from asr.networks.acoustic_config import Cell
from asr.networks.model_directory import read_config
from asr.tts.mel import MelConfig
from asr.tts.sentences import SYMBOLS

FRAMES_PER_STEP = 2
"""Mel frames per decoder step. A step (23 ms) is the unit of durations."""
PITCH_POINTS = 2
"""Pitch values per symbol: the means of its first and second half."""
PITCH_BINS = 24
"""Radial basis functions that encode a step's pitch, so that the decoder can place harmonics."""
POSITION_FEATURES = 4
"""Features of a step's position in its symbol."""
SPEAKER_SCALE = 16.0
"""Factor of the speakers' vectors. The steps of the optimiser have one size for all weights, and
vectors of a few minutes of speech must get far in few steps."""
MAX_STEPS = 80
"""Longest duration of a symbol, in steps: about two seconds."""
VOCODER_FILE = "vocoder.npz"
"""Name of the file with a trained vocoder's weights, in the directory of a voice."""


@dataclass(frozen=True, config=STRICT)
class VoiceAcousticConfig:
    """The key `acoustic` of a voice: the shape of its network."""

    embedding: int = Field(default=128, ge=1)
    """Size of a symbol's vector. Default: 128."""
    cell: Cell = "gru"
    """Recurrent cell: rnn, lstm or gru. Default: gru."""
    encoder_units: int = Field(default=128, ge=1)
    """Units per direction of the encoder. Default: 128."""
    encoder_layers: int = Field(default=2, ge=1)
    """Layers of the encoder. Default: 2."""
    predictor_units: int = Field(default=128, ge=1)
    """Hidden units of the predictors of durations and pitch. Default: 128."""
    decoder_units: int = Field(default=256, ge=1)
    """Units per direction of the decoder. Default: 256."""
    decoder_layers: int = Field(default=2, ge=1)
    """Layers of the decoder. Default: 2."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Fraction of activations that training drops, from 0 to below 1. Default: 0.2."""
    harmonics: bool = True
    """Whether the decoder is given the harmonics of the pitch in each band; see `harmonic_bands`.
    Default: true."""


@dataclass(frozen=True, config=STRICT)
class VocoderShape:
    """The shape of a trained vocoder's network; see `SourceFilter`."""

    cell: Cell = "gru"
    """Recurrent cell: rnn, lstm or gru. Default: gru."""
    units: int = Field(default=128, ge=1)
    """Units per direction. Default: 128."""
    layers: int = Field(default=2, ge=1)
    """Number of bidirectional layers. Default: 2."""
    harmonic_bands: int = Field(default=128, ge=2)
    """Points of the harmonics' spectral envelope, evenly on the mel scale. Default: 128."""
    noise_bands: int = Field(default=64, ge=2)
    """Points of the noise's spectral envelope. Default: 64."""

    @property
    def outputs(self) -> int:
        """Values for each frame: the pitch and both envelopes."""
        return 1 + self.harmonic_bands + self.noise_bands


@dataclass(frozen=True, config=STRICT)
class VocoderConfig:
    """The key `vocoder` of a voice's `model.json`."""

    shape: VocoderShape
    """Shape of its network."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Record of its training."""
    weights_sha256: str = ""
    """SHA-256 of `VOCODER_FILE`."""


@dataclass(frozen=True, config=STRICT)
class VoiceConfig:
    """The content of a voice's `model.json`."""

    voice: str
    """Name of the voice."""
    mel: MelConfig = Field(default_factory=MelConfig)
    acoustic: VoiceAcousticConfig = Field(default_factory=VoiceAcousticConfig)
    vocoder: VocoderConfig | None = None
    """Its trained vocoder; None for Griffin-Lim."""
    speakers: tuple[str, ...] = ()
    """Names of the speakers, if it was trained on several. The first speaks by default."""
    symbols: tuple[str, ...] = SYMBOLS
    training: dict[str, Any] = Field(default_factory=dict)
    """Record of the training: command, seed, data, commit, scores."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str = ""
    format: int = 1


class FoundVoice(NamedTuple):
    """A voice, as a command names it.

    Attributes:
        folder: its model directory.
        config: its configuration.
        speaker: place of the speaker in `config.speakers`; 0 if it has one only.
        name: name of the speaker, or of the voice if none was chosen.
    """

    folder: Path
    config: VoiceConfig
    speaker: int
    name: str


def find_voice(voice: str | PathLike[str]) -> FoundVoice:
    """Find a voice by shipped name or directory; a colon and a speaker's name may follow.

    Raises:
        ModelError: there is no such voice, or it has no such speaker.
        ConfigError: its `model.json` has an unknown, missing or impossible key.
    """
    place, colon, speaker = fspath(voice).rpartition(":")
    if not colon or Path(voice).is_dir():
        folder = find_model(voice)
        return FoundVoice(folder, read_config(VoiceConfig, folder), 0, folder.name)
    folder = find_model(place)
    config = read_config(VoiceConfig, folder)
    if speaker not in config.speakers:
        known = ", ".join(config.speakers) or "none, it is the voice of one speaker"
        raise ModelError(f"{folder}: no speaker {speaker!r}; speakers: {known}")
    return FoundVoice(folder, config, config.speakers.index(speaker), speaker)
