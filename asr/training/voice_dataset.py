"""`VoiceDataset`: training batches of symbols, durations, pitch and mel frames for a voice."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import numpy as np

from asr.audio.reading import read_audio
from asr.base.batching import pad, prefetched, shuffled_batches
from asr.base.config import to_dict
from asr.base.files import atomic_write
from asr.base.progress import track
from asr.base.tensorflow import tf
from asr.data.manifest import Utterance
from asr.errors import AsrError, TextError
from asr.pronunciation.pronouncer import Pronouncer
from asr.recognizer import Recognizer
from asr.results import Word
from asr.text.phones import VOWELS
from asr.training.phone_durations import ROUNDS, TOLERANCE, SpokenSentence, align_symbols
from asr.tts.mel import MelConfig, log_mel
from asr.tts.sentences import SILENT, Sentence, one_sentence
from asr.tts.voice_network import FRAMES_PER_STEP, PITCH_POINTS

BEFORE, AFTER = 0.1, 0.25
"""Silence kept before and after a sentence, in seconds."""
VOICED = frozenset((*(v + s for v in VOWELS for s in "01"), "L", "M", "N", "NG", "R", "W", "Y"))
"""Voiced symbols. The pitch of all other symbols is interpolated between them."""
LOWEST_PITCH, HIGHEST_PITCH = 60.0, 500.0
"""Range in which the pitch is searched, in Hz."""


@dataclass(frozen=True)
class VoiceExample:
    """A recording with everything that the network learns from.

    Attributes:
        utterance: the manifest line.
        sentence: the symbols of its text.
        frames: log-mel frames, float32 [steps × FRAMES_PER_STEP, mels].
        durations: decoder steps of each symbol, int [symbols].
        pitch: natural logarithm of the pitch in Hz, float32 [symbols, PITCH_POINTS].
        start: time of the first frame in the recording, in seconds.
    """

    utterance: Utterance
    sentence: Sentence
    frames: np.ndarray
    durations: np.ndarray
    pitch: np.ndarray
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

    Raises:
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
    ) -> None:
        self.mel, self.seed = mel, seed
        utterances = [*train, *dev]
        key = _cache_key(utterances, recognizer, pronounce, mel)
        prepared = _read_cache(cache, key)
        if prepared is None:
            prepared = _prepare(utterances, recognizer, pronounce, mel)
            _write_cache(cache, key, prepared)
        self.skipped = prepared.skipped
        examples = [
            _example(utterances[i], pronounce, mel, measures)
            for i, measures in zip(prepared.kept, prepared.measures, strict=True)
        ]
        count = sum(i < len(train) for i in prepared.kept)
        self.examples, self.dev = examples[:count], examples[count:]
        if not self.examples or not self.dev:
            listed = "\n  ".join(self.skipped[:20])
            raise TextError(f"train or dev: no recording can be trained on:\n  {listed}")

    def __len__(self) -> int:
        return len(self.examples)

    def describe(self, index: int) -> str:
        """Name of an example in error messages."""
        return str(self.examples[index].utterance.path)

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
            read_audio(example.utterance.path, rate),
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
            for array in (np.array(e.sentence.ids), e.durations, e.pitch, e.frames):
                total.update(array.tobytes())
        return total.hexdigest()

    def statistics(self) -> dict[str, np.ndarray]:
        """Means and standard deviations for `VoiceModel.scales`."""
        frames = np.concatenate([e.frames for e in self.examples])
        pitch = np.concatenate([e.pitch for e in self.examples])
        return {
            "mel_mean": frames.mean(axis=0),
            "mel_deviation": frames.std(axis=0) + 1e-3,
            "pitch_mean": pitch.mean(),
            "pitch_deviation": pitch.std() + 1e-3,
        }

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Example indices of each batch of an epoch, shuffled, with similar lengths in a batch."""
        seconds = [e.durations.sum() * self.seconds_per_step for e in self.examples]
        return shuffled_batches(seconds, batch_size, (self.seed, epoch))

    def tf_dataset(self, epoch: int, batch_size: int, skip: int = 0) -> tf.data.Dataset:
        """The batches of an epoch, without the first `skip`, as a prefetched pipeline."""
        plan = self.plan(epoch, batch_size)[skip:]
        signature = {
            "symbols": tf.TensorSpec([None, None], tf.int32),
            "lengths": tf.TensorSpec([None], tf.int32),
            "durations": tf.TensorSpec([None, None], tf.int32),
            "pitch": tf.TensorSpec([None, None, PITCH_POINTS], tf.float32),
            "frames": tf.TensorSpec([None, None, self.mel.mels], tf.float32),
            "indices": tf.TensorSpec([None], tf.int32),
            "weights": tf.TensorSpec([None], tf.float32),
        }
        return prefetched(
            lambda: (
                {
                    **padded([self.examples[i] for i in indices]),
                    "indices": indices.astype(np.int32),
                    "weights": np.full(len(indices), 1 / len(indices), np.float32),
                }
                for indices in plan
            ),
            signature,
        )


def padded(examples: Sequence[VoiceExample]) -> dict[str, np.ndarray]:
    """Examples as one batch of arrays, padded with zeros, for `voice_errors`."""
    return {
        "symbols": pad([np.array(e.sentence.ids) for e in examples], np.int32),
        "lengths": np.array([len(e.durations) for e in examples], np.int32),
        "durations": pad([e.durations for e in examples], np.int32),
        "pitch": pad([e.pitch for e in examples], np.float32, (PITCH_POINTS,)),
        "frames": pad([e.frames for e in examples], np.float32, examples[0].frames.shape[1:]),
    }


def symbol_pitch(
    samples: np.ndarray, symbols: Sequence[str], steps: np.ndarray, mel: MelConfig
) -> np.ndarray:
    """Mean log pitch of the first and the second half of each symbol.

    The pitch of voiced symbols is found by YIN (de Cheveigné & Kawahara, 2002). Between them it is
    interpolated linearly.

    Args:
        samples: mono samples of the sentence, float32 [n].
        symbols: the symbols of the sentence.
        steps: decoder steps of each symbol, int [symbols].
        mel: sample rate and frame lengths.

    Returns:
        Natural logarithm of the pitch in Hz, float32 [symbols, PITCH_POINTS].
    """
    hop = FRAMES_PER_STEP * mel.hop
    hertz = librosa.yin(
        samples,
        fmin=LOWEST_PITCH,
        fmax=HIGHEST_PITCH,
        sr=mel.sample_rate,
        frame_length=2 * mel.fft,
        hop_length=hop,
    )
    owners = np.repeat(np.arange(len(symbols)), steps)
    hertz = hertz[: len(owners)]
    voiced = np.array([s in VOICED for s in symbols])[owners[: len(hertz)]]
    median = np.median(hertz[voiced]) if voiced.any() else np.sqrt(LOWEST_PITCH * HIGHEST_PITCH)
    # YIN is sometimes wrong by an octave: drop values far from the median.
    trusted = np.flatnonzero(voiced & (hertz > median / 1.6) & (hertz < median * 1.6))
    if not len(trusted):
        return np.full([len(symbols), PITCH_POINTS], np.log(median), np.float32)
    curve = np.interp(np.arange(len(owners) + 1), trusted, np.log(hertz[trusted]))
    pitch = np.empty([len(symbols), PITCH_POINTS], np.float32)
    ends = np.cumsum(steps)
    for i, (first, last) in enumerate(zip(ends - steps, ends, strict=True)):
        middle = (first + last) // 2
        pitch[i, 0] = curve[first : max(middle, first + 1)].mean()
        pitch[i, 1] = curve[middle : max(last, middle + 1)].mean()
    return pitch


@dataclass(frozen=True)
class _Measures:
    """Measurements of a recording that take long.

    Attributes:
        first, last: range of the recording's samples that is used; `last` is exclusive.
        durations, pitch: see `VoiceExample`.
    """

    first: int
    last: int
    durations: np.ndarray
    pitch: np.ndarray


@dataclass(frozen=True)
class _Prepared:
    """Measurements of all usable recordings.

    Attributes:
        kept: indices of the usable recordings.
        measures: their measurements.
        skipped: one message for each recording that is left out.
    """

    kept: tuple[int, ...]
    measures: tuple[_Measures, ...]
    skipped: tuple[str, ...]


def _prepare(
    utterances: Sequence[Utterance], recognizer: Recognizer, pronounce: Pronouncer, mel: MelConfig
) -> _Prepared:
    kept, skipped, spans, spoken = [], [], [], []
    for i, utterance in enumerate(track(utterances, len(utterances), "aligning words")):
        try:
            sentence, span, words = _words(utterance, recognizer, pronounce, mel)
            frames = _frames(utterance, mel, *span)
            phones = sum(symbol not in SILENT for symbol in sentence.symbols)
            if len(frames) < FRAMES_PER_STEP * phones:
                raise TextError(
                    f"{utterance.path}: {len(frames)} frames are too few for {phones} phones"
                )
        except AsrError as error:
            skipped.append(str(error))
            continue
        kept.append(i)
        spans.append(span)
        spoken.append(SpokenSentence(sentence, frames, words))
    durations = align_symbols(spoken, mel.hop / mel.sample_rate) if spoken else []
    measures = []
    for i, (first, last), s, frames in zip(
        track(kept, len(kept), "measuring pitch"), spans, spoken, durations, strict=True
    ):
        steps = np.diff((np.cumsum(frames) + 1) // FRAMES_PER_STEP, prepend=0)
        samples = read_audio(utterances[i].path, mel.sample_rate)[first:last]
        pitch = symbol_pitch(samples, s.sentence.symbols, steps, mel)
        measures.append(_Measures(first, last, steps, pitch))
    return _Prepared(tuple(kept), tuple(measures), tuple(skipped))


def _words(
    utterance: Utterance, recognizer: Recognizer, pronounce: Pronouncer, mel: MelConfig
) -> tuple[Sentence, tuple[int, int], tuple[tuple[float, float], ...]]:
    """The sentence, its range of samples, and the words' times in it, in seconds."""
    if utterance.audio_filepath is None:
        raise TextError(f"{utterance.path}: a voice needs audio, but this has only features")
    try:
        sentence = one_sentence(utterance.text, pronounce)
    except TextError as error:
        raise TextError(f"{utterance.path}: {error}") from None
    heard = recognizer.align(utterance, sentence.text).words
    if [w.text for w in heard] != [w.text for w in sentence.words]:
        raise TextError(
            f"{utterance.path}: the voice reads {sentence.text!r}, but the recogniser "
            f"{' '.join(w.text for w in heard)!r}"
        )
    first = int(max(0.0, heard[0].start - BEFORE) * mel.sample_rate)
    last = int((heard[-1].end + AFTER) * mel.sample_rate)
    start = first / mel.sample_rate
    return sentence, (first, last), tuple((w.start - start, w.end - start) for w in heard)


def _frames(utterance: Utterance, mel: MelConfig, first: int, last: int) -> np.ndarray:
    return log_mel(read_audio(utterance.path, mel.sample_rate)[first:last], mel)


def _example(
    utterance: Utterance, pronounce: Pronouncer, mel: MelConfig, measures: _Measures
) -> VoiceExample:
    frames = _frames(utterance, mel, measures.first, measures.last)
    wanted = int(measures.durations.sum()) * FRAMES_PER_STEP
    # A step has several frames: repeat the last frame where one is missing.
    frames = np.concatenate([frames, frames[-1:]])[:wanted]
    return VoiceExample(
        utterance=utterance,
        sentence=one_sentence(utterance.text, pronounce),
        frames=frames,
        durations=measures.durations,
        pitch=measures.pitch,
        start=measures.first / mel.sample_rate,
    )


def _cache_key(
    utterances: Sequence[Utterance], recognizer: Recognizer, pronounce: Pronouncer, mel: MelConfig
) -> str:
    total = hashlib.sha256()
    settings = (BEFORE, AFTER, LOWEST_PITCH, HIGHEST_PITCH, ROUNDS, TOLERANCE, FRAMES_PER_STEP)
    for part in (to_dict(mel), recognizer.config.weights_sha256, settings):
        total.update(json.dumps(part).encode())
    for utterance in utterances:
        # Durations belong to symbols, and the front end may change which symbols a text has.
        try:
            total.update(" ".join(one_sentence(utterance.text, pronounce).symbols).encode())
        except TextError as error:
            total.update(str(error).encode())
        if utterance.audio_filepath is not None and utterance.audio_filepath.is_file():
            total.update(hashlib.sha256(utterance.audio_filepath.read_bytes()).digest())
    return total.hexdigest()


def _write_cache(path: Path, key: str, prepared: _Prepared) -> None:
    arrays: dict[str, Any] = {}
    for i, m in zip(prepared.kept, prepared.measures, strict=True):
        arrays |= {
            f"span_{i}": np.array([m.first, m.last]),
            f"durations_{i}": m.durations,
            f"pitch_{i}": m.pitch,
        }
    buffer = io.BytesIO()
    about = {"key": key, "kept": prepared.kept, "skipped": prepared.skipped}
    arrays["about"] = np.array(json.dumps(about))
    np.savez(buffer, **arrays)
    with atomic_write(path, binary=True) as file:
        file.write(buffer.getvalue())


def _read_cache(path: Path, key: str) -> _Prepared | None:
    """The cached measurements; None if there are none, or if they are of other data."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        if about["key"] != key:
            return None
        measures = []
        for i in about["kept"]:
            first, last = arrays[f"span_{i}"].tolist()
            measures.append(_Measures(first, last, arrays[f"durations_{i}"], arrays[f"pitch_{i}"]))
    return _Prepared(tuple(about["kept"]), tuple(measures), tuple(about["skipped"]))
