"""`train_recognizer`: train a speech recogniser from a configuration and manifests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import jiwer
import numpy as np
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

from asr import ctc
from asr.audio.augmentation import AugmentConfig
from asr.audio.features import FeatureConfig
from asr.base.config import STRICT
from asr.base.tensorflow import keras, tf
from asr.data.corpora import MAKE_DEV
from asr.data.manifest import Utterance, count_by_teacher
from asr.data.packs.pack_index import is_pack, read_utterances
from asr.decoding.decoding_files import copy_decoding_files
from asr.errors import ConfigError
from asr.evaluation.error_rates import evaluate as evaluate_results
from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.model_directory import LEXICON_FILE, RecognizerConfig
from asr.pronunciation.phone_speller import PhoneSpeller
from asr.pronunciation.pronouncer import cmudict_entries, write_lexicon
from asr.recognizer import Recognizer
from asr.results import Transcript
from asr.text.languages import LanguageName, check_language_code
from asr.text.tokenizers import (
    Tokenizer,
    TokenizerConfig,
    describe_alphabet,
    fit_tokenizer,
    outside_alphabet,
)
from asr.training.config_paths import data_files
from asr.training.distillation import DistillationConfig, TeacherNetwork
from asr.training.initial_model import InitialModel
from asr.training.minimum_word_error import MinimumWordErrorConfig, NBestLists, expected_errors
from asr.training.model_card import recognizer_card
from asr.training.nbest_lists import REMEDY, read_lists
from asr.training.speech_dataset import SpeechDataset
from asr.training.trainer import TrainingConfig, join_workers, make_strategy
from asr.training.training_language import check_training_language
from asr.training.training_run import TrainingRun, prepare_process
from asr.training.worker_place import WorkerPlace, find_place

FEATURE_CACHE = ".features"
"""Folder of the `FeatureCache` inside the data folder."""
DEV_BATCH = 32
"""Utterances per batch in the evaluation on the dev set."""


@dataclass(frozen=True, config=STRICT)
class SpeechDataConfig:
    """Manifests, and packs of `asr data pack`, to train and evaluate on. Paths are relative to the
    data folder (`--data`)."""

    train: tuple[str, ...]
    """Manifests and packs to train on. Required."""
    dev: tuple[str, ...]
    """Manifests and packs that early stopping and the choice of the best epoch use. Required."""
    repeat: dict[str, int] = Field(default_factory=dict)
    """Train manifest → number of times that an epoch contains it. Default: once each."""
    share: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=dict)
    """Train manifest → fraction of its utterances to use, for learning curves. The choice is random
    but the same for every seed, and a larger fraction contains every smaller one. Default: all."""
    epoch_hours: float = Field(default=0.0, ge=0)
    """Hours of speech per epoch. Each epoch draws new utterances from the train manifests.
    Default: 0, use all utterances in every epoch."""
    balance: float = Field(default=0.0, ge=0, le=1)
    """How far `epoch_hours` evens out the speakers, from 0 (all utterances are equally likely) to 1
    (all speakers are equally likely). Default: 0."""
    shuffle_hours: float = Field(default=4.0, gt=0)
    """Hours of speech of packs in the shuffle buffer, from which batches are drawn. An hour takes
    19 MB of memory, twice, because the next buffer is filled meanwhile. Default: 4."""
    subwords: int = Field(default=0, ge=0)
    """Number of subwords to learn from the train transcripts, which then replace `tokenizer`.
    Default: 0, use `tokenizer`."""

    def __post_init__(self) -> None:
        if not self.train or not self.dev:
            raise ConfigError("data: train and dev each need at least one manifest")
        for key in ("repeat", "share"):
            for name in getattr(self, key):
                if name not in self.train:
                    raise ConfigError(
                        f"data.{key}: {name} is not in data.train; write it as it is written there"
                    )
        if self.balance and not self.epoch_hours:
            raise ConfigError("data.balance: needs data.epoch_hours, which sets how much to draw")

    def read(self, folder: Path) -> list[Utterance]:
        """The utterances to train on, after `share` and `repeat`.

        Args:
            folder: the data folder.

        Raises:
            ConfigError: a manifest does not exist.
            ManifestError: see `read_utterances`.
        """
        chosen: list[Utterance] = []
        for name, path in zip(
            self.train, data_files("data.train", self.train, folder, packs=True), strict=True
        ):
            utterances = read_utterances(path)
            # Each share is the beginning of one random order, so that larger shares contain
            # smaller ones.
            order = np.random.default_rng(0).permutation(len(utterances))
            count = max(1, round(self.share.get(name, 1.0) * len(utterances)))
            shared = [utterances[i] for i in sorted(order[:count])]
            chosen += shared * self.repeat.get(name, 1)
        return chosen


@dataclass(frozen=True, config=STRICT)
class RecognizerExperimentConfig:
    """The YAML file of a recogniser, such as pipelines/configs/an4.yaml."""

    name: str
    """Name of the model. Required."""
    data: SpeechDataConfig
    """Manifests to train and evaluate on. Required."""
    features: FeatureConfig = Field(default_factory=FeatureConfig)
    """Acoustic features."""
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig)
    """Labels and text normalisation."""
    acoustic: AcousticConfig = Field(default_factory=AcousticConfig)
    """Shape of the network."""
    augment: AugmentConfig = Field(default_factory=AugmentConfig)
    """Augmentation of the training speech."""
    easy_first: bool = False
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Weight of the uniform label distribution in the loss (see `ctc.loss`), from 0 to below 1.
    Default: 0."""
    minimum_word_error: MinimumWordErrorConfig | None = None
    """Minimum word error training beside CTC. Default: CTC alone."""
    distillation: DistillationConfig | None = None
    """Another recogniser to learn from, beside CTC. Default: CTC alone."""
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    """Optimisation."""
    initial_model: str = ""
    """Recogniser to start from, by shipped name or directory, instead of random weights. The
    directory is relative to the working directory. Its shapes must match, but an LSTM network with
    layer normalisation may have more layers (`asr.training.growth`). With `asr train`, keys
    that the file leaves out of `features`, `tokenizer` and `acoustic` are taken from this model.
    The new model inherits its language model with the weights in decoding, and its lexicon.
    Default: none."""
    language: LanguageName = ""
    """ISO 639 code of the language of the speech and its texts, such as de. It chooses the text
    normaliser and, with the letters of the train texts, the alphabet. Default: that of
    `initial_model`, else English."""

    @model_validator(mode="before")
    @classmethod
    def _pass_language_on(cls, values: Any) -> Any:
        """Give the tokenizer the language, on which its other defaults depend."""
        keys = (values.kwargs or {}) if isinstance(values, ArgsKwargs) else values
        if not isinstance(keys, dict) or keys.get("language", "") == "":
            return values
        tokenizer = keys.get("tokenizer", {})
        if not isinstance(tokenizer, dict):
            return values
        keys = {**keys, "tokenizer": {"language": keys["language"], **tokenizer}}
        return ArgsKwargs(values.args, keys) if isinstance(values, ArgsKwargs) else keys

    def __post_init__(self) -> None:
        own = self.tokenizer.language
        if self.language and check_language_code(self.language, "language") != own:
            raise ConfigError(
                f"language: {self.language} and tokenizer.language: {own} differ; leave "
                "tokenizer.language out"
            )
        if self.acoustic.phones and self.tokenizer.normaliser != "english":
            raise ConfigError(
                "acoustic.phones: needs tokenizer.normaliser: english, because the pronunciations "
                f"are English; found {self.tokenizer.normaliser}"
            )
        if self.minimum_word_error is not None and self.augment.join:
            raise ConfigError(
                "minimum_word_error: joined utterances have no n-best lists; set augment.join: 0"
            )
        if self.minimum_word_error is not None and self.distillation is not None:
            raise ConfigError(
                "distillation: not together with minimum_word_error; train in two files, the "
                "second with initial_model"
            )


@plain_dataclass(frozen=True)
class InheritedDecoding:
    """What the model directory of a new recogniser has from its start: files and pronunciations.

    Attributes:
        inherited: the initial model's language model, lexicon and licences.
        lexicon: words and phones; empty for a network without a phone head.
    """

    inherited: list[Path]
    lexicon: list[tuple[str, str]]

    @classmethod
    def find(
        cls, config: RecognizerExperimentConfig, initial: InitialModel | None
    ) -> InheritedDecoding:
        """Those of the initial model, or the lexicon of CMUdict."""
        inherited: list[Path] = []
        lexicon: list[tuple[str, str]] = []
        if initial is not None:
            inherited = initial.files_for(config.tokenizer, config.acoustic.phones)
        if config.acoustic.phones:
            lexicon = (initial.lexicon() if initial is not None else []) or cmudict_entries()
        return cls(inherited, lexicon)

    def write(self, model: Path) -> None:
        """Write them to a model directory. Files that are there stay as they are."""
        copy_decoding_files(self.inherited, model)
        if self.lexicon and not (model / LEXICON_FILE).exists():
            write_lexicon(model / LEXICON_FILE, self.lexicon)


@plain_dataclass(frozen=True)
class RecognizerData:
    """What a recogniser is trained on, read.

    Attributes:
        config: the configuration, with the alphabet or the subwords of the train texts.
        tokenizer: text → label ids.
        speller: text → phone ids; None for a network without a phone head.
        initial: the model to start from; None for random weights.
        teacher: directory of the model to learn from; None without distillation.
        decoding: what the new model directory has from its start.
        train: the training data.
        dev: utterances of the dev set.
    """

    config: RecognizerExperimentConfig
    tokenizer: Tokenizer
    speller: PhoneSpeller | None
    initial: InitialModel | None
    teacher: Path | None
    decoding: InheritedDecoding
    train: SpeechDataset
    dev: list[Utterance]

    @classmethod
    def read(
        cls,
        config: RecognizerExperimentConfig,
        data: Path,
        say: Callable[[str], None],
        place: WorkerPlace = WorkerPlace(),
    ) -> RecognizerData:
        """Read the manifests, the lexicon and the features.

        Args:
            config: what to train, and on what.
            data: folder that the manifests' paths are relative to.
            say: receives messages for the user, such as the utterances that are left out.
            place: this worker among all. Default: the only worker.

        Raises:
            AsrError: the configuration or a manifest is wrong.
        """
        for name in config.data.train if config.minimum_word_error is not None else ():
            if is_pack(data / name):
                raise ConfigError(
                    f"minimum_word_error: {name}: a pack has no n-best lists; {REMEDY}"
                )
        dev_files = data_files("data.dev", config.data.dev, data, MAKE_DEV, packs=True)
        train = config.data.read(data)
        dev = [utterance for path in dev_files for utterance in read_utterances(path)]
        check_training_language(config.tokenizer, bool(config.language), train, say)
        texts = [u.text for u in train]
        fitted = fit_tokenizer(config.tokenizer, texts, config.data.subwords)
        config = replace(config, tokenizer=fitted)
        tokenizer = Tokenizer(config.tokenizer)
        if config.tokenizer.normaliser != "english":
            say(describe_alphabet(tokenizer))
        if unknown := outside_alphabet(tokenizer, (u.text for u in dev)):
            say(f"dev texts have characters outside the alphabet, which stay errors: {unknown}")
        initial = InitialModel.find(config.initial_model)
        decoding = InheritedDecoding.find(config, initial)
        speller = None
        if decoding.lexicon:
            speller = PhoneSpeller.of_lexicon(decoding.lexicon)
        teacher = None
        if config.distillation is not None:
            teacher = config.distillation.find(
                features=config.features, tokenizer=config.tokenizer, acoustic=config.acoustic
            )
        lists = _nbest_lists(config, data, tokenizer)
        dataset = SpeechDataset(
            train,
            tokenizer,
            config.features,
            config.acoustic,
            config.augment,
            config.training.seed,
            speller=speller,
            lists=lists,
            epoch_hours=config.data.epoch_hours,
            balance=config.data.balance,
            shuffle_hours=config.data.shuffle_hours,
            cache=data / FEATURE_CACHE,
            place=place,
        )
        dataset.easy_first = config.easy_first
        for problem in dataset.skipped:
            say(f"left out: {problem}")
        return cls(config, tokenizer, speller, initial, teacher, decoding, dataset, dev)


def train_recognizer(
    config: RecognizerExperimentConfig,
    data: Path,
    out: Path,
    max_steps: int | None = None,
    progress: Callable[..., None] | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train a recogniser, or continue the training that `out` holds.

    Args:
        config: what to train, and on what.
        data: folder that the manifests' paths are relative to.
        out: folder of the run; see `TrainingRun.train` for its files.
        max_steps: stop after this many batches, so that a later call resumes; default: train to
            the end.
        progress: see `Trainer.run`.
        say: receives messages for the user, such as the utterances that are left out.

    Returns:
        The model directory of the best epoch so far, `out`/model.

    Raises:
        AsrError: the configuration, a manifest, the checkpoint or the training itself is wrong.
    """
    prepare_process(config.training)
    place = WorkerPlace()
    if config.training.strategy == "multi_worker":
        place = find_place()
        say(f"worker {place.index + 1} of {place.count}, batches of {config.training.batch_size}")
        strategy = join_workers()
    else:
        strategy = make_strategy(config.training.strategy)
    keras.config.set_dtype_policy(config.training.precision)
    read = RecognizerData.read(config, data, say, place)
    config, tokenizer, dataset = read.config, read.tokenizer, read.train
    dev, speller, initial = read.dev, read.speller, read.initial
    distillation = config.distillation
    with strategy.scope():
        network = AcousticModel(config.acoustic, config.features.dimension, len(tokenizer))
        teacher = None if read.teacher is None else TeacherNetwork.load(read.teacher)
    keras.config.set_dtype_policy("float32")
    recognizer = Recognizer(
        RecognizerConfig(config.name, config.features, config.tokenizer, config.acoustic), network
    )
    if initial is not None:
        initial.assign_weights(network, config.tokenizer)

    word_errors = config.minimum_word_error

    def losses(batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        logits, lengths = network(batch["features"], batch["lengths"], training=True)
        heads = recognizer.heads.split(logits)
        smoothing = config.label_smoothing
        def both(heads):
            total = ctc.loss(
                heads.labels, lengths, batch["labels"], batch["label_lengths"], smoothing
            )
            if heads.phones is not None:
                total += ctc.loss(
                    heads.phones, lengths, batch["phones"], batch["phone_lengths"], smoothing
                )
            return total

        total = both(heads)
        if config.acoustic.middle:
            m = config.acoustic.middle
            total = (1 - m) * total + m * both(recognizer.heads.split(network.middle))
        if word_errors is not None:
            total = word_errors.ctc * total + expected_errors(heads, lengths, batch, word_errors)
        if distillation is not None and teacher is not None:
            taught = teacher.loss(batch["features"], batch["lengths"], logits)
            total = distillation.ctc * total + taught
        return total

    # Features do not change between epochs: extract them once.
    dev_features = [recognizer.features(u) for u in dev]

    def save(training: dict[str, Any]) -> None:
        recognizer.config = replace(recognizer.config, training=training)
        recognizer.save(out / "model", recognizer_card(recognizer.config))
        read.decoding.write(out / "model")

    hours = sum(e.utterance.duration for e in dataset.examples) / 3600
    content = {"features and labels": dataset.digest()}
    if teacher is not None:
        content["teacher's weights"] = teacher.weights_sha256
    run = TrainingRun(
        config=config,
        data=data,
        out=out,
        dataset=dataset,
        hours=min(hours, config.data.epoch_hours or hours),
        content=content,
        network=network,
        losses=losses,
        dev_scores=lambda: _dev_scores(recognizer, dev, dev_features, speller),
        save=save,
        strategy=strategy,
        teachers=count_by_teacher(e.utterance for e in dataset.examples),
        place=place,
    )
    model = run.train(max_steps, progress, say)
    if place.is_chief and initial is not None and (model / "model.json").exists():
        message = initial.message(read.decoding.inherited, model, data / config.data.dev[0])
        if message:
            say(message)
    return model


def _nbest_lists(
    config: RecognizerExperimentConfig, data: Path, tokenizer: Tokenizer
) -> NBestLists | None:
    """The n-best lists of the train manifests; None without minimum word error training."""
    if config.minimum_word_error is None:
        return None
    files = data_files("data.train", config.data.train, data)
    lists = {
        utterance: entries
        for file in files
        for utterance, entries in read_lists(file, config.acoustic.phones).items()
    }
    return NBestLists(lists, tokenizer, config.minimum_word_error.hypotheses)


def _dev_scores(
    recognizer: Recognizer,
    dev: list[Utterance],
    features: list[tuple[np.ndarray, float]],
    speller: PhoneSpeller | None,
) -> dict[str, float]:
    """Word, character and, with a phone head, phone error rates of greedy decoding.

    Args:
        features: for each utterance its features [frames, dimension] and duration in seconds.
        speller: text → phone ids; None for a network without a phone head.
    """
    tokenizer = recognizer.tokenizer
    order = sorted(range(len(dev)), key=lambda i: len(features[i][0]))
    hypotheses: dict[int, str] = {}
    phone_references, phone_hypotheses = [], []
    for start in range(0, len(order), DEV_BATCH):
        batch = order[start : start + DEV_BATCH]
        outputs = recognizer.outputs([features[i][0] for i in batch])
        for i, logits in zip(batch, outputs, strict=True):
            hypotheses[i] = tokenizer.decode(recognizer.decoder(logits).labels)
            if speller is not None:
                phone_references.append(speller(tokenizer.normalise(dev[i].text)))
                phone_hypotheses.append(ctc.greedy(recognizer.heads.split(logits).phones).labels)
    result = evaluate_results(
        dev,
        [Transcript(hypotheses[i], 0.0, features[i][1]) for i in range(len(dev))],
        tokenizer.normalise,
    )
    # Early stopping watches the sum: WER alone is coarse on a small dev set.
    scores = {"dev_wer": result.wer, "dev_cer": result.cer, "error": result.wer + result.cer}
    if speller is not None:
        # The phone error rate is the word error rate of texts whose words are phone ids.
        references = [" ".join(map(str, ids)) for ids in phone_references]
        found = [" ".join(map(str, ids)) for ids in phone_hypotheses]
        scores["dev_per"] = float(jiwer.wer(references, found))
    return scores
