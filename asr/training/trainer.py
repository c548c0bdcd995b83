"""`Trainer`: a training loop with learning rate schedule, weight averaging and exact resume."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.batching import pipeline_errors
from asr.base.config import STRICT
from asr.base.files import atomic_write
from asr.base.interrupts import Stopped, Stopper, stoppable
from asr.base.tensorflow import keras, tf
from asr.errors import ConfigError, TrainingError, WorkerLostError
from asr.training.worker_place import WorkerPlace


@dataclass(frozen=True, config=STRICT)
class TrainingConfig:
    """The key `training` of a YAML file: optimisation."""

    epochs: int = Field(default=45, ge=1)
    """Epochs that the learning rate schedule is laid out for. Default: 45."""
    stop_epoch: int = Field(default=0, ge=0)
    """End the training after this epoch, before the end of the schedule. Default: 0, at the end."""
    batch_size: int = Field(default=16, ge=1)
    """Largest number of items in a batch; with several devices, of all of them together.
    Default: 16."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak learning rate of AdamW (Loshchilov & Hutter, 2019). It rises linearly during warm-up and
    falls to zero along a cosine. Default: 0.002."""
    warmup_epochs: float = Field(default=2.0, ge=0)
    """Length of the warm-up, in epochs. Default: 2."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decoupled weight decay of AdamW; biases and normalisation are exempt. Default: 0.0001."""
    clip_norm: float = Field(default=5.0, gt=0)
    """Largest global gradient norm; larger gradients are scaled down to it. Default: 5."""
    average: float = Field(default=0.999, ge=0, lt=1)
    """Decay per step of the weights' exponential moving average. The averaged weights are evaluated
    and saved. Default: 0.999; 0 turns averaging off."""
    patience: int = Field(default=20, ge=1)
    """Stop after this many epochs without a better dev score. Default: 20."""
    seed: int = 1
    """Seed of the initial weights, the order of batches, augmentation and dropout. Default: 1."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Number format of the layers: float32, mixed_bfloat16 or mixed_float16. Default: float32."""
    strategy: Literal["none", "mirrored", "multi_worker"] = "none"
    """Devices, by tf.distribute: none (one device), mirrored (all local GPUs) or, for recognisers,
    multi_worker (the workers in TF_CONFIG, with one device each). Default: none."""
    threads: int = Field(default=1, ge=0)
    """Threads inside one operation; 0 leaves the number to TensorFlow. With 1, the two directions
    of a layer run in parallel, which is faster on two cores (benchmarks/train_speed.py).
    Default: 1."""


def set_threads(threads: int) -> None:
    """Set the number of threads inside one TensorFlow operation.

    It has no effect after TensorFlow has run its first operation.

    Args:
        threads: the number; 0 leaves it to TensorFlow.
    """
    if threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        except RuntimeError:
            # TensorFlow is running already, as in a notebook. Training is slower but the same.
            return


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The tf.distribute strategy for a value of `TrainingConfig.strategy` but multi_worker."""
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multi_worker":
        raise ConfigError("training.strategy: multi_worker: only recognisers train on workers")
    return tf.distribute.get_strategy()


LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
"""What TensorFlow raises if another worker ends."""


def join_workers() -> tf.distribute.Strategy:
    """The strategy of a worker. Call it before TensorFlow runs its first operation.

    It returns when all workers have called it.

    Raises:
        ConfigError: the worker has several GPUs.
        TrainingError: another worker cannot be reached.
    """
    with lost_workers(None):
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    if len(strategy.extended.worker_devices) > 1:
        raise ConfigError(
            "training.strategy: multi_worker: this worker has several GPUs; start a worker for "
            "each GPU, with its number in CUDA_VISIBLE_DEVICES"
        )
    return strategy


@contextmanager
def lost_workers(checkpoint: Path | None) -> Iterator[None]:
    """Say what to do if another worker ends during the block.

    Args:
        checkpoint: the file from which the training resumes; None if it is not known yet.

    Raises:
        WorkerLostError: another worker cannot be reached any more.
    """
    try:
        yield
    except LOST as error:
        after = "training resumes" if checkpoint is None else f"training resumes from {checkpoint}"
        raise WorkerLostError(
            "another worker has ended or cannot be reached; its own messages say why. Start all "
            f"workers again with the same command: {after} (TensorFlow: {_first_line(error)})"
        ) from None


def _first_line(error: tf.errors.OpError) -> str:
    return (str(error.message).strip().splitlines() or [type(error).__name__])[0]


HISTORY = "history.jsonl"
"""File of a run's folder with the scores of each epoch, a line each."""
CHECKPOINT_SECONDS = 600
"""Seconds between checkpoints within an epoch. After each epoch there is one as well."""


class Trainer:
    """Trains a Keras model on batches that are a function of the epoch.

    Args:
        network: the model, built.
        losses: batch (a dict of tensors with `indices` and `weights`) → loss of each item [batch].
        batches: (epoch, skip) → tf.data of the epoch's batches without the first `skip`.
        steps: number of batches per epoch.
        describe: index of an item → its name in error messages.
        evaluate: called after each epoch, with the averaged weights in the network; returns the
            dev scores. Early stopping watches the score "error".
        keep: called with an epoch's row if it is the best so far, with the averaged weights in the
            network.
        config: optimisation.
        folder: folder of the checkpoint and the history.
        strategy: the tf.distribute strategy that the network was built under.
        fingerprint: digest of configuration and data. A checkpoint with another one is refused.
        place: this worker among all; `batches` gives its part of each batch. Only the chief writes
            files. Default: the only worker.
    """

    def __init__(
        self,
        network: keras.Model,
        losses: Callable[[Mapping[str, tf.Tensor]], tf.Tensor],
        batches: Callable[[int, int], tf.data.Dataset],
        steps: int,
        describe: Callable[[int], str],
        evaluate: Callable[[], dict[str, float]],
        keep: Callable[[dict[str, float]], None],
        config: TrainingConfig,
        folder: Path,
        strategy: tf.distribute.Strategy,
        fingerprint: str,
        place: WorkerPlace = WorkerPlace(),
    ) -> None:
        self.network, self.losses, self.batches = network, losses, batches
        self.steps, self.describe = steps, describe
        self.evaluate, self.keep = evaluate, keep
        self.config, self.folder, self.strategy = config, folder, strategy
        self.fingerprint, self.place = fingerprint, place
        self.epoch, self.step = 0, 0
        """Finished epochs, and finished batches of the current one."""
        self.partial_loss = 0.0
        self.history: list[dict[str, float]] = []
        with strategy.scope():
            self.optimizer = _optimizer(config, steps, strategy.num_replicas_in_sync)
            self.optimizer.build(network.trainable_variables)
            self.averages = [
                tf.Variable(v.value, trainable=False, name="average")
                for v in network.trainable_variables
            ]
        self._train_step: Callable[[Any], Any] | None = None

    def _step(self, batch: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Train on a replica's part of a batch.

        Returns:
            The loss of each item, and the weighted sum of the losses of all workers.
        """
        with tf.GradientTape() as tape:
            losses = self.losses(batch)
            total = tf.reduce_sum(losses * batch["weights"])
            scaled = self.optimizer.scale_loss(total)
        variables = self.network.trainable_variables
        gradients = tape.gradient(scaled, [v.value for v in variables])
        # Keras clips each replica's gradients before it adds them up. Each replica gets the mean
        # here, and `_optimizer` divides the limit by the replicas, so that the sum is what clipping
        # the summed gradients would give.
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        self.optimizer.apply(gradients, variables)
        # The decay grows with the steps: an early average would remember the random start.
        done = tf.cast(self.optimizer.iterations.value, tf.float32)
        decay = tf.minimum(self.config.average, (1.0 + done) / (10.0 + done))
        for average, variable in zip(self.averages, variables, strict=True):
            average.assign(decay * average + (1.0 - decay) * variable.value)
        if self.place.count > 1:
            total = context.all_reduce(tf.distribute.ReduceOp.SUM, total)
        return losses, total

    def _filled(self, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The batch with its first item repeated, at weight 0, until all replicas get equally many.

        CTC and convolutions fail on a replica without items.
        """
        missing = -tf.shape(batch["weights"])[0] % self.strategy.num_replicas_in_sync
        filled = {
            key: tf.concat([value, tf.repeat(value[:1], missing, axis=0)], axis=0)
            for key, value in batch.items()
        }
        return {**filled, "weights": tf.concat([batch["weights"], tf.zeros([missing])], axis=0)}

    def _distributed_step(self, batch: Any) -> Any:
        return self.strategy.run(self._step, args=(batch,))

    def _graph(self, dataset: tf.data.Dataset) -> Callable[[Any], Any]:
        """The step as a graph for all batches of the dataset, whatever their lengths.

        Keras and TensorFlow would make one for the first batch, and a second one for all others.
        """
        if self.config.strategy != "mirrored":
            return tf.function(self._distributed_step, input_signature=[dataset.element_spec])
        return tf.function(self._distributed_step, reduce_retracing=True)

    def run(
        self, max_steps: int | None = None, progress: Callable[..., None] | None = None
    ) -> None:
        """Train to the last epoch, until patience runs out, or for `max_steps` batches.

        Args:
            max_steps: batches after which to stop; default: no limit.
            progress: called after each batch with the keywords step, steps, loss and epoch, and
                after each epoch with the keyword row.

        Raises:
            TrainingError: a loss is not finite; the message names the batch's files. Or another
                worker has ended.
            Stopped: Ctrl-C or SIGTERM; between two batches, a checkpoint is written first.
        """
        guard = nullcontext() if self.place.count == 1 else lost_workers(self.checkpoint)
        with guard, pipeline_errors():
            self._run(max_steps, progress)

    def _run(self, max_steps: int | None, progress: Callable[..., None] | None) -> None:
        last = self.config.stop_epoch or self.config.epochs
        while self.epoch < last and not self.exhausted:
            started = saved = time.monotonic()
            dataset = self.batches(self.epoch, self.step)
            step = self._train_step = self._train_step or self._graph(dataset)
            batches: Iterable[Any] = dataset
            if self.config.strategy == "mirrored":
                batches = self.strategy.experimental_distribute_dataset(dataset.map(self._filled))
            with self._saved_if_stopped() as stopper:
                for batch in batches:
                    with stopper.hold():  # a signal waits for the end of the batch
                        self.partial_loss += self._loss_of(batch, step)
                        self.step += 1
                        if progress:
                            loss = self.partial_loss / self.step
                            progress(step=self.step, steps=self.steps, epoch=self.epoch, loss=loss)
                    if time.monotonic() - saved > CHECKPOINT_SECONDS:
                        self.save()
                        saved = time.monotonic()
                    if max_steps is not None and (max_steps := max_steps - 1) == 0:
                        return
            row = self._end_epoch(time.monotonic() - started)
            if progress:
                progress(row=row)

    @contextmanager
    def _saved_if_stopped(self) -> Iterator[Stopper]:
        """Write a checkpoint if a signal ends the block, which must hold signals inside a batch."""
        try:
            with stoppable() as stopper:
                yield stopper
        except Stopped:
            self.save()
            raise

    @property
    def exhausted(self) -> bool:
        """Whether the patience has run out."""
        return out_of_patience([row["error"] for row in self.history], self.config.patience)

    def _loss_of(self, batch: Any, step: Callable[[Any], Any]) -> float:
        """Train on a batch and return its mean loss."""
        results, totals = (self.strategy.experimental_local_results(r) for r in step(batch))
        losses = np.concatenate([r.numpy() for r in results])
        if not np.isfinite(losses).all():
            parts = self.strategy.experimental_local_results(batch["indices"])
            indices = np.concatenate([p.numpy() for p in parts])
            names = [self.describe(int(i)) for i in indices[~np.isfinite(losses)]]
            raise TrainingError(
                f"epoch {self.epoch + 1}, batch {self.step + 1}: the loss is not finite for "
                + ", ".join(names)
                + "; the last checkpoint is intact. Check these files, or lower learning_rate."
            )
        if self.place.count == 1:
            return float(losses.mean())
        if not np.isfinite(loss := float(totals[0].numpy())):
            raise TrainingError(
                f"epoch {self.epoch + 1}, batch {self.step + 1}: the loss is not finite on another "
                "worker, whose message names the files; the last checkpoint is intact"
            )
        return loss

    def _end_epoch(self, seconds: float) -> dict[str, float]:
        loss = self.partial_loss / max(self.step, 1)
        self.epoch, self.step, self.partial_loss = self.epoch + 1, 0, 0.0
        current = [v.numpy() for v in self.network.trainable_variables]
        self.use_averages()
        scores = self.evaluate()
        if self.place.count > 1:
            # All workers must agree on when patience runs out, also if their processors differ.
            values = self._sums([scores[key] for key in sorted(scores)], only_chief=True)
            scores = dict(zip(sorted(scores), values, strict=True))
        row = {
            "epoch": self.epoch,
            "loss": loss,
            "learning_rate": float(np.asarray(self.optimizer.learning_rate)),
            "seconds": seconds,
            **scores,
        }
        self.history.append(row)
        if self.place.is_chief and row["error"] <= min(r["error"] for r in self.history):
            self.keep(row)
        for variable, value in zip(self.network.trainable_variables, current, strict=True):
            variable.assign(value)
        self.save()
        if self.place.is_chief:
            with atomic_write(self.folder / HISTORY) as file:
                file.writelines(json.dumps(r) + "\n" for r in self.history)
        return row

    def _sums(self, values: Sequence[float], only_chief: bool = False) -> list[float]:
        """Sums over all workers, or the values of the chief. All workers must call it.

        It returns when all workers have called it.
        """
        mine = np.array(values, np.float64)
        if only_chief and not self.place.is_chief:
            mine = np.zeros_like(mine)

        added = self._add_over_workers(tf.constant(mine))
        (sums,) = self.strategy.experimental_local_results(added)
        return [float(value) for value in sums.numpy()]

    @cached_property
    def _add_over_workers(self) -> Callable[[tf.Tensor], Any]:
        def add(x: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # An argument has no device, which all_reduce needs; an operation has.
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(x))

        return tf.function(
            lambda x: self.strategy.run(add, args=(x,)),
            input_signature=[tf.TensorSpec([None], tf.float64)],
        )

    def wait_for_workers(self) -> None:
        """Return when all workers have called it. A worker that ends early stops the others."""
        if self.place.count > 1:
            with lost_workers(self.checkpoint):
                self._sums([1.0])

    def use_averages(self) -> None:
        """Assign the averaged weights to the network."""
        for variable, average in zip(self.network.trainable_variables, self.averages, strict=True):
            variable.assign(average)

    def _state(self) -> list[Any]:
        # `variables` of the network include the dropout generators' seeds.
        return [*self.network.variables, *self.optimizer.variables, *self.averages]

    def save(self) -> None:
        """Write the checkpoint, atomically: everything that the next step depends on.

        With several workers, only the chief writes it.
        """
        if not self.place.is_chief:
            return
        position = {
            "epoch": self.epoch,
            "step": self.step,
            "partial_loss": self.partial_loss,
            "history": self.history,
            "fingerprint": self.fingerprint,
        }
        buffer = io.BytesIO()
        np.savez(buffer, *[v.numpy() for v in self._state()], position=json.dumps(position))
        with atomic_write(self.checkpoint, binary=True) as file:
            file.write(buffer.getvalue())

    def resume(self) -> bool:
        """Continue from the checkpoint; False if there is none.

        Raises:
            ConfigError: the checkpoint was made with another configuration or other data.
            TrainingError: the workers have not the same checkpoint.
        """
        found = self._load()
        if self.place.count > 1:
            digest = int(self.fingerprint[:12], 16)  # exact in 64-bit floats
            mine = [float(self.epoch), float(self.step), float(digest)]
            with lost_workers(None):
                chief = self._sums(mine, only_chief=True)
                equal = self._sums([float(chief == mine)])
            if equal != [self.place.count]:
                raise TrainingError(
                    f"{self.checkpoint}: the workers have other checkpoints, data or "
                    "configurations; all need the same files, and --out in a folder that they share"
                )
        return found

    @property
    def checkpoint(self) -> Path:
        """The file that `save` writes."""
        return self.folder / "checkpoint.npz"

    def _load(self) -> bool:
        """Read the checkpoint; False if there is none."""
        path = self.checkpoint
        if not path.is_file():
            return False
        with np.load(path, allow_pickle=False) as arrays:
            position = json.loads(str(arrays["position"]))
            if position["fingerprint"] != self.fingerprint:
                raise ConfigError(
                    f"{path}: was made with another configuration, other data or another version "
                    "of asr; choose another --out, or restore them"
                )
            for i, variable in enumerate(self._state()):
                variable.assign(arrays[f"arr_{i}"])
        self.epoch, self.step = position["epoch"], position["step"]
        self.partial_loss, self.history = position["partial_loss"], position["history"]
        return True


def out_of_patience(errors: Sequence[float], patience: int) -> bool:
    """Whether the first lowest of the epochs' errors is `patience` or more epochs ago."""
    return bool(errors) and len(errors) - 1 - int(np.argmin(errors)) >= patience


def _optimizer(config: TrainingConfig, steps: int, replicas: int) -> keras.optimizers.Optimizer:
    warmup = max(1, round(config.warmup_epochs * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, config.epochs * steps - warmup),
        warmup_target=config.learning_rate,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=config.weight_decay, global_clipnorm=config.clip_norm / replicas
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if config.precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
