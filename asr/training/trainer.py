"""`Trainer`: gradient steps with schedule, averaging, atomic checkpoints and exact resume."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.base.files import atomic_write
from asr.base.tensorflow import keras, tf
from asr.errors import ConfigError, TrainingError


@dataclass(frozen=True, config=STRICT)
class TrainingConfig:
    """How weights are found."""

    epochs: int = Field(default=45, ge=1)
    stop_epoch: int = Field(default=0, ge=0)
    """End after so many epochs though the schedule is laid out for more; 0: at its end."""
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak of AdamW's rate (Loshchilov & Hutter, 2019): linear warm-up, then cosine to zero."""
    warmup_epochs: float = Field(default=2.0, ge=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    clip_norm: float = Field(default=5.0, gt=0)
    """Largest global gradient norm."""
    average: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the weights' exponential moving average, which is what is evaluated and saved."""
    patience: int = Field(default=20, ge=1)
    """Epochs without a better dev WER after which training stops."""
    seed: int = 1
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    strategy: Literal["none", "mirrored", "multi_worker"] = "none"
    """tf.distribute: all local GPUs, or those of the workers that TF_CONFIG names."""
    threads: int = Field(default=1, ge=0)
    """Threads inside one operation; 0 leaves it to TensorFlow. With 1, the two directions of a
    layer run beside each other, which is faster on two cores (benchmarks/train_speed.py)."""


def set_threads(threads: int) -> None:
    """Must be called before TensorFlow has run anything; later it changes nothing."""
    if threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        except RuntimeError:
            # TensorFlow is running already, as in a notebook: slower, otherwise the same.
            return


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The tf.distribute strategy of that name."""
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


CHECKPOINT_SECONDS = 600
"""Within an epoch a checkpoint is written this often; after each epoch in any case."""


class Trainer:
    """Trains a Keras model on batches that are a function of the epoch.

    Args:
        network: the model; built.
        losses: batch (a dict of tensors with `indices` and `weights`) → loss of each item [batch].
        batches: (epoch, skip) → tf.data of the epoch's batches from number `skip` on.
        steps: batches an epoch.
        describe: index of an item → its name, for error messages.
        evaluate: called after each epoch with averaged weights in place → scores; `error` is the
            one that early stopping watches.
        keep: called with an epoch's row when it is the best so far, averaged weights in place.
        folder: where checkpoint and history go.
        strategy: the tf.distribute strategy the network was built under.
        fingerprint: what must be the same for a resumed run (configuration, data).
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
    ) -> None:
        self.network, self.losses, self.batches = network, losses, batches
        self.steps, self.describe = steps, describe
        self.evaluate, self.keep = evaluate, keep
        self.config, self.folder, self.strategy = config, folder, strategy
        self.fingerprint = fingerprint
        self.epoch, self.step = 0, 0
        """Epochs finished, and batches done of the next one."""
        self.partial_loss = 0.0
        self.history: list[dict[str, float]] = []
        with strategy.scope():
            self.optimizer = _optimizer(config, steps, strategy.num_replicas_in_sync)
            self.optimizer.build(network.trainable_variables)
            self.averages = [
                tf.Variable(v.value, trainable=False, name="average")
                for v in network.trainable_variables
            ]
        self._train_step = tf.function(self._distributed_step, reduce_retracing=True)

    def _step(self, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            losses = self.losses(batch)
            total = tf.reduce_sum(losses * batch["weights"])
            scaled = self.optimizer.scale_loss(total)
        variables = self.network.trainable_variables
        gradients = tape.gradient(scaled, [v.value for v in variables])
        # Keras clips before it adds up the replicas' gradients. Given each the mean of all, and a
        # limit as much smaller, they add up to the clipped sum.
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        self.optimizer.apply(gradients, variables)
        # Young averages would remember the random start: let the decay grow with the steps.
        done = tf.cast(self.optimizer.iterations.value, tf.float32)
        decay = tf.minimum(self.config.average, (1.0 + done) / (10.0 + done))
        for average, variable in zip(self.averages, variables, strict=True):
            average.assign(decay * average + (1.0 - decay) * variable.value)
        return losses

    def _filled(self, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Repeat the first item, without weight, until every replica gets as many: none is idle,
        which CTC and convolutions cannot be."""
        missing = -tf.shape(batch["weights"])[0] % self.strategy.num_replicas_in_sync
        filled = {
            key: tf.concat([value, tf.repeat(value[:1], missing, axis=0)], axis=0)
            for key, value in batch.items()
        }
        return {**filled, "weights": tf.concat([batch["weights"], tf.zeros([missing])], axis=0)}

    def _distributed_step(self, batch: Any) -> Any:
        return self.strategy.run(self._step, args=(batch,))

    def run(
        self, max_steps: int | None = None, progress: Callable[..., None] | None = None
    ) -> None:
        """Train to the last epoch, until patience ends, or for `max_steps` more batches.

        `progress` is called after each batch with keywords step, steps, loss and epoch, and after
        each epoch with keyword row.

        Raises:
            TrainingError: a loss that is not finite; the batch's files are named.
        """
        last = self.config.stop_epoch or self.config.epochs
        while self.epoch < last and not self.exhausted:
            started = saved = time.monotonic()
            dataset = self.batches(self.epoch, self.step)
            batches: Iterable[Any] = dataset
            if self.config.strategy != "none":
                batches = self.strategy.experimental_distribute_dataset(dataset.map(self._filled))
            for batch in batches:
                losses = self._losses_of(batch)
                self.partial_loss += float(losses.mean())
                self.step += 1
                if progress:
                    progress(
                        step=self.step, steps=self.steps, epoch=self.epoch,
                        loss=self.partial_loss / self.step,
                    )  # fmt: skip
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    self.save()
                    saved = time.monotonic()
                if max_steps is not None and (max_steps := max_steps - 1) == 0:
                    return
            row = self._end_epoch(time.monotonic() - started)
            if progress:
                progress(row=row)

    @property
    def exhausted(self) -> bool:
        """Whether `patience` epochs have passed without a better error."""
        errors = [row["error"] for row in self.history]
        return bool(errors) and len(errors) - 1 - int(np.argmin(errors)) >= self.config.patience

    def _losses_of(self, batch: Any) -> np.ndarray:
        results = self.strategy.experimental_local_results(self._train_step(batch))
        losses = np.concatenate([r.numpy() for r in results])
        if not np.isfinite(losses).all():
            parts = self.strategy.experimental_local_results(batch["indices"])
            indices = np.concatenate([p.numpy() for p in parts])
            names = [self.describe(int(i)) for i in indices[~np.isfinite(losses)]]
            raise TrainingError(
                f"epoch {self.epoch + 1}, batch {self.step + 1}: the loss is not finite for "
                + ", ".join(names)
                + "; the last checkpoint is as it was. Look at these files, or lower learning_rate."
            )
        return losses

    def _end_epoch(self, seconds: float) -> dict[str, float]:
        loss = self.partial_loss / max(self.step, 1)
        self.epoch, self.step, self.partial_loss = self.epoch + 1, 0, 0.0
        current = [v.numpy() for v in self.network.trainable_variables]
        self.use_averages()
        scores = self.evaluate()
        row = {
            "epoch": self.epoch,
            "loss": loss,
            "learning_rate": float(np.asarray(self.optimizer.learning_rate)),
            "seconds": seconds,
            **scores,
        }
        self.history.append(row)
        if row["error"] <= min(r["error"] for r in self.history):
            self.keep(row)
        for variable, value in zip(self.network.trainable_variables, current, strict=True):
            variable.assign(value)
        self.save()
        with atomic_write(self.folder / "history.jsonl") as file:
            file.writelines(json.dumps(r) + "\n" for r in self.history)
        return row

    def use_averages(self) -> None:
        """Put the averaged weights into the network."""
        for variable, average in zip(self.network.trainable_variables, self.averages, strict=True):
            variable.assign(average)

    def _state(self) -> list[Any]:
        # `variables` of the network include the dropout generators' seeds.
        return [*self.network.variables, *self.optimizer.variables, *self.averages]

    def save(self) -> None:
        """Write the checkpoint: all that the next step depends on, in one file, atomically."""
        position = {
            "epoch": self.epoch,
            "step": self.step,
            "partial_loss": self.partial_loss,
            "history": self.history,
            "fingerprint": self.fingerprint,
        }
        buffer = io.BytesIO()
        np.savez(buffer, *[v.numpy() for v in self._state()], position=json.dumps(position))
        with atomic_write(self.folder / "checkpoint.npz", binary=True) as file:
            file.write(buffer.getvalue())

    def resume(self) -> bool:
        """Go on from the checkpoint; False if there is none.

        Raises:
            ConfigError: the checkpoint belongs to another configuration or other data.
        """
        path = self.folder / "checkpoint.npz"
        if not path.is_file():
            return False
        with np.load(path, allow_pickle=False) as arrays:
            position = json.loads(str(arrays["position"]))
            if position["fingerprint"] != self.fingerprint:
                raise ConfigError(
                    f"{path}: was made with another configuration or other data, resuming it "
                    "would mix two runs; take another --out, or restore what was changed"
                )
            for i, variable in enumerate(self._state()):
                variable.assign(arrays[f"arr_{i}"])
        self.epoch, self.step = position["epoch"], position["step"]
        self.partial_loss, self.history = position["partial_loss"], position["history"]
        return True


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
