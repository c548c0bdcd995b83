"""`asr train` and the training pipelines: a YAML file says what is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asr.base.config import load_yaml, parse, read_yaml, to_dict
from asr.base.progress import TrainingProgress
from asr.networks.model_directory import read_model
from asr.training.train_converter import ConverterExperimentConfig, train_converter
from asr.training.train_recognizer import ExperimentConfig, train_recognizer
from asr.training.train_voice import VoiceExperimentConfig, train_voice


def train_from_yaml(
    config: Path, data: Path, out: Path | None, max_steps: int | None = None
) -> Path:
    """Train the voice of a file with a key `voice`, the converter of one with a key `converter`,
    the recogniser of any other; the model's directory.

    Args:
        out: default: runs/NAME.

    Raises:
        AsrError: see `train_recognizer`, `train_voice` and `train_converter`.
    """
    keys = read_yaml(config)
    if "converter" in keys:
        converter = load_yaml(ConverterExperimentConfig, config)
        folder = out or Path("runs") / converter.converter
        with TrainingProgress(converter.training.epochs) as progress:
            return train_converter(
                converter, data, folder, max_steps, progress.update, progress.say
            )
    if "voice" in keys:
        voice = load_yaml(VoiceExperimentConfig, config)
        folder = out or Path("runs") / voice.voice
        with TrainingProgress(voice.training.epochs) as progress:
            return train_voice(voice, data, folder, max_steps, progress.update, progress.say)
    experiment = parse(ExperimentConfig, _with_initial_model(keys), str(config))
    folder = out or Path("runs") / experiment.name
    with TrainingProgress(experiment.training.epochs) as progress:
        return train_recognizer(experiment, data, folder, max_steps, progress.update, progress.say)


def _with_initial_model(keys: dict[str, Any]) -> dict[str, Any]:
    """A recogniser that starts from another one hears, spells and is shaped as that one, unless its
    file says otherwise."""
    start = keys.get("initial_model")
    if not isinstance(start, str) or not start:
        return keys
    _, model = read_model(start)
    found = {"tokenizer": to_dict(model.tokenizer)} | keys
    for part in ("features", "acoustic"):
        given = keys.get(part, {})
        if isinstance(given, dict):
            found[part] = to_dict(getattr(model, part)) | given
    return found
