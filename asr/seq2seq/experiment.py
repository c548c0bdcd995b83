"""`train_converter`: one YAML file and files of pairs in, a converter's directory out."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf
import yaml
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr import ctc, plots
from asr.config import STRICT, to_dict
from asr.errors import ConfigError
from asr.experiment import prepare_run
from asr.files import atomic_write
from asr.model_directory import write_model
from asr.record import environment, git_commit, this_command
from asr.seq2seq.architecture import ConverterConfig, Seq2SeqConfig
from asr.seq2seq.dataset import PairDataset
from asr.seq2seq.network import Network, make_network
from asr.seq2seq.pairs import Pair, Symbols, Vocabulary, read_pairs, symbols
from asr.training import Trainer, TrainingConfig, make_strategy
from asr.weights import weights_file


@dataclass(frozen=True, config=STRICT)
class PairDataConfig:
    """Files of pairs (`asr.seq2seq.pairs`), relative to the data folder of the command line."""

    train: tuple[str, ...] = Field(min_length=1)
    dev: tuple[str, ...] = Field(min_length=1)
    source: Symbols = "characters"
    target: Symbols = "characters"
    hidden: float = Field(default=0.0, ge=0, lt=1)
    """Share of source symbols that training makes unknown; see `PairDataset`."""


@dataclass(frozen=True, config=STRICT)
class ConverterExperimentConfig:
    """A file of pipelines/configs for a converter: known by its key `converter`."""

    converter: str
    data: PairDataConfig
    network: Seq2SeqConfig = Field(default_factory=Seq2SeqConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)

    def __post_init__(self) -> None:
        if self.training.precision != "float32":
            raise ConfigError("training.precision: a converter is trained in float32")


def train_converter(
    config: ConverterExperimentConfig,
    data: Path,
    out: Path,
    max_steps: int | None = None,
    progress: Callable[..., None] | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train, resuming what `out` holds; the converter of the best epoch so far is `out`/model.

    `out` also gets run.json (the record), history.jsonl, checkpoint.npz and curves.png. What an
    epoch is judged by, `dev_ser`, is the share of dev sources of which greedy decoding makes none
    of their targets.

    Args:
        max_steps: stop after so many batches, to be resumed.
        progress: see `Trainer.run`.
        say: told what a person should know, such as pairs left out.

    Raises:
        AsrError: the configuration, a file of pairs, the checkpoint or the training is wrong.
    """
    prepare_run(config.training)
    parts = {
        "train": [pair for name in config.data.train for pair in read_pairs(data / name)],
        "dev": [pair for name in config.data.dev for pair in read_pairs(data / name)],
    }
    source, target = config.data.source, config.data.target
    known = Vocabulary.of(symbols(pair.source, source) for pair in parts["train"])
    wanted = Vocabulary.of(symbols(pair.target, target) for pair in parts["train"])
    left_out = 0
    if config.network.kind == "ctc":
        fitting = [p for p in parts["train"] if _fits(p, config)]
        left_out = len(parts["train"]) - len(fitting)
        if left_out:
            say(f"left out: {left_out} pairs whose target needs more than network.frames a symbol")
        parts["train"] = fitting
    train, dev = (
        PairDataset(
            parts[name], source, target, known, wanted, config.training.seed, config.data.hidden
        )
        for name in ("train", "dev")
    )
    strategy = make_strategy(config.training.strategy)
    with strategy.scope():
        network = make_network(config.network, len(known), len(wanted))
    described = ConverterConfig(
        config.converter, source, target, known.known, wanted.known,
        max(len(ids) for ids in train.targets), config.network,
    )  # fmt: skip
    batch_size = config.training.batch_size
    trainer = Trainer(
        network=network,
        losses=lambda batch: network.losses(batch, config.label_smoothing),
        batches=lambda epoch, skip: train.tf_dataset(epoch, batch_size, skip),
        steps=len(train.plan(0, batch_size)),
        describe=lambda i: repr(train.pairs[i].source),
        evaluate=lambda: _dev_scores(network, dev, batch_size),
        keep=lambda row: _save(out / "model", described, network, {**record, "best": row}),
        config=config.training,
        folder=out,
        strategy=strategy,
        fingerprint=hashlib.sha256(
            json.dumps([to_dict(config), train.digest(), dev.digest()]).encode()
        ).hexdigest(),
    )
    out.mkdir(parents=True, exist_ok=True)
    if trainer.resume():
        say(f"resumed at epoch {trainer.epoch + 1}, batch {trainer.step + 1}")
    record = {
        "command": this_command(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": git_commit(),
        "seed": config.training.seed,
        "config": to_dict(config),
        "data_sha256": {
            name: hashlib.sha256((data / name).read_bytes()).hexdigest()
            for name in (*config.data.train, *config.data.dev)
        },
        "pairs": {"train": len(train.pairs), "dev": len(dev.pairs), "left_out": left_out},
        "environment": environment(),
    }
    with atomic_write(out / "run.json") as file:
        file.write(json.dumps(record, indent=2) + "\n")

    def watch(**event: Any) -> None:
        if "row" in event:
            plots.training_curves(out / "curves.png", trainer.history)
        if progress:
            progress(**event)

    trainer.run(max_steps, watch)
    if trainer.step:
        trainer.save()
    return out / "model"


def _fits(pair: Pair, config: ConverterExperimentConfig) -> bool:
    """Whether CTC's frames can hold the target, a blank between equal neighbours."""
    frames = config.network.frames * len(symbols(pair.source, config.data.source))
    target = symbols(pair.target, config.data.target)
    numbers = {symbol: i for i, symbol in enumerate(target)}
    return ctc.frames_needed([numbers[symbol] for symbol in target]) <= frames


def _dev_scores(network: Network, dev: PairDataset, batch_size: int) -> dict[str, float]:
    order = sorted(range(len(dev.pairs)), key=lambda i: len(dev.sources[i]))
    right: dict[str, bool] = defaultdict(bool)
    judge = tf.function(network.right, reduce_retracing=True)
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        batch = {key: tf.constant(x) for key, x in dev.batch(indices, None).items()}
        for i, good in zip(indices, judge(batch).numpy(), strict=True):
            right[dev.pairs[i].source] |= bool(good)
    rate = 1 - sum(right.values()) / len(right)
    return {"dev_ser": rate, "error": rate}


def _save(
    folder: Path, config: ConverterConfig, network: Network, training: dict[str, Any]
) -> None:
    config = replace(config, training=training)
    write_model(folder, config, weights_file(network), converter_card(config))


def converter_card(config: ConverterConfig) -> str:
    """Markdown, written beside the weights."""
    training, shape = config.training, config.network
    best, experiment = training.get("best", {}), training.get("config", {})
    data = experiment.get("data", {})
    pairs = training.get("pairs", {})
    decoder = (
        f"attention and a {shape.cell.upper()} decoder"
        if shape.kind == "attention"
        else f"CTC with {shape.frames} frames a symbol"
    )
    return f"""# {config.converter}

Converter of the `asr` toolkit, from {config.source} to {config.target}:
{shape.encoder_layers} × Bi{shape.cell.upper()}({shape.encoder_units}), {decoder}.

Trained on {pairs.get("train", 0)} pairs of {", ".join(data.get("train", []))}; settings and the
epoch were chosen on {", ".join(data.get("dev", []))}.

Made by

    {training.get("command", "")}

at commit {training.get("commit", "unknown")}, seed {training.get("seed")}. Best on dev at epoch
{best.get("epoch")}: greedy decoding is wrong for {best.get("dev_ser", math.nan):.2%} of the sources.

## Configuration

```yaml
{yaml.safe_dump(experiment, sort_keys=False, allow_unicode=True).strip()}
```
"""
