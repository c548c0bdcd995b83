"""`TrainingRun`: one training, from the data set and network to a folder with model and record."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from asr.base.config import to_dict
from asr.base.files import atomic_write
from asr.base.provenance import environment, git_commit, this_command
from asr.base.tensorflow import keras, tensorflow_writes, tf
from asr.data.packs.pack_index import file_sha256
from asr.evaluation import plots
from asr.training.trainer import Trainer, TrainingConfig, set_threads
from asr.training.worker_place import WorkerPlace


class TrainingDataset(Protocol):
    """A data set that makes the batches of any epoch, such as `SpeechDataset`."""

    @property
    def skipped(self) -> Sequence[str]:
        """One message for each item that cannot be trained on."""

    def __len__(self) -> int:
        """Number of items that are trained on."""

    def describe(self, index: int) -> str:
        """Name of an item in error messages."""

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Item indices of each batch of an epoch."""

    def tf_dataset(self, epoch: int, batch_size: int, skip: int = 0) -> tf.data.Dataset:
        """The batches of an epoch, without the first `skip`."""


@dataclass(frozen=True)
class TrainingRun:
    """Everything a training needs; `train` runs it.

    Attributes:
        config: the experiment's configuration. It has the attributes `data`, with the file names
            `train` and `dev`, and `training`, a `TrainingConfig`.
        data: folder that the file names in `config.data` are relative to.
        out: folder of the run.
        dataset: makes the batches.
        hours: hours of speech in an epoch; None for data that is not speech.
        content: SHA-256 digests of the prepared data by name. A resumed run must have the same.
        network: the Keras model, built.
        losses: a batch (dict of tensors) → the loss of each item, float32 [batch].
        dev_scores: scores of the network on the dev set; "error" is what early stopping watches.
        save: writes the model. Its argument is the training record for `model.json`.
        strategy: the tf.distribute strategy that the network was built under.
        teachers: utterances and hours whose texts a model wrote, by the name of the model; see
            `asr.data.manifest.count_by_teacher`. Default: none.
        place: this worker among all workers of the training; `dataset` gives its part of each
            batch. Default: the only worker.
    """

    config: Any
    data: Path
    out: Path
    dataset: TrainingDataset
    hours: float | None
    content: Mapping[str, str]
    network: keras.Model
    losses: Callable[[Mapping[str, tf.Tensor]], tf.Tensor]
    dev_scores: Callable[[], dict[str, float]]
    save: Callable[[dict[str, Any]], None]
    strategy: tf.distribute.Strategy
    teachers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    place: WorkerPlace = WorkerPlace()

    def train(
        self,
        max_steps: int | None = None,
        progress: Callable[..., None] | None = None,
        say: Callable[[str], None] = print,
    ) -> Path:
        """Train, or continue the training that `out` holds.

        `out` gets `checkpoint.npz`, `history.jsonl`, `run.json` (the record), `curves.png`,
        `tensorboard/`, and the files that `save` writes.

        Args:
            max_steps: stop after this many batches, so that a later call resumes; default: train
                to the end.
            progress: see `Trainer.run`.
            say: receives messages for the user, such as the place where a run is resumed.

        Returns:
            The model directory of the best epoch so far, `out`/model.

        Raises:
            ConfigError: `out` holds a run with another configuration or other data.
            TrainingError: the loss is not finite, or another worker has ended.
        """
        training = self.config.training
        hashes = hash_data(self.config, self.data, self.content)
        fingerprint = json.dumps([to_dict(self.config), hashes], sort_keys=True)
        trainer = Trainer(
            network=self.network,
            losses=self.losses,
            batches=lambda epoch, skip: self.dataset.tf_dataset(epoch, training.batch_size, skip),
            steps=len(self.dataset.plan(0, training.batch_size)),
            describe=self.dataset.describe,
            evaluate=self.dev_scores,
            keep=lambda row: self.save({**record, "best": row}),
            config=training,
            folder=self.out,
            strategy=self.strategy,
            fingerprint=hashlib.sha256(fingerprint.encode()).hexdigest(),
            place=self.place,
        )
        self.out.mkdir(parents=True, exist_ok=True)
        if trainer.resume():
            say(f"resumed at epoch {trainer.epoch + 1}, batch {trainer.step + 1}")
        record = training_record(
            self.config, hashes, self.dataset, self.hours, self.teachers, self.place.count
        )
        if not self.place.is_chief:
            trainer.run(max_steps)
            trainer.wait_for_workers()
            return self.out / "model"
        with atomic_write(self.out / "run.json") as file:
            file.write(json.dumps(record, indent=2) + "\n")
        curves = self.out / "tensorboard"
        with tensorflow_writes(curves):
            board = tf.summary.create_file_writer(str(curves))

        def watch(**event: Any) -> None:
            if "row" in event:
                row = event["row"]
                if self.hours is not None:
                    row["x_realtime"] = self.hours * 3600 / max(row["seconds"], 1e-9)
                with tensorflow_writes(curves), board.as_default(step=int(row["epoch"])):
                    for key, value in row.items():
                        tf.summary.scalar(key, value)
                plots.training_curves(self.out / "curves.png", trainer.history)
            if progress:
                progress(**event)

        trainer.run(max_steps, watch)
        if trainer.step:
            trainer.save()
        trainer.wait_for_workers()
        return self.out / "model"


def hash_data(config: Any, data: Path, content: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 of each manifest or pack by its name, and `content`; see `TrainingRun`."""
    names = (*config.data.train, *config.data.dev)
    return {**{name: file_sha256(data / name) for name in names}, **content}


def training_record(
    config: Any,
    hashes: Mapping[str, str],
    dataset: TrainingDataset,
    hours: float | None,
    teachers: Mapping[str, Mapping[str, float]],
    workers: int = 1,
) -> dict[str, Any]:
    """The training record: `run.json`, and the key `training` of the model's `model.json`.

    Args:
        config, dataset, hours, teachers: see `TrainingRun`.
        hashes: see `hash_data`.
        workers: number of workers of the training. Default: 1.
    """
    items: dict[str, Any] = {"train_items": len(dataset)}
    if hours is not None:
        items = {"train_utterances": len(dataset), "train_hours": hours}
    if teachers:
        items["teachers"] = dict(teachers)
    return {
        "command": this_command(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": git_commit(),
        "seed": config.training.seed,
        "config": to_dict(config),
        "workers": workers,
        "data_sha256": dict(hashes),
        **items,
        "left_out": list(dataset.skipped),
        "environment": {
            **environment(),
            "gpus": len(tf.config.list_physical_devices("GPU")),
        },
    }


def prepare_process(training: TrainingConfig) -> None:
    """Set TensorFlow's threads and the seed of every random generator.

    Call it before the process runs any TensorFlow operation: `set_threads` has no effect later.
    """
    set_threads(training.threads)
    random.seed(training.seed)
    keras.utils.set_random_seed(training.seed)
