"""`train_language_model`: train a recurrent language model from text files or manifests."""

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
from asr.language.recurrent_lm import (
    BOUNDARY,
    LanguageConfig,
    LanguageNetworkConfig,
    Speller,
)
from asr.language.recurrent_network import LanguageNetwork
from asr.language.text_corpus import read_sentences
from asr.networks.model_directory import write_model
from asr.networks.weights import weights_file
from asr.text.languages import LanguageName, check_language_code
from asr.text.normalisers import default_normaliser
from asr.text.tokenizers import Tokenizer, TokenizerConfig, train_subwords
from asr.training.config_paths import data_files
from asr.training.model_card import language_model_card
from asr.training.trainer import TrainingConfig, make_strategy
from asr.training.training_run import TrainingRun, prepare_process

BATCH_LABELS = 6000
"""Largest number of labels in a batch, with padding. Long sentences come in smaller batches."""


@dataclass(frozen=True, config=STRICT)
class TextDataConfig:
    """Text to train and evaluate on: manifests, or files with one sentence per line. Paths are
    relative to the data folder (`--data`); those of `asr lm train` to the working directory."""

    train: tuple[str, ...]
    """Files to train on. Required."""
    dev: tuple[str, ...]
    """Files that early stopping and the choice of the best epoch use. Required."""
    normaliser: str = ""
    """Text normalisation: english, neutral, korean or none. Default: english, or neutral if
    `language` is another one."""
    subwords: int = Field(default=0, ge=0)
    """Number of subwords to learn from the train text. Default: 0, use characters."""
    language: LanguageName = ""
    """ISO 639 code of the text's language, such as de. Default: that of the normaliser."""

    def __post_init__(self) -> None:
        language = self.language and check_language_code(self.language, "data.language")
        # The dataclass is frozen; what is left open has its value from here on.
        object.__setattr__(self, "language", language)
        object.__setattr__(self, "normaliser", self.normaliser or default_normaliser(language))


@dataclass(frozen=True, config=STRICT)
class LanguageExperimentConfig:
    """The YAML file of a recurrent language model, or the options of `asr lm train --kind rnn`."""

    language: str
    """Name of the language model. Required: this key makes the file a language model's."""
    data: TextDataConfig
    """Text to train and evaluate on. Required."""
    network: LanguageNetworkConfig = Field(default_factory=LanguageNetworkConfig)
    """Shape of the network."""
    training: TrainingConfig = Field(
        default_factory=lambda: TrainingConfig(
            epochs=5, batch_size=128, warmup_epochs=0.1, weight_decay=0.01, clip_norm=1.0
        )
    )
    """Optimisation. Default, if the file has no key `training`: epochs 5, batch_size 128,
    warmup_epochs 0.1, weight_decay 0.01 and clip_norm 1."""


class TextDataset:
    """Sentences as label sequences, and the batches of any epoch.

    Args:
        sentences: sentences as lists of words.
        tokenizer: spells the words as labels.
        seed: seed of the order of batches.

    Raises:
        TextError: a character is outside the tokenizer's alphabet.
    """

    skipped: tuple[str, ...] = ()
    """Always empty: no sentence is left out."""

    def __init__(self, sentences: Sequence[Sequence[str]], tokenizer: Tokenizer, seed: int) -> None:
        spell = Speller(tokenizer)
        self.seed = seed
        self.texts = [
            np.fromiter(itertools.chain.from_iterable(spell.sentence(words)), np.int32)
            for words in track(sentences, len(sentences), "spelling")
        ]

    def __len__(self) -> int:
        return len(self.texts)

    def describe(self, index: int) -> str:
        """Name of a sentence in error messages."""
        return f"sentence {index + 1}"

    def digest(self) -> str:
        """SHA-256 of all labels in order."""
        return hashlib.sha256(np.concatenate(self.texts).tobytes()).hexdigest()

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Sentence indices of each batch of an epoch, shuffled, with similar lengths in a batch."""
        lengths = [len(text) for text in self.texts]
        return shuffled_batches(lengths, batch_size, (self.seed, epoch), BATCH_LABELS)

    def batch(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """One batch of sentences.

        Returns:
            `inputs` and `targets`, int32 [batch, time], where the inputs are the targets delayed by
            one step; `lengths` and `indices`, int32 [batch]; `weights`, float32 [batch], which make
            the batch's loss the mean over its labels.
        """
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
        """The batches of an epoch, without the first `skip`."""
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
    data: Path,
    out: Path,
    max_steps: int | None = None,
    progress: Callable[..., None] | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train a recurrent language model, or continue the training that `out` holds.

    Early stopping watches `dev_bits`, bits per character of the dev text.

    Args:
        config: what to train, and on what.
        data: folder that the paths of the texts are relative to.
        out: folder of the run; see `TrainingRun.train` for its files.
        max_steps, progress, say: see `train_recognizer`.

    Returns:
        The model directory of the best epoch so far, `out`/model.

    Raises:
        AsrError: the configuration, a text, the checkpoint or the training itself is wrong.
    """
    training = config.training
    prepare_process(training)
    files = [data_files(f"data.{k}", getattr(config.data, k), data) for k in ("train", "dev")]
    train, dev = (
        read_sentences(paths, config.data.normaliser, config.data.language) for paths in files
    )
    for part, sentences in (("train", train), ("dev", dev)):
        if not sentences:
            raise ConfigError(f"data.{part}: has no sentence for the language model")
    tokenizer_config = _tokenizer_config(config.data, train)
    tokenizer = Tokenizer(tokenizer_config)
    dataset = TextDataset(train, tokenizer, training.seed)
    dev_dataset = TextDataset(dev, tokenizer, training.seed)
    characters = sum(len(" ".join(words)) + 1 for words in dev)
    strategy = make_strategy(training.strategy)
    with strategy.scope():
        network = LanguageNetwork(config.network, len(tokenizer))

    def losses(batch: Mapping[str, tf.Tensor], training: bool = True) -> tf.Tensor:
        logits = network(batch["inputs"], batch["lengths"], training=training)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["targets"], logits)
        mask = tf.sequence_mask(batch["lengths"], tf.shape(each)[1], dtype=each.dtype)
        return tf.reduce_sum(each * mask, axis=1)

    dev_losses = tf.function(lambda batch: losses(batch, training=False), reduce_retracing=True)

    def dev_scores() -> dict[str, float]:
        batches = dev_dataset.tf_dataset(0, training.batch_size)
        nats = sum(float(tf.reduce_sum(dev_losses(batch))) for batch in batches)
        bits = nats / np.log(2)
        return {"dev_bits": bits / characters, "error": bits / characters}

    def save(record: dict[str, Any]) -> None:
        model = LanguageConfig(config.language, tokenizer_config, config.network, record)
        write_model(out / "model", model, weights_file(network), language_model_card(model))

    run = TrainingRun(
        config=config,
        data=data,
        out=out,
        dataset=dataset,
        hours=None,
        content={"labels": dataset.digest()},
        network=network,
        losses=losses,
        dev_scores=dev_scores,
        save=save,
        strategy=strategy,
    )
    return run.train(max_steps, progress, say)


def _tokenizer_config(data: TextDataConfig, train: Sequence[Sequence[str]]) -> TokenizerConfig:
    texts = [" ".join(words) for words in train]
    if data.subwords:
        return train_subwords(texts, data.subwords, data.normaliser, data.language)
    characters = set().union(*texts) | {" "}
    default = TokenizerConfig(
        "characters",
        data.normaliser,  # type: ignore[arg-type]
        language=data.language,
    )
    # A recogniser can write every English letter, so the language model needs all of them, even
    # letters that the train text lacks.
    if data.normaliser == "english" and characters <= set(default.alphabet):
        return default
    return replace(default, alphabet="".join(sorted(characters)))
