"""Training data of a voice: recordings → symbols, durations, pitch and mel frames → batches."""

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
from asr.training.phone_durations import ROUNDS, TOLERANCE, Spoken, align_symbols
from asr.tts.mel import MelConfig, log_mel
from asr.tts.sentences import SILENT, Sentence, one_sentence
from asr.tts.voice_network import FRAMES_A_STEP, PITCH_POINTS

BEFORE, AFTER = 0.1, 0.25
"""Seconds that are kept of the silence around a sentence."""
VOICED = frozenset((*(v + s for v in VOWELS for s in "01"), "L", "M", "N", "NG", "R", "W", "Y"))
"""Symbols whose pitch can be trusted; through the others it is drawn as a straight line."""
LOWEST, HIGHEST = 60.0, 500.0
"""Hz between which a voice's pitch is looked for."""


@dataclass(frozen=True)
class VoiceExample:
    """A recording ready for training.

    frames: log-mel [steps × FRAMES_A_STEP, mels]. durations: int [symbols], steps. pitch: log Hz
    [symbols, PITCH_POINTS].
    """

    utterance: Utterance
    sentence: Sentence
    frames: np.ndarray
    durations: np.ndarray
    pitch: np.ndarray
    start: float
    """Seconds of the recording before the first frame."""


class VoiceDataset:
    """Examples of train and dev; makes any epoch's batches of the former.

    Everything random is a function of (seed, epoch). Recordings that cannot be learnt from are left
    out and listed, with the reason, in `skipped`.

    Args:
        cache: file that keeps durations and pitch, which take minutes, for the same data.

    Raises:
        TextError: none is left.
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
            raise TextError(f"train or dev: no recording is left to learn from:\n  {listed}")

    def __len__(self) -> int:
        return len(self.examples)

    def describe(self, index: int) -> str:
        """What an example is called in errors."""
        return str(self.examples[index].utterance.path)

    @property
    def seconds_per_step(self) -> float:
        """Duration of a step, the unit of durations."""
        return FRAMES_A_STEP * self.mel.hop / self.mel.sample_rate

    def picture(self, example: VoiceExample) -> tuple[np.ndarray, int, tuple[Word, ...]]:
        """Samples, their rate, and each symbol where it is said: for `plots.alignment`."""
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
        """SHA-256 of everything that is trained on, in its order."""
        total = hashlib.sha256()
        for e in self.examples:
            for array in (np.array(e.sentence.ids), e.durations, e.pitch, e.frames):
                total.update(array.tobytes())
        return total.hexdigest()

    def statistics(self) -> dict[str, np.ndarray]:
        """What `VoiceModel.scales` standardise by."""
        frames = np.concatenate([e.frames for e in self.examples])
        pitch = np.concatenate([e.pitch for e in self.examples])
        return {
            "mel_mean": frames.mean(axis=0),
            "mel_deviation": frames.std(axis=0) + 1e-3,
            "pitch_mean": pitch.mean(),
            "pitch_deviation": pitch.std() + 1e-3,
        }

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """The epoch's batches as arrays of example indices."""
        seconds = [e.durations.sum() * self.seconds_per_step for e in self.examples]
        return shuffled_batches(seconds, batch_size, (self.seed, epoch))

    def tf_dataset(self, epoch: int, batch_size: int, skip: int = 0) -> tf.data.Dataset:
        """The epoch's batches from number `skip` on, as a prefetched tf.data pipeline."""
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
    """Arrays [batch, …] as `VoiceModel` and the loss take them, zero beyond each example."""
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
    """Mean log Hz of each symbol's first and second half: float32 [symbols, PITCH_POINTS].

    By YIN (de Cheveigné & Kawahara, 2002) in what is voiced; between, on a straight line.
    """
    hop = FRAMES_A_STEP * mel.hop
    hertz = librosa.yin(
        samples, fmin=LOWEST, fmax=HIGHEST, sr=mel.sample_rate, frame_length=2 * mel.fft,
        hop_length=hop,
    )  # fmt: skip
    owners = np.repeat(np.arange(len(symbols)), steps)
    hertz = hertz[: len(owners)]
    voiced = np.array([s in VOICED for s in symbols])[owners[: len(hertz)]]
    usual = np.median(hertz[voiced]) if voiced.any() else np.sqrt(LOWEST * HIGHEST)
    # An octave off is a common error of any such method.
    trusted = np.flatnonzero(voiced & (hertz > usual / 1.6) & (hertz < usual * 1.6))
    if not len(trusted):
        return np.full([len(symbols), PITCH_POINTS], np.log(usual), np.float32)
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
    """What takes long to find out about a recording.

    first, last: samples of the recording that are used, last exclusive. durations, pitch: as in
    `VoiceExample`.
    """

    first: int
    last: int
    durations: np.ndarray
    pitch: np.ndarray


@dataclass(frozen=True)
class _Prepared:
    """Measures of the utterances `kept`, by their places, and why the others were left out."""

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
            if len(frames) < FRAMES_A_STEP * phones:
                raise TextError(f"{utterance.path}: {len(frames)} frames hold no {phones} phones")
        except AsrError as error:
            skipped.append(str(error))
            continue
        kept.append(i)
        spans.append(span)
        spoken.append(Spoken(sentence, frames, words))
    durations = align_symbols(spoken, mel.hop / mel.sample_rate) if spoken else []
    measures = []
    for i, (first, last), s, frames in zip(
        track(kept, len(kept), "measuring pitch"), spans, spoken, durations, strict=True
    ):
        steps = np.diff((np.cumsum(frames) + 1) // FRAMES_A_STEP, prepend=0)
        samples = read_audio(utterances[i].path, mel.sample_rate)[first:last]
        pitch = symbol_pitch(samples, s.sentence.symbols, steps, mel)
        measures.append(_Measures(first, last, steps, pitch))
    return _Prepared(tuple(kept), tuple(measures), tuple(skipped))


def _words(
    utterance: Utterance, recognizer: Recognizer, pronounce: Pronouncer, mel: MelConfig
) -> tuple[Sentence, tuple[int, int], tuple[tuple[float, float], ...]]:
    """The sentence, the samples that are used, and in these each word's first and last second."""
    if utterance.audio_filepath is None:
        raise TextError(f"{utterance.path}: a voice needs audio, this has features only")
    try:
        sentence = one_sentence(utterance.text, pronounce)
    except TextError as error:
        raise TextError(f"{utterance.path}: {error}") from None
    heard = recognizer.align(utterance, sentence.text).words
    if [w.text for w in heard] != [w.text for w in sentence.words]:
        raise TextError(
            f"{utterance.path}: the voice reads {sentence.text!r}, the recogniser "
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
    wanted = int(measures.durations.sum()) * FRAMES_A_STEP
    # Whole steps: a missing last frame is the one before it again.
    frames = np.concatenate([frames, frames[-1:]])[:wanted]
    return VoiceExample(
        utterance, one_sentence(utterance.text, pronounce), frames, measures.durations,
        measures.pitch, measures.first / mel.sample_rate,
    )  # fmt: skip


def _cache_key(
    utterances: Sequence[Utterance], recognizer: Recognizer, pronounce: Pronouncer, mel: MelConfig
) -> str:
    total = hashlib.sha256()
    settings = (BEFORE, AFTER, LOWEST, HIGHEST, ROUNDS, TOLERANCE, FRAMES_A_STEP)
    for part in (to_dict(mel), recognizer.config.weights_sha256, settings):
        total.update(json.dumps(part).encode())
    for utterance in utterances:
        # What the front end makes of the text today: durations are of its symbols.
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
    """None if there is none, or one of other data."""
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
