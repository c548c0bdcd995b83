"""`train_from_yaml`: train any kind of model from a YAML file. `asr train` calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from asr.audio.features import FeatureConfig
from asr.base.config import parse, read_yaml, to_dict
from asr.base.progress import TrainingProgress
from asr.data.corpora import MAKE_DEV
from asr.errors import ConfigError
from asr.networks.model_directory import read_model
from asr.text.languages import language_code, unquoted_no
from asr.training.config_paths import model_folder
from asr.training.train_converter import ConverterExperimentConfig, train_converter
from asr.training.train_language_model import LanguageExperimentConfig, train_language_model
from asr.training.train_recognizer import RecognizerExperimentConfig, train_recognizer
from asr.training.train_vocoder import VocoderExperimentConfig, train_vocoder
from asr.training.train_voice import VoiceExperimentConfig, train_voice


@dataclass(frozen=True)
class ModelTrainer:
    """How one kind of model is trained.

    Attributes:
        config: class of the YAML file's content, with the attribute `training`.
        train: function of the configuration, the data folder, the run's folder, `max_steps`,
            `progress` and `say`, such as `train_recognizer`; returns the model directory.
    """

    config: type[Any]
    train: Callable[..., Path]


TRAINERS = {
    "converter": ModelTrainer(ConverterExperimentConfig, train_converter),
    "vocoder": ModelTrainer(VocoderExperimentConfig, train_vocoder),  # has the key voice, too
    "voice": ModelTrainer(VoiceExperimentConfig, train_voice),
    "language": ModelTrainer(LanguageExperimentConfig, train_language_model),
    "name": ModelTrainer(RecognizerExperimentConfig, train_recognizer),
}
"""Trainers by the YAML key that tells the kind of model. The key's value names the model."""

RECOGNIZER_KEYS = {field.name for field in fields(RecognizerExperimentConfig)} - {
    field.name for field in fields(LanguageExperimentConfig)
}
"""Keys of a recogniser's YAML file that a language model's has not."""


def train_from_yaml(
    config: Path, data: Path, out: Path | None = None, max_steps: int | None = None
) -> Path:
    """Train the model that a YAML file describes, or continue its training.

    The file's keys tell the kind of model: `converter`, `vocoder`, `voice`, `language`, or
    `name` for a recogniser.

    Args:
        config: the YAML file.
        data: folder that the file names in the configuration are relative to.
        out: folder of the run; default: runs/NAME, with the model's name.
        max_steps: stop after this many batches, so that a later call resumes; default: train to
            the end.

    Returns:
        The model directory of the best epoch so far.

    Raises:
        AsrError: the file, the data, the checkpoint or the training itself is wrong.
    """
    kind, experiment = _read_experiment(config)
    folder = out or _run_folder(kind, experiment)
    with TrainingProgress(experiment.training.epochs) as progress:
        return TRAINERS[kind].train(
            experiment, data, folder, max_steps, progress.update, progress.print_line
        )


def train_in_turn(configs: Sequence[Path], data: Path) -> Iterator[Path]:
    """Train the models of several YAML files, such as those that start from one another.

    Called again after an interruption, it goes on with the training that was interrupted.
    `training.threads` of the first file counts for all, because TensorFlow takes it once.

    Args:
        configs: the YAML files, in the order of training.
        data: see `train_from_yaml`.

    Yields:
        The directory of each model. It is in runs/NAME.

    Raises:
        AsrError: see `train_from_yaml`. All files are read before the first training, and two with
            one name are refused.
    """
    planned: dict[Path, Any] = {}
    for config in configs:
        kind, experiment = _read_experiment(config, planned)
        model = _run_folder(kind, experiment) / "model"
        if model in planned:
            raise ConfigError(f"{config}: {kind}: {model.parent} is an earlier file's, too")
        planned[model] = experiment
    for config in configs:
        yield train_from_yaml(config, data)


def read_recognizer_experiment(config: Path) -> RecognizerExperimentConfig:
    """A recogniser's YAML file, with missing keys taken from `initial_model`.

    Raises:
        ConfigError: the file cannot be read, has a wrong key, or describes another kind of model.
        ModelError: `initial_model` is damaged.
    """
    kind, experiment = _read_experiment(config)
    if not isinstance(experiment, RecognizerExperimentConfig):
        raise ConfigError(f"{config}: describes a {kind}; expected a recogniser, with the key name")
    return experiment


def _run_folder(kind: str, experiment: Any) -> Path:
    """The folder of a run for which none is given: runs/ and the model's name, the value of the
    key `kind`."""
    return Path("runs", getattr(experiment, kind))


def _read_experiment(
    config: Path, planned: Mapping[Path, Any] = MappingProxyType({})
) -> tuple[str, Any]:
    """The kind of model that a YAML file describes, a key of `TRAINERS`, and its configuration.

    Args:
        config: the YAML file.
        planned: configurations of models that will be trained before, by their directories;
            default: none.
    """
    values = read_yaml(config)
    kind = model_kind(values)
    if kind in ("name", "voice", "vocoder"):
        _check_dev_set(values, config)
    if kind == "name":
        values = _with_initial_model(values, planned)
    return kind, parse(TRAINERS[kind].config, values, str(config))


def recognizer_features(config: Path) -> FeatureConfig:
    """The settings of the features in a recogniser's YAML file, those of `initial_model` included.

    Raises:
        ConfigError: the file cannot be read, or its key `features` is wrong.
        ModelError: `initial_model` is damaged.
    """
    values = _with_initial_model(read_yaml(config)).get("features", {})
    if not isinstance(values, dict):
        raise ConfigError(f"{config}: features: expected keys and values")
    return parse(FeatureConfig, values, f"{config}: features")


def model_kind(values: dict[str, Any]) -> str:
    """The key of `TRAINERS` for the content of a YAML file; "name" if the file has none of them.

    `language` names a recurrent language model, but beside a key of recognisers alone it is the
    language of the speech.
    """
    keys = [key for key in TRAINERS if key in values]
    if "language" in keys and not RECOGNIZER_KEYS.isdisjoint(values):
        keys.remove("language")
    return next(iter(keys), "name")


def _check_dev_set(values: dict[str, Any], file: Path) -> None:
    """Raise a `ConfigError` that says what to do if the file names no manifest for the dev set."""
    data = values.get("data")
    if isinstance(data, dict) and data.get("train") and data.get("dev") in (None, []):
        raise ConfigError(
            f"{file}: data.dev: missing key: training chooses the best epoch on a dev set; "
            f"{MAKE_DEV}"
        )


def _with_initial_model(
    values: dict[str, Any], planned: Mapping[Path, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """The content of a recogniser's YAML file, with missing keys taken from `initial_model`.

    Args:
        values: the content.
        planned: see `_read_experiment`.
    """
    initial = values.get("initial_model")
    if not isinstance(initial, str) or not initial:
        return values
    model = planned.get(Path(initial))
    if model is None:
        _, model = read_model(model_folder("initial_model", initial))
    parts = {part: to_dict(getattr(model, part)) for part in ("features", "acoustic")}
    named = str(unquoted_no(values.get("language", "")))
    if named and language_code(named) != model.tokenizer.language:
        # The initial model's letters and English phones are of no use in another language.
        completed, parts["acoustic"]["phones"] = values, False
    else:
        completed = {"tokenizer": to_dict(model.tokenizer)} | values
    completed = dict(completed)
    for part, inherited in parts.items():
        given = values.get(part, {})
        if isinstance(given, dict):
            completed[part] = inherited | given
    return completed
