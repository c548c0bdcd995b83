"""`VoiceDataset`: training batches of symbols, durations, pitch and mel frames for a voice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr.base.batching import pad, prefetched, shuffled_batches
from asr.base.tensorflow import tf
from asr.data.inputs import read_utterance
from asr.data.manifest import Utterance
from asr.errors import ConfigError, TextError
from asr.pronunciation.pronouncer import Pronouncer
from asr.recognizer import Recognizer
from asr.results import Word
from asr.training.voice_measurements import (
    RecordingMeasures,
    SpokenPitch,
    cache_key,
    measure_recordings,
    read_cache,
    read_frames,
    write_cache,
)
from asr.tts.mel import MelConfig
from asr.tts.sentences import Sentence, one_sentence
from asr.tts.voice_config import FRAMES_PER_STEP, PITCH_POINTS


@dataclass(frozen=True)
class VoiceExample:
    """A recording with everything that the network learns from.

    Attributes:
        utterance: the manifest line.
        sentence: the symbols of its text.
        frames: log-mel frames, float32 [steps × FRAMES_PER_STEP, mels].
        durations: decoder steps of each symbol, int [symbols].
        speaker: place of the speaker in the voice's list; 0 if it has none.
        pitch: pitch of its steps and symbols.
        start: time of the first frame in the recording, in seconds.
    """

    utterance: Utterance
    sentence: Sentence
    frames: np.ndarray
    durations: np.ndarray
    speaker: int
    pitch: SpokenPitch
    start: float


class VoiceDataset:
    """Examples of the train and dev set, and the batches of any epoch of the train set.

    Everything random is a function of (seed, epoch). Recordings that cannot be trained on are left
    out; `skipped` lists them with the reason.

    Args:
        train, dev: the recordings.
        recognizer: aligns the words of the recordings.
        pronounce: word → phones.
        mel: how mel frames are computed.
        seed: seed of the order of batches.
        cache: file that keeps durations and pitch, whose measurement takes minutes.
        speakers: names of the speakers, if the voice has several.

    Raises:
        ConfigError: a recording is of none of the speakers.
        TextError: no recording of the train or of the dev set can be used.
    """

    def __init__(
        self,
        train: Sequence[Utterance],
        dev: Sequence[Utterance],
        recognizer: Recognizer,
        pronounce: Pronouncer,
        mel: MelConfig,
        seed: int,
        cache: Path,
        speakers: Sequence[str] = (),
    ) -> None:
        self.mel, self.seed = mel, seed
        utterances = [*train, *dev]
        places = [_speaker_place(u, speakers) for u in utterances]
        key = cache_key(utterances, places, recognizer, pronounce, mel)
        measured = read_cache(cache, key)
        if measured is None:
            measured = measure_recordings(utterances, places, recognizer, pronounce, mel)
            write_cache(cache, key, measured)
        self.skipped = measured.skipped
        examples = [
            _example(utterances[i], places[i], pronounce, mel, measures)
            for i, measures in zip(measured.kept, measured.measures, strict=True)
        ]
        count = sum(i < len(train) for i in measured.kept)
        self.examples, self.dev = examples[:count], examples[count:]
        if not self.examples or not self.dev:
            listed = "\n  ".join(self.skipped[:20])
            raise TextError(f"train or dev: no recording can be trained on:\n  {listed}")

    def __len__(self) -> int:
        return len(self.examples)

    def describe(self, index: int) -> str:
        """Name of an example in error messages."""
        return self.examples[index].utterance.name

    @property
    def seconds_per_step(self) -> float:
        """Length of a decoder step in seconds."""
        return FRAMES_PER_STEP * self.mel.hop / self.mel.sample_rate

    def picture(self, example: VoiceExample) -> tuple[np.ndarray, int, tuple[Word, ...]]:
        """Samples, sample rate in Hz, and the symbols with their times, for `plots.alignment`."""
        rate, step = self.mel.sample_rate, self.seconds_per_step
        ends = np.cumsum(example.durations)
        spans = zip(example.sentence.symbols, ends - example.durations, ends, strict=True)
        return (
            read_utterance(example.utterance, rate),
            rate,
            tuple(
                Word(symbol, example.start + first * step, example.start + last * step, 1.0)
                for symbol, first, last in spans
                if last > first
            ),
        )

    def digest(self) -> str:
        """SHA-256 of all symbols, durations, pitch and frames in order."""
        total = hashlib.sha256()
        for e in self.examples:
            numbers = np.array([*e.sentence.ids, e.speaker])
            for array in (numbers, e.durations, *e.pitch, e.frames):
                total.update(array.tobytes())
        return total.hexdigest()

    def statistics(self) -> dict[str, np.ndarray]:
        """Means and standard deviations for `VoiceModel.scales`."""
        return scale_values(
            [e.frames for e in self.examples], [e.pitch.symbols for e in self.examples]
        )

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Example indices of each batch of an epoch, shuffled, with similar lengths in a batch.

        A batch has all speakers: each item is as long among its speaker's as the others are among
        theirs. Batches of one speaker would move the shared weights to and fro.
        """
        steps = np.array([e.durations.sum() for e in self.examples])
        lengths = steps * self.seconds_per_step
        speakers = np.array([e.speaker for e in self.examples])
        if speakers.any():
            for speaker in np.unique(speakers):
                own = speakers == speaker
                lengths[own] = np.argsort(np.argsort(steps[own])) / own.sum()
        return shuffled_batches(lengths, batch_size, (self.seed, epoch))

    def tf_dataset(self, epoch: int, batch_size: int, skip: int = 0) -> tf.data.Dataset:
        """The batches of an epoch, without the first `skip`, as a prefetched pipeline."""
        plan = self.plan(epoch, batch_size)
        signature = {
            "symbols": tf.TensorSpec([None, None], tf.int32),
            "lengths": tf.TensorSpec([None], tf.int32),
            "speakers": tf.TensorSpec([None], tf.int32),
            "durations": tf.TensorSpec([None, None], tf.int32),
            "pitch": tf.TensorSpec([None, None, PITCH_POINTS], tf.float32),
            "step_pitch": tf.TensorSpec([None, None], tf.float32),
            "frames": tf.TensorSpec([None, None, self.mel.mels], tf.float32),
            "places": tf.TensorSpec([None], tf.float32),
            "indices": tf.TensorSpec([None], tf.int32),
            "weights": tf.TensorSpec([None], tf.float32),
        }

        def batches() -> Iterator[dict[str, np.ndarray]]:
            for number in range(skip, len(plan)):
                indices = plan[number]
                rng = np.random.default_rng((self.seed, epoch, number))
                yield {
                    **padded([self.examples[i] for i in indices]),
                    "places": rng.random(len(indices), np.float32),
                    "indices": indices.astype(np.int32),
                    "weights": np.full(len(indices), 1 / len(indices), np.float32),
                }

        return prefetched(batches, signature)


def scale_values(
    frames: Sequence[np.ndarray], log_pitch: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """Means and standard deviations for `asr.tts.scales`.

    Args:
        frames: log-mel frames of each recording, float32 [frames, mels].
        log_pitch: natural logarithm of pitches of each recording, of any shape.
    """
    bands, pitch = np.concatenate(frames), np.concatenate(log_pitch)
    return {
        "mel_mean": bands.mean(axis=0),
        "mel_deviation": bands.std(axis=0) + 1e-3,
        "pitch_mean": pitch.mean(),
        "pitch_deviation": pitch.std() + 1e-3,
    }


def padded(examples: Sequence[VoiceExample]) -> dict[str, np.ndarray]:
    """Examples as one batch of arrays, padded with zeros, for `voice_errors`."""
    return {
        "symbols": pad([np.array(e.sentence.ids) for e in examples], np.int32),
        "lengths": np.array([len(e.durations) for e in examples], np.int32),
        "speakers": np.array([e.speaker for e in examples], np.int32),
        "durations": pad([e.durations for e in examples], np.int32),
        "pitch": pad([e.pitch.symbols for e in examples], np.float32, (PITCH_POINTS,)),
        "step_pitch": pad([e.pitch.steps for e in examples], np.float32),
        "frames": pad([e.frames for e in examples], np.float32, examples[0].frames.shape[1:]),
    }


def _speaker_place(utterance: Utterance, speakers: Sequence[str]) -> int:
    """Place of the utterance's speaker in the list; 0 if it is empty.

    Raises:
        ConfigError: the list lacks the speaker.
    """
    if not speakers:
        return 0
    if utterance.speaker not in speakers:
        raise ConfigError(
            f"speakers: {utterance.name} is of {utterance.speaker or 'no speaker'}, who is not in "
            f"the list: {', '.join(speakers)}"
        )
    return speakers.index(utterance.speaker)


def _example(
    utterance: Utterance,
    speaker: int,
    pronounce: Pronouncer,
    mel: MelConfig,
    measures: RecordingMeasures,
) -> VoiceExample:
    frames = read_frames(utterance, mel, measures.first, measures.last)
    count = int(measures.durations.sum()) * FRAMES_PER_STEP
    # A step has several frames: repeat the last frame where one is missing.
    frames = np.concatenate([frames, frames[-1:]])[:count]
    return VoiceExample(
        utterance=utterance,
        sentence=one_sentence(utterance.text, pronounce),
        frames=frames,
        durations=measures.durations,
        speaker=speaker,
        pitch=measures.pitch,
        start=measures.first / mel.sample_rate,
    )
