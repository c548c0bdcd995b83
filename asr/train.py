"""`asr train` and the training pipelines: a YAML file says what is trained."""

from __future__ import annotations

from pathlib import Path

from asr.config import load_yaml, read_yaml
from asr.experiment import ExperimentConfig, train_recognizer
from asr.progress import TrainingProgress
from asr.seq2seq.experiment import ConverterExperimentConfig, train_converter
from asr.tts.experiment import VoiceExperimentConfig, train_voice


def train_from(config: Path, data: Path, out: Path | None, max_steps: int | None = None) -> Path:
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
    experiment = load_yaml(ExperimentConfig, config)
    folder = out or Path("runs") / experiment.name
    with TrainingProgress(experiment.training.epochs) as progress:
        return train_recognizer(experiment, data, folder, max_steps, progress.update, progress.say)
