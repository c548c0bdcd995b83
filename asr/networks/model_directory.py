"""Reading and writing of model directories.

A model directory holds `model.json` (configuration, training summary, versions), `weights.npz`
(float16 or float32 arrays by variable path, without pickle) and `README.md`, the model card.
"""

from __future__ import annotations

import dataclasses
import json
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
from asr.models import KINDS, find_model, kind_key
from asr.networks.acoustic_config import AcousticConfig
from asr.text.tokenizers import TokenizerConfig

T = TypeVar("T")

LEXICON_FILE = "lexicon.txt.gz"
"""Name of the pronunciations' file, in the directory of a recogniser or a voice."""
CALIBRATION_FILE = "calibration.json"
"""Name of the confidence calibration's file; a calibration is valid for one set of weights only."""
DEFAULTS_FOR_OLDER_MODELS: dict[str, dict[str, Any]] = {
    "": {"acoustic": {"phones": False, "look_ahead": 0}, "tokenizer": {"language": ""}},
    "language": {"tokenizer": {"language": ""}},
    "voice": {"acoustic": {"harmonics": False}, "vocoder": None, "speakers": []},
}
"""Values for keys that older models lack, by the key of `KINDS`: of `model.json` itself, or, where
the value is a dict, of a section that is there."""


@dataclass(frozen=True, config=STRICT)
class RecognizerConfig:
    """The content of a recogniser's `model.json`."""

    name: str
    features: FeatureConfig = Field(default_factory=FeatureConfig)
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig)
    acoustic: AcousticConfig = Field(default_factory=AcousticConfig)
    training: dict[str, Any] = Field(default_factory=dict)
    """Summary of the training: command, seed, data, commit, scores."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str = ""
    format: int = 1


def read_model(model: str | PathLike[str]) -> tuple[Path, RecognizerConfig]:
    """Find a recogniser by shipped name or directory; returns its directory and configuration.

    Raises:
        ModelError, ConfigError: see `Recognizer.load`.
    """
    folder = find_model(model)
    config = read_config(RecognizerConfig, folder)
    return folder, config


def is_voice(folder: Path) -> bool:
    """Whether a model directory holds a voice; False if its `model.json` cannot be read."""
    try:
        values = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and kind_key(values) == "voice"


def read_config(cls: type[T], folder: Path) -> T:
    """Read the `model.json` of a model directory.

    Args:
        cls: class of the configuration, such as `RecognizerConfig`.
        folder: the model directory.

    Raises:
        ModelError: `model.json` cannot be read, or belongs to another kind of model.
        ConfigError: `model.json` has an unknown, missing or invalid key.
    """
    path = folder / "model.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {reason(error)}") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path}: expected one JSON object")
    kind = kind_key(values)
    if kind != kind_key({field.name for field in dataclasses.fields(cls)}):  # type: ignore[arg-type]
        raise ModelError(f"{folder}: this is a {KINDS[kind]}")
    if values.get("format") != 1:
        raise ConfigError(f"{path}: format {values.get('format')} is not known to this version")
    for key, default in DEFAULTS_FOR_OLDER_MODELS.get(kind, {}).items():
        if not isinstance(default, dict):
            values.setdefault(key, default)
        elif isinstance(values.get(key), dict):
            values[key] = {**default, **values[key]}
    return parse(cls, values, str(path), complete=True)


def write_model(folder: Path, config: Any, weights: tuple[bytes, str], card: str) -> None:
    """Write a model directory, and remove a calibration that belonged to other weights.

    Args:
        folder: the model directory.
        config: content of `model.json`; this function fills in `versions` and `weights_sha256`.
        weights: content of the weights file and its SHA-256, from `weights.weights_file`.
        card: content of README.md, in Markdown.
    """
    data, sha256 = weights
    values = {**to_dict(config), "versions": versions(), "weights_sha256": sha256}
    with (
        atomic_write(folder / "model.json") as description,
        atomic_write(folder / "README.md") as readme,
        atomic_write(folder / "weights.npz", binary=True) as arrays,
    ):
        arrays.write(data)
        readme.write(card)
        description.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        # A full disk ends here: no file of an older model has been replaced yet.
        for file in (arrays, readme, description):
            file.flush()
    (folder / CALIBRATION_FILE).unlink(missing_ok=True)
