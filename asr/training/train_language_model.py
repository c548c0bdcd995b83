"""`train_language_model`: text in, the directory of a recurrent language model out."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.batching import pad, prefetched, shuffled_batches
from asr.base.config import STRICT
from asr.base.progress import track
from asr.base.tensorflow import tf
from asr.errors import ConfigError
from asr.language.ngram import read_sentences
from asr.language.recurrent_lm import (
    BOUNDARY,
    LanguageConfig,
    LanguageNetworkConfig,
    Speller,
)
from asr.language.recurrent_network import LanguageNetwork
from asr.networks.model_directory import write_model
from asr.networks.weights import weights_file
from asr.text.tokenizers import Tokenizer, TokenizerConfig, train_subwords
from asr.training.train_recognizer import prepare_run, run_training
from asr.training.trainer import TrainingConfig, make_strategy

BATCH_LABELS = 6000
"""Labels a batch, padding included, at most: long sentences come in smaller batches."""


@dataclass(frozen=True, config=STRICT)
class TextConfig:
    """Text files, a sentence a line, or manifests."""

    train: tuple[str, ...]
    dev: tuple[str, ...]
    normaliser: str = "english"
    subwords: int = Field(default=0, ge=0)
    """Pieces of a subword tokenizer made from the train text; 0: characters."""


@dataclass(frozen=True, config=STRICT)
class LanguageExperimentConfig:
    """How a recurrent language model is made."""

    language: str
    data: TextConfig
    network: LanguageNetworkConfig = Field(default_factory=LanguageNetworkConfig)
    training: TrainingConfig = Field(
        default_factory=lambda: TrainingConfig(
            epochs=5, batch_size=128, warmup_epochs=0.1, weight_decay=0.01, clip_norm=1.0
        )
    )


class TextDataset:
    """Sentences as labels; makes any epoch's batches."""

    skipped: tuple[str, ...] = ()

    def __init__(
        self, sentences: Sequence[Sequence[str]], tokenizer: Tokenizer, seed: int, what: str
    ) -> None:
        """Raises:
        TextError: a character outside the alphabet.
        """
        spell = Speller(tokenizer)
        self.seed = seed
        self.texts = [
            np.fromiter(itertools.chain.from_iterable(spell.sentence(words)), np.int32)
            for words in track(sentences, len(sentences), what)
        ]

    def __len__(self) -> int:
        return len(self.texts)

    def describe(self, index: int) -> str:
        """What a sentence is called in errors."""
        return f"sentence {index + 1}"

    def digest(self) -> str:
        """SHA-256 of all labels, in their order."""
        return hashlib.sha256(np.concatenate(self.texts).tobytes()).hexdigest()

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """The epoch's batches as arrays of sentence numbers."""
        lengths = [len(text) for text in self.texts]
        return shuffled_batches(lengths, batch_size, (self.seed, epoch), BATCH_LABELS)

    def batch(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """`inputs` and `targets`, int32 [batch, time], one label apart; `lengths`; and `weights`
        that make a batch's loss the mean over its labels."""
        texts = [self.texts[int(i)] for i in indices]
        lengths = np.array([len(text) for text in texts], np.int32)
        targets = pad(texts, np.int32)
        return {
            "inputs": np.insert(targets[:, :-1], 0, BOUNDARY, axis=1),
            "targets": targets,
            "lengths": lengths,
            "indices": np.asarray(indices, np.int32),
            "weights": np.full(len(texts), 1 / lengths.sum(), np.float32),
        }

    def tf_dataset(self, epoch: int, batch_size: int, skip: int = 0) -> tf.data.Dataset:
        """The epoch's batches from number `skip` on."""
        signature = {
            **{n: tf.TensorSpec([None, None], tf.int32) for n in ("inputs", "targets")},
            **{n: tf.TensorSpec([None], tf.int32) for n in ("lengths", "indices")},
            "weights": tf.TensorSpec([None], tf.float32),
        }
        plan = self.plan(epoch, batch_size)[skip:]

        def batches() -> Iterator[dict[str, np.ndarray]]:
            return (self.batch(indices) for indices in plan)

        return prefetched(batches, signature)


def train_language_model(
    config: LanguageExperimentConfig,
    out: Path,
    max_steps: int | None = None,
    progress: Callable[..., None] | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train, resuming what `out` holds; the model of the best epoch so far is `out`/model.

    Args:
        max_steps, progress, say: see `asr.training.train_recognizer.train_recognizer`.

    Raises:
        AsrError: the configuration, a text, the checkpoint or the training itself is wrong.
    """
    training = config.training
    prepare_run(training)
    train, dev = (
        read_sentences([Path(name) for name in names], config.data.normaliser)
        for names in (config.data.train, config.data.dev)
    )
    if not train or not dev:
        raise ConfigError("language model: the train and the dev text each need a sentence")
    tokenizer = _tokenizer(config.data, train)
    dataset = TextDataset(train, Tokenizer(tokenizer), training.seed, "spelling")
    held_out = TextDataset(dev, Tokenizer(tokenizer), training.seed, "spelling")
    characters = sum(len(" ".join(words)) + 1 for words in dev)
    strategy = make_strategy(training.strategy)
    with strategy.scope():
        network = LanguageNetwork(config.network, len(Tokenizer(tokenizer)))

    def losses(batch: Mapping[str, tf.Tensor], training: bool = True) -> tf.Tensor:
        logits = network(batch["inputs"], batch["lengths"], training=training)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["targets"], logits)
        mask = tf.sequence_mask(batch["lengths"], tf.shape(each)[1], dtype=each.dtype)
        return tf.reduce_sum(each * mask, axis=1)

    measure = tf.function(lambda batch: losses(batch, training=False), reduce_retracing=True)

    def dev_scores() -> dict[str, float]:
        batches = held_out.tf_dataset(0, training.batch_size)
        nats = sum(float(tf.reduce_sum(measure(batch))) for batch in batches)
        bits = nats / np.log(2)
        return {"dev_bits": bits / characters, "error": bits / characters}

    def save(summary: dict[str, Any]) -> None:
        made = LanguageConfig(config.language, tokenizer, config.network, summary)
        write_model(out / "model", made, weights_file(network), card(made))

    run_training(
        config, Path(), out, dataset, None, {"labels": dataset.digest()}, network, losses,
        dev_scores, save, strategy, max_steps, progress, say,
    )  # fmt: skip
    return out / "model"


def _tokenizer(data: TextConfig, train: Sequence[Sequence[str]]) -> TokenizerConfig:
    texts = [" ".join(words) for words in train]
    if data.subwords:
        return train_subwords(texts, data.subwords, data.normaliser)
    found = set().union(*texts) | {" "}
    base = TokenizerConfig(normaliser=data.normaliser)  # type: ignore[arg-type]
    # English whole, also where a text lacks a letter: a recogniser may hear it.
    english = data.normaliser == "english" and found <= set(base.alphabet)
    return base if english else replace(base, alphabet="".join(sorted(found)))


def card(config: LanguageConfig) -> str:
    """The model card, from what `model.json` says."""
    training, network = config.training, config.network
    best, data = training.get("best", {}), training.get("config", {}).get("data", {})
    digests = training.get("data_sha256", {})
    texts = "\n".join(
        f"- {part}: {name} (SHA-256 {digests.get(name, '')[:12]}…)"
        for part in ("train", "dev")
        for name in data.get(part, ())
    )
    return f"""# {config.language}

Recurrent language model of the `asr` toolkit: {network.layers} × {network.cell.upper()}({network.units})
over {config.tokenizer.kind}.

Made by

    {training.get("command", "")}

at commit {training.get("commit", "unknown")}, seed {training.get("seed")}, of {training.get("train_items", 0)} sentences. Best on dev at epoch
{best.get("epoch")}: {best.get("dev_bits", float("nan")):.3f} bits per character.

{texts}
"""  # noqa: E501
