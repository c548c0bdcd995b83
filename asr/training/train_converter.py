"""`train_converter`: train a sequence-to-sequence converter from pairs of strings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.base.tensorflow import tf
from asr.errors import ConfigError
from asr.networks.model_directory import write_model
from asr.networks.weights import weights_file
from asr.seq2seq.converter_config import ConverterConfig, Seq2SeqConfig
from asr.seq2seq.encoder_decoder import make_network
from asr.seq2seq.pairs import Symbols, SymbolVocabulary, read_pairs, split_symbols
from asr.training.config_paths import data_files
from asr.training.model_card import converter_card
from asr.training.pair_dataset import PairDataset
from asr.training.trainer import TrainingConfig, make_strategy
from asr.training.training_run import TrainingRun, prepare_process


@dataclass(frozen=True, config=STRICT)
class PairDataConfig:
    """Files of pairs (`asr.seq2seq.pairs`). Paths are relative to the data folder (`--data`)."""

    train: tuple[str, ...] = Field(min_length=1)
    """Files to train on. Required."""
    dev: tuple[str, ...] = Field(min_length=1)
    """Files that early stopping and the choice of the best epoch use. Required."""
    source: Symbols = "characters"
    """Symbols of the source side: characters, or words separated by spaces. Default: characters."""
    target: Symbols = "characters"
    """Symbols of the target side: characters, or words separated by spaces. Default: characters."""
    hidden: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of source symbols that training replaces by the unknown symbol (word dropout), from
    0 to below 1. Default: 0."""


@dataclass(frozen=True, config=STRICT)
class ConverterExperimentConfig:
    """The YAML file of a converter, such as pipelines/configs/g2p.yaml."""

    converter: str
    """Name of the converter. Required: this key makes the file a converter's."""
    data: PairDataConfig
    """Pairs to train and evaluate on. Required."""
    network: Seq2SeqConfig = Field(default_factory=Seq2SeqConfig)
    """Shape of the network."""
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    """Optimisation. The precision must be float32."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Weight of the uniform distribution over target symbols in the loss, from 0 to below 1.
    Default: 0."""

    def __post_init__(self) -> None:
        if self.training.precision != "float32":
            raise ConfigError("training.precision: a converter needs float32")


def train_converter(
    config: ConverterExperimentConfig,
    data: Path,
    out: Path,
    max_steps: int | None = None,
    progress: Callable[..., None] | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train a converter, or continue the training that `out` holds.

    Early stopping watches `dev_ser`, the share of dev sources whose greedy decoding equals none of
    their targets.

    Args:
        config: what to train, and on what.
        data: folder that the paths of the pairs are relative to.
        out: folder of the run; see `TrainingRun.train` for its files.
        max_steps, progress, say: see `train_recognizer`.

    Returns:
        The model directory of the best epoch so far, `out`/model.

    Raises:
        AsrError: the configuration, a file of pairs, the checkpoint or the training is wrong.
    """
    prepare_process(config.training)
    source, target = config.data.source, config.data.target
    files = [data_files(f"data.{k}", getattr(config.data, k), data) for k in ("train", "dev")]
    pairs, dev_pairs = ([pair for path in paths for pair in read_pairs(path)] for paths in files)
    sources = SymbolVocabulary.of(split_symbols(pair.source, source) for pair in pairs)
    targets = SymbolVocabulary.of(split_symbols(pair.target, target) for pair in pairs)
    seed = config.training.seed
    frames = config.network.frames if config.network.kind == "ctc" else 0
    dataset = PairDataset(pairs, source, target, sources, targets, seed, frames, config.data.hidden)
    dev = PairDataset(dev_pairs, source, target, sources, targets, seed)
    for problem in dataset.skipped:
        say(f"left out: {problem}")
    if not len(dataset):
        raise ConfigError(f"network.frames: {frames} is too few for every target of data.train")

    strategy = make_strategy(config.training.strategy)
    with strategy.scope():
        network = make_network(config.network, len(sources), len(targets))
    correct = tf.function(network.exact_matches, reduce_retracing=True)
    longest = max(len(ids) for ids in dataset.targets)

    def losses(batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return network.losses(batch, config.label_smoothing)

    def save(training: dict[str, Any]) -> None:
        model = ConverterConfig(
            converter=config.converter,
            source=source,
            target=target,
            source_symbols=sources.known,
            target_symbols=targets.known,
            longest=longest,
            network=config.network,
            training=training,
        )
        write_model(out / "model", model, weights_file(network), converter_card(model))

    run = TrainingRun(
        config=config,
        data=data,
        out=out,
        dataset=dataset,
        hours=None,
        content={"pairs": dataset.digest()},
        network=network,
        losses=losses,
        dev_scores=lambda: _dev_scores(correct, dev, config.training.batch_size),
        save=save,
        strategy=strategy,
    )
    return run.train(max_steps, progress, say)


def _dev_scores(
    correct: Callable[[dict[str, tf.Tensor]], tf.Tensor], dev: PairDataset, batch_size: int
) -> dict[str, float]:
    """Share of sources for which greedy decoding equals no target.

    Args:
        correct: a batch of `PairDataset` → bool [batch], whether decoding gives the target.
    """
    order = sorted(range(len(dev.pairs)), key=lambda i: len(dev.sources[i]))
    found: dict[str, bool] = defaultdict(bool)
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        batch = {key: tf.constant(x) for key, x in dev.batch(indices, None).items()}
        for i, is_correct in zip(indices, correct(batch).numpy(), strict=True):
            found[dev.pairs[i].source] |= bool(is_correct)
    rate = 1 - sum(found.values()) / len(found)
    return {"dev_ser": rate, "error": rate}
