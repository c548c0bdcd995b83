"""`train_converter`: one YAML file and files of pairs in, a converter's directory out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.base.tensorflow import tf
from asr.errors import ConfigError
from asr.networks.model_directory import write_model
from asr.networks.weights import weights_file
from asr.seq2seq.converter_config import ConverterConfig, Seq2SeqConfig
from asr.seq2seq.encoder_decoder import make_network
from asr.seq2seq.pairs import Symbols, Vocabulary, read_pairs, symbols
from asr.training.pair_dataset import PairDataset
from asr.training.train_recognizer import prepare_run, run_training
from asr.training.trainer import TrainingConfig, make_strategy


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

    What an epoch is judged by, `dev_ser`, is the share of dev sources of which greedy decoding
    makes none of their targets.

    Args:
        max_steps, progress, say: see `asr.training.train_recognizer.train_recognizer`.

    Raises:
        AsrError: the configuration, a file of pairs, the checkpoint or the training is wrong.
    """
    prepare_run(config.training)
    source, target = config.data.source, config.data.target
    pairs = [pair for name in config.data.train for pair in read_pairs(data / name)]
    dev_pairs = [pair for name in config.data.dev for pair in read_pairs(data / name)]
    sources = Vocabulary.of(symbols(pair.source, source) for pair in pairs)
    targets = Vocabulary.of(symbols(pair.target, target) for pair in pairs)
    sides = source, target, sources, targets, config.training.seed
    frames = config.network.frames if config.network.kind == "ctc" else 0
    dataset = PairDataset(pairs, *sides, frames, config.data.hidden)
    dev = PairDataset(dev_pairs, *sides)
    for problem in dataset.skipped:
        say(f"left out: {problem}")
    if not len(dataset):
        raise ConfigError(f"network.frames: {frames} are too few for every target of data.train")

    strategy = make_strategy(config.training.strategy)
    with strategy.scope():
        network = make_network(config.network, len(sources), len(targets))
    judge = tf.function(network.right, reduce_retracing=True)
    longest = max(len(ids) for ids in dataset.targets)

    def losses(batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return network.losses(batch, config.label_smoothing)

    def dev_scores() -> dict[str, float]:
        return _dev_scores(judge, dev, config.training.batch_size)

    def save(training: dict[str, Any]) -> None:
        made = ConverterConfig(
            config.converter, source, target, sources.known, targets.known, longest,
            config.network, training,
        )  # fmt: skip
        write_model(out / "model", made, weights_file(network), converter_card(made))

    run_training(
        config, data, out, dataset, None, {"pairs": dataset.digest()}, network, losses, dev_scores,
        save, strategy, max_steps, progress, say,
    )  # fmt: skip
    return out / "model"


def _dev_scores(
    judge: Callable[[dict[str, tf.Tensor]], tf.Tensor], dev: PairDataset, batch_size: int
) -> dict[str, float]:
    order = sorted(range(len(dev.pairs)), key=lambda i: len(dev.sources[i]))
    right: dict[str, bool] = defaultdict(bool)
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        batch = {key: tf.constant(x) for key, x in dev.batch(indices, None).items()}
        for i, good in zip(indices, judge(batch).numpy(), strict=True):
            right[dev.pairs[i].source] |= bool(good)
    rate = 1 - sum(right.values()) / len(right)
    return {"dev_ser": rate, "error": rate}


def converter_card(config: ConverterConfig) -> str:
    """Markdown, written beside the weights."""
    training, shape = config.training, config.network
    best, experiment = training.get("best", {}), training.get("config", {})
    data = experiment.get("data", {})
    decoder = (
        f"attention and a {shape.cell.upper()} decoder"
        if shape.kind == "attention"
        else f"CTC with {shape.frames} frames a symbol"
    )
    return f"""# {config.converter}

Converter of the `asr` toolkit, from {config.source} to {config.target}:
{shape.encoder_layers} × Bi{shape.cell.upper()}({shape.encoder_units}), {decoder}.

Trained on {training.get("train_items", 0)} pairs of {", ".join(data.get("train", []))}; settings
and the epoch were chosen on {", ".join(data.get("dev", []))}.

Made by

    {training.get("command", "")}

at commit {training.get("commit", "unknown")}, seed {training.get("seed")}. Best on dev at epoch
{best.get("epoch")}: greedy decoding makes no target of {best.get("dev_ser", math.nan):.2%} of the
sources.

## Configuration

```yaml
{yaml.safe_dump(experiment, sort_keys=False, allow_unicode=True).strip()}
```
"""
