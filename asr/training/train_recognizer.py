"""`train_recognizer`: one YAML file and a folder of manifests in, a model directory out."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import jiwer
import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr import ctc
from asr.audio.augmentation import AugmentConfig
from asr.audio.features import FeatureConfig
from asr.base.config import STRICT, to_dict
from asr.base.files import atomic_write
from asr.base.provenance import environment, git_commit, this_command
from asr.base.tensorflow import keras, tf
from asr.data.manifest import Utterance, read_manifest, taught
from asr.decoding.lexicon_scorer import LEXICON
from asr.errors import ConfigError
from asr.evaluation import plots
from asr.evaluation.error_rates import evaluate as evaluate_results
from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.model_directory import RecognizerConfig
from asr.pronunciation.phone_speller import PhoneSpeller
from asr.pronunciation.pronouncer import Pronouncer, cmudict_entries, first_ways, write_lexicon
from asr.recognizer import Recognizer
from asr.results import Transcript
from asr.text.tokenizers import Tokenizer, TokenizerConfig, train_subwords
from asr.training.model_card import model_card
from asr.training.speech_dataset import SpeechDataset
from asr.training.trainer import Trainer, TrainingConfig, make_strategy, set_threads

CACHE = ".features"
"""In the data folder: what `FeatureCache` keeps."""


@dataclass(frozen=True, config=STRICT)
class DataConfig:
    """Manifests, relative to the data folder given on the command line."""

    train: tuple[str, ...]
    dev: tuple[str, ...]
    repeat: dict[str, int] = Field(default_factory=dict)
    """Times an epoch goes through a train manifest, where that is not once."""
    share: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=dict)
    """Part of a train manifest's utterances that is used, where that is not all: a draw that is the
    same for every seed, and of which a larger share has all. For learning curves."""
    epoch_hours: float = Field(default=0.0, ge=0)
    """Hours of speech that an epoch draws anew from the train manifests; 0: all of them."""
    balance: float = Field(default=0.0, ge=0, le=1)
    """How far that draw evens out the speakers: 0 each utterance is as likely, 1 each speaker's
    utterances together are as likely as another's."""
    subwords: int = Field(default=0, ge=0)
    """Pieces of a subword tokenizer to make from the train transcripts; 0: `tokenizer` as it is."""

    def __post_init__(self) -> None:
        if not self.train or not self.dev:
            raise ConfigError("data: train and dev each need a manifest")
        for key in ("repeat", "share"):
            for name in getattr(self, key):
                if name not in self.train:
                    raise ConfigError(f"data.{key}: {name} is not among data.train")
        if self.balance and not self.epoch_hours:
            raise ConfigError("data.balance: only a draw can be balanced, give data.epoch_hours")

    def read(self, folder: Path) -> list[Utterance]:
        """The train manifests' utterances.

        Raises:
            ManifestError: see `read_manifest`.
        """
        found: list[Utterance] = []
        for name in self.train:
            utterances = read_manifest(folder / name)
            # An order of its own, of which each share is the beginning.
            order = np.random.default_rng(0).permutation(len(utterances))
            count = max(1, round(self.share.get(name, 1.0) * len(utterances)))
            chosen = [utterances[i] for i in sorted(order[:count])]
            found += chosen * self.repeat.get(name, 1)
        return found


@dataclass(frozen=True, config=STRICT)
class ExperimentConfig:
    """A file of pipelines/configs."""

    name: str
    data: DataConfig
    features: FeatureConfig = Field(default_factory=FeatureConfig)
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig)
    acoustic: AcousticConfig = Field(default_factory=AcousticConfig)
    augment: AugmentConfig = Field(default_factory=AugmentConfig)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the loss that wants every label equally likely in every frame: see `ctc.loss`."""
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    initial_model: str = ""
    """Model to start from (name or directory) instead of random weights; shapes must fit. What the
    file of `asr train` leaves open of features, tokenizer and acoustic is as that model has it."""

    def __post_init__(self) -> None:
        if self.acoustic.phones and self.tokenizer.normaliser != "english":
            raise ConfigError(
                "acoustic.phones: pronunciations are English, tokenizer.normaliser is "
                f"{self.tokenizer.normaliser}"
            )


def train_recognizer(
    config: ExperimentConfig,
    data: Path,
    out: Path,
    max_steps: int | None = None,
    progress: Callable[..., None] | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train, resuming what `out` holds; the model of the best epoch so far is `out`/model.

    `out` also gets run.json (the record), history.jsonl, checkpoint.npz, curves.png
    and tensorboard/.

    Args:
        max_steps: stop after so many batches, to be resumed.
        progress: see `Trainer.run`.
        say: told what a person should know, such as utterances left out.

    Raises:
        AsrError: the configuration, a manifest, the checkpoint or the training itself is wrong.
    """
    prepare_run(config.training)
    keras.config.set_dtype_policy(config.training.precision)
    train = config.data.read(data)
    dev = [utterance for name in config.data.dev for utterance in read_manifest(data / name)]
    if config.data.subwords:
        texts = [u.text for u in train]
        config = replace(
            config,
            tokenizer=train_subwords(texts, config.data.subwords, config.tokenizer.normaliser),
        )
    tokenizer = Tokenizer(config.tokenizer)
    said = cmudict_entries() if config.acoustic.phones else []
    phones = PhoneSpeller(Pronouncer(first_ways(said))) if said else None
    dataset = SpeechDataset(
        train, tokenizer, config.features, config.acoustic, config.augment, config.training.seed,
        phones, config.data.epoch_hours, config.data.balance, data / CACHE,
    )  # fmt: skip
    for problem in dataset.skipped:
        say(f"left out: {problem}")

    strategy = make_strategy(config.training.strategy)
    with strategy.scope():
        network = AcousticModel(config.acoustic, config.features.dimension, len(tokenizer))
    keras.config.set_dtype_policy("float32")
    recognizer = Recognizer(
        RecognizerConfig(config.name, config.features, config.tokenizer, config.acoustic), network
    )
    if config.initial_model:
        _start_from(network, config.initial_model)

    def losses(batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        logits, lengths = network(batch["features"], batch["lengths"], training=True)
        first, second = logits[:, :, : len(tokenizer)], logits[:, :, len(tokenizer) :]
        smoothing = config.label_smoothing
        total = ctc.loss(first, lengths, batch["labels"], batch["label_lengths"], smoothing)
        if config.acoustic.phones:
            of_phones = batch["phones"], batch["phone_lengths"]
            total += ctc.loss(second, lengths, *of_phones, smoothing)
        return total

    # Feature extraction is the same in every epoch: once.
    dev_features = [recognizer.features(u) for u in dev]

    def dev_scores() -> dict[str, float]:
        return _dev_scores(recognizer, dev, dev_features, phones)

    def save(training: dict[str, Any]) -> None:
        recognizer.config = replace(recognizer.config, training=training)
        recognizer.save(out / "model", model_card(recognizer.config))
        if said:
            write_lexicon(out / "model" / LEXICON, said)

    hours = sum(e.utterance.duration for e in dataset.examples) / 3600
    hours = min(hours, config.data.epoch_hours or hours)
    content = {"features and labels": dataset.digest()}
    run_training(
        config, data, out, dataset, hours, content, network, losses, dev_scores, save, strategy,
        max_steps, progress, say,
    )  # fmt: skip
    return out / "model"


def prepare_run(training: TrainingConfig) -> None:
    """Before anything else: threads, and every random generator's seed."""
    set_threads(training.threads)
    random.seed(training.seed)
    keras.utils.set_random_seed(training.seed)


def run_training(
    config: Any,
    data: Path,
    out: Path,
    dataset: Any,
    hours: float | None,
    content: dict[str, str],
    network: keras.Model,
    losses: Callable[[Mapping[str, tf.Tensor]], tf.Tensor],
    evaluate: Callable[[], dict[str, float]],
    save: Callable[[dict[str, Any]], None],
    strategy: tf.distribute.Strategy,
    max_steps: int | None,
    progress: Callable[..., None] | None,
    say: Callable[[str], None],
) -> None:
    """Run a trainer from where `out` was left, with its record, curves and tensorboard.

    Args:
        config: with `data` (train and dev manifests below the folder `data`) and `training`.
        dataset: what makes the batches (`plan`, `tf_dataset`), names an item of one (`describe`)
            and lists what it left out (`skipped`), such as a `SpeechDataset`.
        hours: of speech in the dataset; None for what is not speech.
        content: SHA-256 of what else must be the same for a resumed run, by name.
        network, losses, evaluate, strategy: see `Trainer`.
        save: writes the model of the best epoch so far, with the summary it is given.
    """
    training = config.training
    hashes = {n: _sha256(data / n) for n in (*config.data.train, *config.data.dev)} | content
    text = json.dumps([to_dict(config), hashes], sort_keys=True)
    trainer = Trainer(
        network=network,
        losses=losses,
        batches=lambda epoch, skip: dataset.tf_dataset(epoch, training.batch_size, skip),
        steps=len(dataset.plan(0, training.batch_size)),
        describe=dataset.describe,
        evaluate=evaluate,
        keep=lambda row: save({**record, "best": row}),
        config=training,
        folder=out,
        strategy=strategy,
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
    )
    out.mkdir(parents=True, exist_ok=True)
    if trainer.resume():
        say(f"resumed at epoch {trainer.epoch + 1}, batch {trainer.step + 1}")
    record = _run_record(config, hashes, dataset, hours)
    with atomic_write(out / "run.json") as file:
        file.write(json.dumps(record, indent=2) + "\n")
    board = tf.summary.create_file_writer(str(out / "tensorboard"))

    def watch(**event: Any) -> None:
        if "row" in event:
            row = event["row"]
            if hours is not None:
                row["x_realtime"] = hours * 3600 / max(row["seconds"], 1e-9)
            with board.as_default(step=int(row["epoch"])):
                for key, value in row.items():
                    tf.summary.scalar(key, value)
            plots.training_curves(out / "curves.png", trainer.history)
        if progress:
            progress(**event)

    trainer.run(max_steps, watch)
    if trainer.step:
        trainer.save()


def _dev_scores(
    recognizer: Recognizer,
    dev: list[Utterance],
    features: list[tuple[np.ndarray, float]],
    phones: PhoneSpeller | None,
) -> dict[str, float]:
    order = sorted(range(len(dev)), key=lambda i: len(features[i][0]))
    hypotheses: dict[int, str] = {}
    wanted, said = [], []
    for start in range(0, len(order), 32):
        batch = order[start : start + 32]
        for i, logits in zip(
            batch, recognizer.outputs([features[i][0] for i in batch]), strict=True
        ):
            hypotheses[i] = recognizer.tokenizer.decode(recognizer.decoder(logits).labels)
            if phones is not None:
                wanted.append(phones(recognizer.tokenizer.normalise(dev[i].text)))
                said.append(ctc.greedy(logits[:, len(recognizer.tokenizer) :]).labels)
    result = evaluate_results(
        dev,
        [Transcript(hypotheses[i], 0.0, features[i][1]) for i in range(len(dev))],
        recognizer.tokenizer.normalise,
    )
    # Early stopping looks at both: WER alone is coarse on a small dev set.
    scores = {"dev_wer": result.wer, "dev_cer": result.cer, "error": result.wer + result.cer}
    if phones is not None:
        # An error rate of "words", each a phone's number.
        references = [" ".join(map(str, ids)) for ids in wanted]
        scores["dev_per"] = float(jiwer.wer(references, [" ".join(map(str, ids)) for ids in said]))
    return scores


def _start_from(network: AcousticModel, model: str) -> None:
    start = Recognizer.load(model, runtime="tensorflow").acoustic_model.named_weights()
    for name, variable in network.named_weights().items():
        if name not in start and name.startswith("acoustic/phones/"):
            continue  # a head that the other did not have
        if name not in start or tuple(start[name].shape) != tuple(variable.shape):
            raise ConfigError(f"initial_model: {model}: {name} does not fit this configuration")
        variable.assign(start[name])


def _run_record(
    config: Any, hashes: dict[str, str], dataset: Any, hours: float | None
) -> dict[str, Any]:
    """What makes a training what it is; travels in the model that it makes."""
    speech = isinstance(dataset, SpeechDataset)
    labelled = taught(e.utterance for e in dataset.examples) if speech else {}
    return {
        "command": this_command(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": git_commit(),
        "seed": config.training.seed,
        "config": to_dict(config),
        "data_sha256": hashes,
        **(
            {"train_items": len(dataset)}
            if hours is None
            else {"train_utterances": len(dataset), "train_hours": hours}
        ),
        **({"taught": labelled} if labelled else {}),
        "left_out": list(dataset.skipped),
        "environment": {
            **environment(),
            "gpus": len(tf.config.list_physical_devices("GPU")),
        },
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
