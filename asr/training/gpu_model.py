"""`model_from_gpu`: a model directory from what `asr.training.torch_training` brings back."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from asr.audio.augmentation import AugmentConfig
from asr.base.config import parse, to_dict
from asr.base.files import atomic_write
from asr.base.provenance import this_command
from asr.errors import ModelError, reason
from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.model_directory import RecognizerConfig
from asr.recognizer import Recognizer
from asr.text.tokenizers import Tokenizer
from asr.training.initial_model import InitialModel
from asr.training.model_card import recognizer_card
from asr.training.train_recognizer import InheritedDecoding, RecognizerExperimentConfig
from asr.training.trainer import HISTORY


def model_from_gpu(pack: Path, result: Path, out: Path) -> Path:
    """Write what `asr train` writes: `model/`, `run.json` and `history.jsonl`.

    Args:
        pack: the file of `write_gpu_pack` that the network was trained on.
        result: the folder of the training in PyTorch, with `result.json` and the weights.
        out: folder of the run.

    Returns:
        The model directory, `out`/model.

    Raises:
        ModelError: a file is missing or damaged, or belongs to another pack or network.
    """
    try:
        data = pack.read_bytes()
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            meta = json.loads(str(arrays["meta"]))
        found = json.loads((result / "result.json").read_text(encoding="utf-8"))
        weights = b"".join((result / name).read_bytes() for name in found["weights"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{pack} and {result}: cannot be read: {reason(error)}") from None
    if hashlib.sha256(data).hexdigest() != found["pack_sha256"]:
        raise ModelError(f"{result}: was trained on another file than {pack}")
    if hashlib.sha256(weights).hexdigest() != found["weights_sha256"]:
        raise ModelError(f"{result}: the weights are damaged: their SHA-256 is not in result.json")
    experiment = parse(RecognizerExperimentConfig, meta["config"], str(pack))
    acoustic = parse(AcousticConfig, found["acoustic"], f"{result}/result.json")
    training = replace(experiment.training, seed=found["seed"], **found["training"])
    augment = parse(AugmentConfig, found["augment"], f"{result}/result.json")
    experiment = replace(experiment, acoustic=acoustic, augment=augment, training=training)
    record = _record(meta["record"], experiment, found)
    config = RecognizerConfig(
        experiment.name, experiment.features, experiment.tokenizer, acoustic, record
    )
    labels = len(Tokenizer(config.tokenizer))
    network = AcousticModel(acoustic, config.features.dimension, labels)
    _assign(network, weights, result)
    model = out / "model"
    Recognizer(config, network).save(model, recognizer_card(config))
    InheritedDecoding.find(experiment, InitialModel.find(experiment.initial_model)).write(model)
    with atomic_write(out / "run.json") as file:
        file.write(json.dumps({k: v for k, v in record.items() if k != "best"}, indent=2) + "\n")
    if (history := result / HISTORY).is_file():
        shutil.copyfile(history, out / HISTORY)
    return model


def _record(
    packed: dict[str, Any], experiment: RecognizerExperimentConfig, found: dict[str, Any]
) -> dict[str, Any]:
    """The training record, with the three commands and what is known of the GPU."""
    return {
        **packed,
        "command": " && ".join([packed["command"], found["command"], this_command()]),
        "seed": found["seed"],
        "started": found["started"],
        "config": to_dict(experiment),
        "data_sha256": {**packed["data_sha256"], "GPU pack": found["pack_sha256"]},
        "gpu": {key: found[key] for key in ("device", "minutes", "hours_heard", "torch")},
        "best": found["best"],
    }


def _assign(network: AcousticModel, weights: bytes, result: Path) -> None:
    with np.load(io.BytesIO(weights), allow_pickle=False) as arrays:
        given = {name: arrays[name] for name in arrays.files}
    variables = network.named_weights()
    if {n: tuple(v.shape) for n, v in variables.items()} != {n: a.shape for n, a in given.items()}:
        raise ModelError(f"{result}: the weights do not fit the network in result.json")
    for name, variable in variables.items():
        variable.assign(given[name].astype(np.float32))
