"""`train_on_ray`: a training on several workers of a Ray cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from asr.base.progress import TrainingProgress
from asr.base.ray_cluster import import_ray, ray_cluster
from asr.errors import AsrError, ConfigError, TrainingError, WorkerLostError
from asr.training.from_yaml import read_recognizer_experiment, train_from_yaml
from asr.training.trainer import HISTORY

OPTION = "--workers"
"""Option of `asr train` that starts this."""
SECONDS = 1.0
"""Seconds between two looks at the finished epochs."""


def train_on_ray(
    config: Path,
    data: Path,
    out: Path | None,
    workers: int,
    max_steps: int | None = None,
    address: str = "auto",
) -> Path:
    """Train the recogniser that a YAML file describes on workers that Ray Train starts.

    Every machine of the cluster must have the three paths. Each worker has one processor, or one
    GPU if the cluster has any. A line for each epoch is printed.

    Args:
        config: the YAML file, with `training.strategy: multi_worker`.
        data: see `train_from_yaml`.
        out: folder of the run, which the machines share; default: see `train_from_yaml`.
        workers: number of workers.
        max_steps: see `train_from_yaml`.
        address: see `ray_cluster`.

    Returns:
        The model directory of the best epoch so far.

    Raises:
        ConfigError: Ray is missing, its cluster cannot be reached or is too small, or the file has
            another strategy or describes no recogniser.
        AsrError: the training ended with an error; the same command resumes it.
    """
    experiment = read_recognizer_experiment(config)
    strategy = experiment.training.strategy
    if strategy != "multi_worker":
        raise ConfigError(
            f"{config}: training.strategy: {strategy}; {OPTION} needs multi_worker, with a "
            "batch_size that is that of all workers together"
        )
    if workers < 1:
        raise ConfigError(f"{OPTION} must be 1 or more, found {workers}")
    ray = import_ray(OPTION)
    with ray_cluster(ray, address):
        from ray.train import RunConfig, ScalingConfig
        from ray.train.tensorflow import TensorflowTrainer

        kind = "GPU" if ray.cluster_resources().get("GPU") else "CPU"
        if (found := int(ray.cluster_resources().get(kind, 0))) < workers:
            raise ConfigError(f"{OPTION} {workers}: the cluster has {found} {kind}s")
        out = out or Path("runs") / experiment.name
        job = [os.path.abspath(path) for path in (config, data, out)]
        trainer = TensorflowTrainer(
            _work,
            train_loop_config={"paths": job, "max_steps": max_steps},
            scaling_config=ScalingConfig(num_workers=workers, use_gpu=kind == "GPU"),
            run_config=RunConfig(name="ray", storage_path=job[2]),
        )
        try:
            with _finished_epochs_shown(out / HISTORY, experiment.training.epochs) as progress:
                progress.print_line(f"{workers} workers start; each finished epoch has a line")
                trainer.fit()
        except Exception as error:  # Ray has several classes for it
            raise _plain(error) from None
    return out / "model"


def _work(job: dict[str, Any]) -> None:
    """What Ray calls in each worker, with TF_CONFIG in the environment."""
    config, data, out = map(Path, job["paths"])
    train_from_yaml(config, data, out, job["max_steps"])


@contextmanager
def _finished_epochs_shown(history: Path, epochs: int) -> Iterator[TrainingProgress]:
    """Print a line for each epoch that the workers finish during the block."""
    known, ended = len(_rows(history)), Event()

    def follow() -> None:
        shown = known
        while True:
            last = ended.wait(SECONDS)
            for row in (rows := _rows(history))[shown:]:
                progress.update(row=row)
            shown = len(rows)
            if last:
                return

    with TrainingProgress(epochs) as progress:
        thread = Thread(target=follow)
        thread.start()
        try:
            yield progress
        finally:
            ended.set()
            thread.join()


def _rows(history: Path) -> list[dict[str, Any]]:
    """The finished epochs. The trainer replaces the file atomically."""
    if not history.exists():
        return []
    return [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]


def _plain(error: Exception) -> AsrError:
    """The error that a worker ended with. Of several, one with a reason of its own."""
    failures = getattr(error, "worker_failures", {})
    # Ray wraps what a worker raised.
    causes = [getattr(failures[rank], "_base_exc", failures[rank]) for rank in sorted(failures)]
    own = [cause for cause in causes if isinstance(cause, AsrError)]
    if own:
        return min(own, key=lambda cause: isinstance(cause, WorkerLostError))
    reason = " ".join(str(causes[0] if causes else error).split())
    return TrainingError(f"a worker ended: {reason}; the same command resumes the training")
