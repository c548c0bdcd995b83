"""Model directories: what is in them, read and written.

`model.json` (all configuration, training summary, versions), `weights.npz` (float16 or float32
arrays by variable path, no pickle) and the card, `README.md`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.audio.features import FeatureConfig
from asr.base.config import STRICT, parse, to_dict
from asr.base.files import atomic_write
from asr.base.provenance import versions
from asr.errors import ConfigError, ModelError, reason
from asr.models import find_model
from asr.networks.acoustic_config import AcousticConfig
from asr.text.tokenizers import TokenizerConfig

T = TypeVar("T")

CALIBRATION_FILE = "calibration.json"
"""Confidence calibration, beside the weights that it was fitted for."""
KINDS = {
    "": "recogniser, for asr transcribe",
    "voice": "voice, for asr speak",
    "language": "recurrent language model, for --rnn-lm",
    "converter": "converter, such as from spelling to phones",
}
"""What model directories hold, by the key that only this kind of configuration has."""
LATER = {"acoustic": {"phones": False}}
"""Keys that models made before them lack, and what these were made with."""


@dataclass(frozen=True, config=STRICT)
class RecognizerConfig:
    """The content of `model.json`."""

    name: str
    features: FeatureConfig = Field(default_factory=FeatureConfig)
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig)
    acoustic: AcousticConfig = Field(default_factory=AcousticConfig)
    training: dict[str, Any] = Field(default_factory=dict)
    """Summary of the run that made the weights: command, seed, data, commit, scores."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str = ""
    format: int = 1


def read_model(model: str | PathLike[str]) -> tuple[Path, RecognizerConfig]:
    """The directory of a recogniser given by shipped name or path, and its `model.json`.

    Raises:
        ModelError, ConfigError: see `Recognizer.load`.
    """
    folder = find_model(model)
    config = read_config(RecognizerConfig, folder)
    return folder, config


def is_voice(folder: Path) -> bool:
    """Whether a model directory is a voice's; what cannot be read is not."""
    try:
        values = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and _kind(values) == "voice"


def _kind(keys: Collection[str]) -> str:
    """The key that says what a model directory holds; "" for a recogniser's."""
    return next((key for key in KINDS if key and key in keys), "")


def read_config(cls: type[T], folder: Path) -> T:
    """The `model.json` of a recogniser (RecognizerConfig), or of another kind of model, whose
    configuration has its name under a key of its own (`KINDS`).

    Raises:
        ModelError: it cannot be read, or is of the other kind.
        ConfigError: it has an unknown, missing or impossible key.
    """
    path = folder / "model.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {reason(error)}") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path}: expected one JSON object")
    kind = _kind(values)
    if kind != _kind({field.name for field in dataclasses.fields(cls)}):  # type: ignore[arg-type]
        raise ModelError(f"{folder}: this is a {KINDS[kind]}")
    if values.get("format") != 1:
        raise ConfigError(f"{path}: format {values.get('format')} is not known to this version")
    if cls is RecognizerConfig:
        for key, defaults in LATER.items():
            if isinstance(values.get(key), dict):
                values[key] = {**defaults, **values[key]}
    return parse(cls, values, str(path), complete=True)


def write_model(folder: Path, config: Any, weights: tuple[bytes, str], card: str) -> None:
    """Write a model directory with `weights.weights_file`; versions are filled in."""
    data, sha256 = weights
    values = {**to_dict(config), "versions": versions(), "weights_sha256": sha256}
    (folder / CALIBRATION_FILE).unlink(missing_ok=True)  # it was for other weights
    with atomic_write(folder / "weights.npz", binary=True) as file:
        file.write(data)
    with atomic_write(folder / "README.md") as file:
        file.write(card)
    with atomic_write(folder / "model.json") as file:
        file.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
