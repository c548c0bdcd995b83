"""`VocoderDataset`: training batches of frames, pitch, pulses and samples for a trained vocoder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from scipy.signal import fftconvolve

from asr.base.batching import prefetched
from asr.base.files import atomic_write
from asr.base.progress import track
from asr.base.tensorflow import tf
from asr.data.inputs import read_utterance
from asr.training.voice_dataset import VoiceDataset, VoiceExample, padded, scale_values
from asr.training.voice_measurements import VOICED, PitchTrack, pitch_track
from asr.tts.mel import MelConfig
from asr.tts.source_filter import at_samples, pulse_train
from asr.tts.voice_config import FRAMES_PER_STEP
from asr.tts.voice_network import VoiceModel

PREDICTION_BATCH = 16
"""Recordings whose frames the voice predicts at once."""
PERIODS = 4
"""Length of the window that separates the first harmonic from the others, in periods."""
DEV_SEED = 0
"""Seed of the crops and the noise of the dev set, which are the same in every epoch."""


@dataclass(frozen=True)
class VocoderExample:
    """A recording with everything that a vocoder learns from.

    Attributes:
        recorded: log-mel frames of the recording, float32 [frames, mels].
        predicted: the frames that the voice predicts for its text, durations and pitch, which is
            what the vocoder will read, of the same shape.
        samples: the recording, float32 [(frames − 1) × hop].
        pulses: pulses in phase with the recording, of the same shape.
        pitch: pitch of each frame.
    """

    recorded: np.ndarray
    predicted: np.ndarray
    samples: np.ndarray
    pulses: np.ndarray
    pitch: PitchTrack


class VocoderDataset:
    """Short pieces of recordings, and the batches of any epoch of them.

    An epoch has one piece of each recording. Everything random is a function of (seed, epoch).

    Args:
        voice: the recordings with their symbols, durations and pitch.
        network: the voice, which predicts frames.
        crop: length of a piece, in frames.
        predicted_share: share of the pieces whose frames are predicted; the others are recorded.
        seed: seed of pieces, noise and the order of batches.
        cache: file that keeps the pitch of the frames, whose measurement takes minutes.
    """

    def __init__(
        self,
        voice: VoiceDataset,
        network: VoiceModel,
        crop: int,
        predicted_share: float,
        seed: int,
        cache: Path,
    ) -> None:
        self.voice, self.mel, self.crop, self.seed = voice, voice.mel, crop, seed
        self.predicted_share = predicted_share
        examples = [*voice.examples, *voice.dev]
        pitch = _measured_pitch(examples, voice, cache)
        predicted = _predict(network, examples)
        made = [
            _example(example, frames, heights, voice.mel, crop)
            for example, frames, heights in zip(examples, predicted, pitch, strict=True)
        ]
        self.examples, self.dev = made[: len(voice.examples)], made[len(voice.examples) :]
        self.skipped = voice.skipped

    def __len__(self) -> int:
        return len(self.examples)

    def describe(self, index: int) -> str:
        """Name of an example in error messages."""
        return self.voice.describe(index)

    def digest(self) -> str:
        """SHA-256 of all frames, pitch and samples in order."""
        total = hashlib.sha256()
        for e in self.examples:
            for array in (e.recorded, e.predicted, e.samples, e.pulses, *astuple(e.pitch)):
                total.update(array.tobytes())
        return total.hexdigest()

    def statistics(self) -> dict[str, np.ndarray]:
        """Means and standard deviations for `VocoderNetwork.scales`."""
        return scale_values(
            [e.recorded for e in self.examples], [e.pitch.log_pitch for e in self.examples]
        )

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Example indices of each batch of an epoch, shuffled."""
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.examples))
        return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]

    def tf_dataset(self, epoch: int, batch_size: int, skip: int = 0) -> tf.data.Dataset:
        """The batches of an epoch, without the first `skip`, as a prefetched pipeline."""
        plan = self.plan(epoch, batch_size)

        def batches() -> Iterator[dict[str, np.ndarray]]:
            for number in range(skip, len(plan)):
                rng = np.random.default_rng((self.seed, epoch, number))
                chosen = [self.examples[i] for i in plan[number]]
                yield {
                    **self.batch(chosen, rng, self.predicted_share),
                    "indices": plan[number].astype(np.int32),
                    "weights": np.full(len(chosen), 1 / len(chosen), np.float32),
                }

        count = (self.crop - 1) * self.mel.hop
        signature = {
            "frames": tf.TensorSpec([None, self.crop, self.mel.mels], tf.float32),
            "pitch": tf.TensorSpec([None, self.crop], tf.float32),
            "measured": tf.TensorSpec([None, self.crop], tf.float32),
            "samples": tf.TensorSpec([None, count], tf.float32),
            "pulses": tf.TensorSpec([None, count], tf.float32),
            "noises": tf.TensorSpec([None, 2, count], tf.float32),
            "indices": tf.TensorSpec([None], tf.int32),
            "weights": tf.TensorSpec([None], tf.float32),
        }
        return prefetched(batches, signature)

    def dev_batches(self, batch_size: int) -> list[dict[str, np.ndarray]]:
        """One piece of each recording of the dev set, with predicted frames."""
        rng = np.random.default_rng(DEV_SEED)
        return [
            self.batch(self.dev[i : i + batch_size], rng, 1.0)
            for i in range(0, len(self.dev), batch_size)
        ]

    def batch(
        self, examples: Sequence[VocoderExample], rng: np.random.Generator, predicted_share: float
    ) -> dict[str, np.ndarray]:
        """A piece of each example, for `vocoder_errors`."""
        pieces = [self._piece(e, rng, predicted_share) for e in examples]
        batch = {
            name: np.stack([piece[name] for piece in pieces]).astype(np.float32)
            for name in pieces[0]
        }
        shape = (len(examples), 2, (self.crop - 1) * self.mel.hop)
        return {**batch, "noises": rng.standard_normal(shape, np.float32)}

    def _piece(
        self, example: VocoderExample, rng: np.random.Generator, predicted_share: float
    ) -> dict[str, np.ndarray]:
        first = int(rng.integers(len(example.recorded) - self.crop + 1))
        frames = slice(first, first + self.crop)
        samples = slice(first * self.mel.hop, (first + self.crop - 1) * self.mel.hop)
        chosen = example.predicted if rng.random() < predicted_share else example.recorded
        return {
            "frames": chosen[frames],
            "pitch": example.pitch.log_pitch[frames],
            "measured": example.pitch.measured[frames],
            "samples": example.samples[samples],
            "pulses": example.pulses[samples],
        }


def _measured_pitch(
    examples: Sequence[VoiceExample], voice: VoiceDataset, cache: Path
) -> list[PitchTrack]:
    """The pitch of each example's frames, from the cache if it has that of these examples."""
    key = voice.digest()
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as arrays:
            if str(arrays["key"]) == key:
                pairs = (
                    (arrays[f"pitch_{i}"], arrays[f"measured_{i}"]) for i in range(len(examples))
                )
                return [PitchTrack(*pair) for pair in pairs]
    found = []
    for example in track(examples, len(examples), "measuring pitch"):
        owners = np.repeat(np.arange(len(example.durations)), example.durations * FRAMES_PER_STEP)
        voiced = np.array([s in VOICED for s in example.sentence.symbols])[owners]
        found.append(pitch_track(_samples(example, voice.mel), voiced, voice.mel.hop, voice.mel))
    arrays = {"key": np.array(key)}
    for i, pitch in enumerate(found):
        arrays |= {f"pitch_{i}": pitch.log_pitch, f"measured_{i}": pitch.measured}
    with atomic_write(cache, binary=True) as file:
        np.savez(file, **arrays)
    return found


def _samples(example: VoiceExample, mel: MelConfig) -> np.ndarray:
    """The recording between the centres of the first and the last frame."""
    first, count = round(example.start * mel.sample_rate), (len(example.frames) - 1) * mel.hop
    samples = read_utterance(example.utterance, mel.sample_rate)[first : first + count]
    return np.pad(samples, (0, count - len(samples)))


def _predict(network: VoiceModel, examples: Sequence[VoiceExample]) -> list[np.ndarray]:
    """The frames of each example that the voice predicts for its durations and pitch."""
    scales = {name: variable.numpy() for name, variable in network.scales.items()}
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].frames))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, None], tf.float32),
        ]
    )
    def decode(
        symbols: tf.Tensor,
        lengths: tf.Tensor,
        speakers: tf.Tensor,
        durations: tf.Tensor,
        heights: tf.Tensor,
    ) -> tf.Tensor:
        return network.decode(network.encode(symbols, lengths, speakers), durations, heights)

    found: dict[int, np.ndarray] = {}
    for start in track(
        range(0, len(order), PREDICTION_BATCH), -(-len(order) // PREDICTION_BATCH), "predicting"
    ):
        chosen = order[start : start + PREDICTION_BATCH]
        batch = padded([examples[i] for i in chosen])
        heights = (batch["step_pitch"] - scales["pitch_mean"]) / scales["pitch_deviation"]
        inputs = (batch[name] for name in ("symbols", "lengths", "speakers", "durations"))
        frames = decode(*inputs, heights).numpy()
        for i, row in zip(chosen, frames, strict=True):
            kept = row[: FRAMES_PER_STEP * int(examples[i].durations.sum())]
            found[i] = kept * scales["mel_deviation"] + scales["mel_mean"]
    return [found[i] for i in range(len(examples))]


def _example(
    example: VoiceExample, predicted: np.ndarray, pitch: PitchTrack, mel: MelConfig, crop: int
) -> VocoderExample:
    """An example of at least `crop` frames: silence follows a recording that is shorter."""
    missing = max(0, crop - len(example.frames))
    silence = np.full((missing, mel.mels), np.log(mel.floor), np.float32)
    samples = np.pad(_samples(example, mel), (0, missing * mel.hop))
    pitch = PitchTrack(
        np.pad(pitch.log_pitch, (0, missing), mode="edge"), np.pad(pitch.measured, (0, missing))
    )
    return VocoderExample(
        np.concatenate([example.frames, silence]),
        np.concatenate([predicted, silence]),
        samples,
        locked_pulses(samples, pitch, mel),
        pitch,
    )


def locked_pulses(samples: np.ndarray, pitch: PitchTrack, mel: MelConfig) -> np.ndarray:
    """Pulses in phase with the first harmonic of a recording.

    With the measured pitch alone, the error of a high harmonic's frequency would be many times
    that of the first one, and the network would learn to replace harmonics by noise.

    Args:
        samples: the recording, float32 [(frames − 1) × hop].
        pitch: its pitch, of each frame.
        mel: sample rate and hop.

    Returns:
        float32 of the shape of `samples`.
    """
    hertz = np.exp(at_samples(pitch.log_pitch, mel))
    turns = np.cumsum(hertz / mel.sample_rate)
    half = round(PERIODS / 2 / np.exp(pitch.log_pitch.mean()) * mel.sample_rate)
    # The recording, moved down by its pitch: what is slow is the first harmonic.
    moved = samples * np.exp(-2j * np.pi * turns)
    slow = fftconvolve(moved, np.hanning(2 * half + 1), mode="same")
    frames = np.flatnonzero(pitch.measured[:-1])
    if len(frames):
        ahead = np.unwrap(np.angle(slow[frames * mel.hop])) / (2 * np.pi)
        turns += np.interp(np.arange(len(turns)), frames * mel.hop, ahead)
    return pulse_train(turns, hertz, mel.sample_rate)
