"""`train_vocoder`: train a vocoder for a voice, from a configuration and manifests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.base.tensorflow import tf
from asr.decoding.decoding_options import NO_LM, Decoding
from asr.errors import ConfigError
from asr.networks.model_directory import LEXICON_FILE, read_config
from asr.networks.weights import load_weights
from asr.pronunciation.pronouncer import Pronouncer, read_lexicon
from asr.recognizer import Recognizer
from asr.training.config_paths import model_folder
from asr.training.model_card import voice_card
from asr.training.spectral_distance import energy_distance
from asr.training.train_voice import VoiceDataConfig, read_recordings, write_samples
from asr.training.trainer import TrainingConfig, make_strategy
from asr.training.training_run import TrainingRun, prepare_process
from asr.training.vocoder_dataset import VocoderDataset
from asr.training.voice_dataset import VoiceDataset
from asr.tts.mel import MelConfig
from asr.tts.source_filter_network import VocoderNetwork, filtered_graph
from asr.tts.synthesizer import Synthesizer
from asr.tts.voice_config import VOCODER_FILE, VocoderConfig, VocoderShape, VoiceConfig
from asr.tts.voice_network import load_voice_network, save_voice

DEV_BATCH = 16
"""Pieces per batch in the evaluation on the dev set."""


@dataclass(frozen=True, config=STRICT)
class VocoderExperimentConfig:
    """The YAML file of a vocoder, such as pipelines/configs/vocoder-kathleen.yaml."""

    vocoder: str
    """Name of the training, whose folder is runs/NAME. Required: this key makes the file a
    vocoder's."""
    voice: str
    """The voice whose frames the vocoder learns to read, by shipped name or directory. The
    directory is relative to the working directory. Required."""
    data: VoiceDataConfig
    """Manifests to train and evaluate on: those of the voice. Required."""
    recognizer: str = "en-small"
    """Recogniser that aligns the words of the recordings, by shipped name or directory. The
    directory is relative to the working directory. Default: en-small."""
    shape: VocoderShape = Field(default_factory=VocoderShape)
    """Shape of the network."""
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    """Optimisation. The precision must be float32."""
    initial_vocoder: str = ""
    """Voice whose vocoder the training starts from, by shipped name or directory. It must have the
    same `shape` and frames. Default: none, random weights."""
    crop: int = Field(default=96, ge=16)
    """Frames of each piece of a recording. Default: 96 (1.1 s)."""
    predicted_share: float = Field(default=0.7, ge=0, le=1)
    """Share of the pieces whose frames the voice predicts from the text, as in use; the others are
    the recording's. Default: 0.7."""
    pitch_weight: float = Field(default=0.5, ge=0)
    """Weight in the loss of the absolute error of the pitch, in standard deviations. The distance
    of spectra has weight 1. Default: 0.5."""

    def __post_init__(self) -> None:
        if self.training.precision != "float32":
            raise ConfigError("training.precision: a vocoder needs float32")


def train_vocoder(
    config: VocoderExperimentConfig,
    data: Path,
    out: Path,
    max_steps: int | None = None,
    progress: Callable[..., None] | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train a vocoder, or continue the training that `out` holds.

    `out`/model is the voice with the vocoder of the best epoch. Beside the files of
    `TrainingRun.train`, `out` gets `durations.npz`, as in the training of a voice, `pitch.npz`
    with the pitch of its frames, and, from the best epoch, `sample-N.wav` and `sample-N.png`.

    Args:
        config: what to train, and on what.
        data: folder that the manifests' paths are relative to.
        out: folder of the run.
        max_steps, progress, say: see `train_recognizer`.

    Returns:
        The model directory, `out`/model.

    Raises:
        AsrError: the configuration, a manifest, the checkpoint or the training itself is wrong.
    """
    prepare_process(config.training)
    train, dev = read_recordings(config.data, data)
    recognizer_folder = model_folder("recognizer", config.recognizer)
    folder = model_folder("voice", config.voice)
    voice = read_config(VoiceConfig, folder)
    initial = None
    if config.initial_vocoder:
        initial = model_folder("initial_vocoder", config.initial_vocoder)
        start = _initial_vocoder(initial, config.shape, voice.mel)
    speaker = load_voice_network(folder, voice)
    pronounce = Pronouncer(read_lexicon(folder / LEXICON_FILE))
    recognizer = Recognizer.load(recognizer_folder, Decoding(lm=NO_LM))
    spoken = VoiceDataset(
        train,
        dev,
        recognizer,
        pronounce,
        voice.mel,
        config.training.seed,
        out / "durations.npz",
        voice.speakers,
    )
    for problem in spoken.skipped:
        say(f"left out: {problem}")
    dataset = VocoderDataset(
        spoken,
        speaker,
        config.crop,
        config.predicted_share,
        config.training.seed,
        out / "pitch.npz",
    )

    strategy = make_strategy(config.training.strategy)
    with strategy.scope():
        network = VocoderNetwork(config.shape, voice.mel)
    if initial is None:
        for name, value in dataset.statistics().items():
            network.scales[name].assign(value)
    else:
        load_weights(network, initial / VOCODER_FILE, start.weights_sha256)

    def losses(batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        errors = vocoder_errors(network, voice.mel, batch)
        return errors.spectrum + config.pitch_weight * errors.pitch

    dev_batches = dataset.dev_batches(DEV_BATCH)
    dev_errors = tf.function(lambda batch: vocoder_errors(network, voice.mel, batch))

    def dev_scores() -> dict[str, float]:
        errors = [dev_errors(batch) for batch in dev_batches]
        spectrum, pitch = (float(np.concatenate(e).mean()) for e in zip(*errors, strict=True))
        error = spectrum + config.pitch_weight * pitch
        return {"dev_spectrum": spectrum, "dev_pitch": pitch, "error": error}

    def save(training: dict[str, Any]) -> None:
        made = replace(voice, vocoder=VocoderConfig(config.shape, training))
        save_voice(out / "model", made, pronounce, speaker, voice_card(made), network)
        write_samples(Synthesizer.load(out / "model"), spoken, out)

    run = TrainingRun(
        config=config,
        data=data,
        out=out,
        dataset=dataset,
        hours=len(dataset) * config.crop * voice.mel.hop / voice.mel.sample_rate / 3600,
        content={
            "frames, pitch and samples": dataset.digest(),
            "voice": voice.weights_sha256,
            "recognizer": recognizer.config.weights_sha256,
            **({} if initial is None else {"initial vocoder": start.weights_sha256}),
        },
        network=network,
        losses=losses,
        dev_scores=dev_scores,
        save=save,
        strategy=strategy,
    )
    return run.train(max_steps, progress, say)


def _initial_vocoder(folder: Path, shape: VocoderShape, mel: MelConfig) -> VocoderConfig:
    """The configuration of the vocoder of a voice, which must have this shape and these frames."""
    found = read_config(VoiceConfig, folder)
    if found.vocoder is None:
        raise ConfigError(f"initial_vocoder: {folder} has no trained vocoder")
    if (found.vocoder.shape, found.mel) != (shape, mel):
        raise ConfigError(
            f"initial_vocoder: {folder} has another shape of its vocoder, or another key `mel`"
        )
    return found.vocoder


class VocoderErrors(NamedTuple):
    """Errors of each piece of a batch, float32 [batch].

    spectrum: `energy_distance` to the recording. pitch: absolute error of the standardised log
    pitch, where it was measured.
    """

    spectrum: tf.Tensor
    pitch: tf.Tensor


def vocoder_errors(
    network: VocoderNetwork, mel: MelConfig, batch: Mapping[str, tf.Tensor]
) -> VocoderErrors:
    """The network's errors. The harmonics have the recording's pitch.

    Args:
        network: the network.
        mel: frame settings of the recordings.
        batch: arrays as `VocoderDataset.batch` makes them.
    """
    controls = network(batch["frames"])
    harmonic = (batch["pulses"], controls.harmonics)
    made, other = (
        filtered_graph([harmonic, (batch["noises"][:, i], controls.noise)], mel) for i in (0, 1)
    )
    scales = network.scales
    pitch = (batch["pitch"] - scales["pitch_mean"]) / scales["pitch_deviation"]
    measured = batch["measured"]
    wrong = tf.reduce_sum(tf.abs(controls.pitch - pitch) * measured, axis=1)
    return VocoderErrors(
        spectrum=energy_distance(batch["samples"], made, other),
        pitch=wrong / tf.maximum(tf.reduce_sum(measured, axis=1), 1.0),
    )
