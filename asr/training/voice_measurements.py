"""`measure_recordings`: times, durations and pitch of recordings, for training a voice.

The measurement takes minutes, so that `read_cache` and `write_cache` keep its results in a file.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import librosa
import numpy as np

from asr.base.config import to_dict
from asr.base.files import atomic_write
from asr.base.progress import track
from asr.data.inputs import read_utterance, start_of
from asr.data.manifest import Utterance
from asr.errors import AsrError, TextError
from asr.pronunciation.pronouncer import Pronouncer
from asr.recognizer import Recognizer
from asr.text.phones import VOWELS
from asr.training.phone_durations import ROUNDS, TOLERANCE, SpokenSentence, align_symbols
from asr.tts.mel import MelConfig, log_mel
from asr.tts.sentences import SILENT, Sentence, one_sentence
from asr.tts.voice_config import FRAMES_PER_STEP, PITCH_POINTS

BEFORE, AFTER = 0.1, 0.25
"""Silence kept before and after a sentence, in seconds."""
VOICED = frozenset((*(v + s for v in VOWELS for s in "01"), "L", "M", "N", "NG", "R", "W", "Y"))
"""Voiced symbols. The pitch of all other symbols is interpolated between them."""
LOWEST_PITCH, HIGHEST_PITCH = 60.0, 500.0
"""Range in which the pitch is searched, in Hz."""


class SpokenPitch(NamedTuple):
    """The pitch of a recording, as natural logarithm of Hz.

    Attributes:
        steps: pitch of each decoder step, float32 [steps].
        symbols: means of the first and the second half of each symbol, float32
            [symbols, PITCH_POINTS].
    """

    steps: np.ndarray
    symbols: np.ndarray


@dataclass(frozen=True)
class RecordingMeasures:
    """Measurements of a recording that take long.

    Attributes:
        first, last: range of the recording's samples that is used; `last` is exclusive.
        durations, pitch: see `VoiceExample`.
    """

    first: int
    last: int
    durations: np.ndarray
    pitch: SpokenPitch


@dataclass(frozen=True)
class DatasetMeasures:
    """Measurements of all usable recordings.

    Attributes:
        kept: indices of the usable recordings.
        measures: their measurements.
        skipped: one message for each recording that is left out.
    """

    kept: tuple[int, ...]
    measures: tuple[RecordingMeasures, ...]
    skipped: tuple[str, ...]


def measure_recordings(
    utterances: Sequence[Utterance],
    speakers: Sequence[int],
    recognizer: Recognizer,
    pronounce: Pronouncer,
    mel: MelConfig,
) -> DatasetMeasures:
    """Align the recordings, and measure durations and pitch of their symbols.

    Args:
        utterances: the recordings.
        speakers: number of the speaker of each of them. The phones of each are aligned apart: the
            spectra of another voice, or of a telephone, would be mistaken for other phones.
        recognizer: aligns the words.
        pronounce: word → phones.
        mel: how mel frames are computed.
    """
    kept, skipped, alignments, spoken = [], [], [], []
    for i, utterance in enumerate(track(utterances, len(utterances), "aligning words")):
        try:
            aligned = _align_words(utterance, recognizer, pronounce, mel)
            frames = read_frames(utterance, mel, aligned.first, aligned.last)
            phones = sum(symbol not in SILENT for symbol in aligned.sentence.symbols)
            if len(frames) < FRAMES_PER_STEP * phones:
                raise TextError(
                    f"{utterance.name}: {len(frames)} frames are too few for {phones} phones"
                )
        except AsrError as error:
            skipped.append(str(error))
            continue
        kept.append(i)
        alignments.append(aligned)
        spoken.append(SpokenSentence(aligned.sentence, frames, aligned.words))
    durations: list[np.ndarray] = [np.empty(0)] * len(spoken)
    owners = np.array([speakers[i] for i in kept], int)
    for speaker in np.unique(owners):
        own = np.flatnonzero(owners == speaker)
        aligned_apart = align_symbols([spoken[i] for i in own], mel.hop / mel.sample_rate)
        for place, found in zip(own, aligned_apart, strict=True):
            durations[place] = found
    measures = []
    for i, aligned, frames in zip(
        track(kept, len(kept), "measuring pitch"), alignments, durations, strict=True
    ):
        steps = np.diff((np.cumsum(frames) + 1) // FRAMES_PER_STEP, prepend=0)
        samples = read_utterance(utterances[i], mel.sample_rate)
        samples = samples[aligned.first : aligned.last]
        pitch = measure_pitch(samples, aligned.sentence.symbols, steps, mel)
        measures.append(RecordingMeasures(aligned.first, aligned.last, steps, pitch))
    return DatasetMeasures(tuple(kept), tuple(measures), tuple(skipped))


class _AlignedSentence(NamedTuple):
    """A sentence, its range of samples, and the times of its words in that range, in seconds."""

    sentence: Sentence
    first: int
    last: int
    words: tuple[tuple[float, float], ...]


def _align_words(
    utterance: Utterance, recognizer: Recognizer, pronounce: Pronouncer, mel: MelConfig
) -> _AlignedSentence:
    if utterance.audio_filepath is None:
        raise TextError(f"{utterance.path}: a voice needs audio, but this has only features")
    try:
        sentence = one_sentence(utterance.text, pronounce)
    except TextError as error:
        raise TextError(f"{utterance.name}: {error}") from None
    aligned = recognizer.align(utterance, sentence.text).words
    heard = recognizer.tokenizer.normalise(sentence.text).split()
    if heard != [w.text for w in sentence.words]:
        raise TextError(
            f"{utterance.name}: the voice reads {sentence.text!r}, but the recogniser "
            f"{' '.join(heard)!r}"
        )
    # Times of words count from the start of the recording, not of the segment.
    offset = start_of(utterance)
    spans = [(w.start - offset, w.end - offset) for w in aligned]
    first = int(max(0.0, spans[0][0] - BEFORE) * mel.sample_rate)
    last = int((spans[-1][1] + AFTER) * mel.sample_rate)
    start = first / mel.sample_rate
    times = tuple((begin - start, end - start) for begin, end in spans)
    return _AlignedSentence(sentence, first, last, times)


def read_frames(utterance: Utterance, mel: MelConfig, first: int, last: int) -> np.ndarray:
    """Log-mel frames of the samples from `first` to `last` of an utterance."""
    return log_mel(read_utterance(utterance, mel.sample_rate)[first:last], mel)


def measure_pitch(
    samples: np.ndarray, symbols: Sequence[str], steps: np.ndarray, mel: MelConfig
) -> SpokenPitch:
    """Measure the pitch of the voiced symbols; between them it is interpolated.

    Args:
        samples: mono samples of the sentence, float32 [n].
        symbols: the symbols of the sentence.
        steps: decoder steps of each symbol, int [symbols].
        mel: sample rate and frame lengths.
    """
    owners = np.repeat(np.arange(len(symbols)), steps)
    voiced = np.array([s in VOICED for s in symbols])[owners]
    curve = pitch_track(samples, voiced, FRAMES_PER_STEP * mel.hop, mel).log_pitch
    followed = np.append(curve, curve[-1:])  # a symbol without steps has the pitch that follows
    pitch = np.empty([len(symbols), PITCH_POINTS], np.float32)
    ends = np.cumsum(steps)
    for i, (first, last) in enumerate(zip(ends - steps, ends, strict=True)):
        middle = (first + last) // 2
        pitch[i, 0] = followed[first : max(middle, first + 1)].mean()
        pitch[i, 1] = followed[middle : max(last, middle + 1)].mean()
    return SpokenPitch(curve, pitch)


@dataclass(frozen=True)
class PitchTrack:
    """The pitch of each frame of a recording.

    Attributes:
        log_pitch: natural logarithm of the pitch in Hz, float32 [frames]; interpolated linearly
            where it could not be measured.
        measured: where it was measured, bool [frames].
    """

    log_pitch: np.ndarray
    measured: np.ndarray


def pitch_track(samples: np.ndarray, voiced: np.ndarray, hop: int, mel: MelConfig) -> PitchTrack:
    """Measure the pitch by YIN (de Cheveigné & Kawahara, 2002).

    Args:
        samples: mono samples, float32 [n].
        voiced: which frames are voiced, bool [frames].
        hop: distance between the centres of frames, in samples. The first one is the first sample.
        mel: sample rate and length of the windows.
    """
    hertz = librosa.yin(
        samples,
        fmin=LOWEST_PITCH,
        fmax=HIGHEST_PITCH,
        sr=mel.sample_rate,
        frame_length=mel.fft,
        hop_length=hop,
    )[: len(voiced)]
    sure = voiced[: len(hertz)]
    median = np.median(hertz[sure]) if sure.any() else np.sqrt(LOWEST_PITCH * HIGHEST_PITCH)
    # YIN is sometimes wrong by an octave: drop values far from the median.
    measured = np.zeros(len(voiced), bool)
    measured[: len(hertz)] = sure & (hertz > median / 1.6) & (hertz < median * 1.6)
    places = np.flatnonzero(measured)
    if not len(places):
        return PitchTrack(np.full(len(voiced), np.log(median), np.float32), measured)
    log_pitch = np.interp(np.arange(len(voiced)), places, np.log(hertz[places]))
    return PitchTrack(log_pitch.astype(np.float32), measured)


def cache_key(
    utterances: Sequence[Utterance],
    speakers: Sequence[int],
    recognizer: Recognizer,
    pronounce: Pronouncer,
    mel: MelConfig,
) -> str:
    """Digest of everything that the measurements depend on."""
    total = hashlib.sha256()
    pitches = ("of steps and symbols", LOWEST_PITCH, HIGHEST_PITCH)
    settings = (BEFORE, AFTER, *pitches, ROUNDS, TOLERANCE, FRAMES_PER_STEP)
    for part in (to_dict(mel), recognizer.config.weights_sha256, settings):
        total.update(json.dumps(part).encode())
    if any(speakers):
        total.update(json.dumps(list(speakers)).encode())
    for utterance in utterances:
        # Durations belong to symbols, and the front end may change which symbols a text has.
        try:
            total.update(" ".join(one_sentence(utterance.text, pronounce).symbols).encode())
        except TextError as error:
            total.update(str(error).encode())
        if utterance.audio_filepath is not None and utterance.audio_filepath.is_file():
            total.update(hashlib.sha256(utterance.audio_filepath.read_bytes()).digest())
        segment = (utterance.offset, utterance.duration, utterance.channel)
        total.update(repr(segment).encode())
    return total.hexdigest()


def write_cache(path: Path, key: str, measured: DatasetMeasures) -> None:
    """Write the measurements to a file, with the key of their data."""
    arrays: dict[str, Any] = {}
    for i, m in zip(measured.kept, measured.measures, strict=True):
        arrays |= {
            f"span_{i}": np.array([m.first, m.last]),
            f"durations_{i}": m.durations,
            f"step_pitch_{i}": m.pitch.steps,
            f"symbol_pitch_{i}": m.pitch.symbols,
        }
    buffer = io.BytesIO()
    about = {"key": key, "kept": measured.kept, "skipped": measured.skipped}
    arrays["about"] = np.array(json.dumps(about))
    np.savez(buffer, **arrays)
    with atomic_write(path, binary=True) as file:
        file.write(buffer.getvalue())


def read_cache(path: Path, key: str) -> DatasetMeasures | None:
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
            pitch = SpokenPitch(arrays[f"step_pitch_{i}"], arrays[f"symbol_pitch_{i}"])
            measures.append(RecordingMeasures(first, last, arrays[f"durations_{i}"], pitch))
    return DatasetMeasures(tuple(about["kept"]), tuple(measures), tuple(about["skipped"]))
