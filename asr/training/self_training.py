"""Recordings without texts as training data: what a recogniser hears in them, where it is surest.

Self-training with pseudo-labels, a language model and a filter by confidence, as in Kahn, Lee &
Hannun (2020). Or a larger model is the teacher, and its log-probability and its agreement with the
recogniser are the filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import jiwer
import numpy as np

from asr.audio.reading import read_audio
from asr.base.progress import track
from asr.data.inputs import RecordingRef, recording_path
from asr.data.manifest import Utterance
from asr.errors import AudioError, ConfigError
from asr.evaluation.whisper import Heard, Whisper, ways_to_say
from asr.recognizer import Recognizer
from asr.results import Failure, Transcript, in_order


class Teacher(Protocol):
    """What `asr.evaluation.whisper.Whisper` is."""

    name: str

    def hear(self, samples: np.ndarray) -> Heard: ...


LONGEST = 20.0
"""Seconds; what is longer is a recording to be cut first, not an utterance to learn from."""


def label(
    recognizer: Recognizer,
    recordings: Sequence[RecordingRef],
    teacher: str | None = None,
    share: float = 0.5,
    most_cer: float = 0.5,
) -> tuple[list[Utterance], list[Failure]]:
    """Texts by the recogniser itself, `pseudo_labels`, or with a teacher, `teacher_labels`.

    Args:
        teacher: "whisper"; None: the recogniser.
        share: see `pseudo_labels`; without effect with a teacher.
        most_cer: see `teacher_labels`; without effect without a teacher.

    Raises:
        ConfigError: no such teacher, or see `pseudo_labels`.
        PackageError: the teacher cannot be loaded.
    """
    if teacher is None:
        return pseudo_labels(recognizer, recordings, share)
    if teacher != "whisper":
        raise ConfigError(f"teacher {teacher!r} is not known; the only one is whisper")
    return teacher_labels(Whisper(), recognizer, recordings, most_cer=most_cer)


def pseudo_labels(
    recognizer: Recognizer, recordings: Sequence[RecordingRef], share: float
) -> tuple[list[Utterance], list[Failure]]:
    """Transcribe recordings, and keep the surest.

    How sure a transcript is, is the mean confidence of its words: only their order matters, so a
    model that was never calibrated will do.

    Args:
        recordings: files, or utterances whose texts are not looked at.
        share: of the recordings in which something was heard that are kept, above 0 to 1.

    Returns:
        The kept recordings with their texts, in their order; and what could not be used, and why.

    Raises:
        ConfigError: a share outside this range.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"a share of {share:g} cannot be kept: give one above 0, at most 1")
    failures: list[Failure] = []
    heard = [
        (_utterance(recording, result), float(np.mean([w.confidence for w in result.words])))
        for recording, result in _heard(recognizer, recordings, failures)
    ]
    least = sorted((sure for _, sure in heard), reverse=True)[: round(share * len(heard))]
    return [u for u, sure in heard if least and sure >= least[-1]], failures


def teacher_labels(
    teacher: Teacher,
    recognizer: Recognizer,
    recordings: Sequence[RecordingRef],
    least_log_probability: float = -0.6,
    most_cer: float = 0.5,
) -> tuple[list[Utterance], list[Failure]]:
    """Transcribe recordings with a teacher, and keep the texts that a recogniser agrees with.

    Where the teacher writes digits, the way to say them that is nearest to the recogniser's
    transcript becomes the text.

    Args:
        teacher: a `Whisper`.
        recognizer: hears the recordings too; its transcripts are no labels.
        recordings: files, or utterances whose texts are not looked at.
        least_log_probability: average log-probability of the teacher's tokens that is kept.
        most_cer: character error rate of the recogniser's transcript against the teacher's text
            that is kept; 1 and more: nearly any.

    Returns:
        The kept recordings with their texts, in their order; and what could not be used, and why.
    """
    kept: list[Utterance] = []
    failures: list[Failure] = []
    for recording, own in _heard(recognizer, recordings, failures):
        try:
            if isinstance(recording, Utterance) and recording.audio_filepath is None:
                raise AudioError(f"{recording.path}: a teacher needs audio, not features")
            heard = teacher.hear(read_audio(recording_path(recording)))
        except AudioError as error:
            failures.append(Failure(str(recording_path(recording)), str(error)))
            continue
        ways = [way for way in ways_to_say(heard.text) if way]
        if not ways or heard.log_probability < least_log_probability:
            continue
        cer, text = min((float(jiwer.cer(way, own.text)), way) for way in ways)
        if cer <= most_cer:
            labelled = replace(_utterance(recording, own), text=text, teacher=teacher.name)
            kept.append(labelled)
    return kept, failures


def _heard(
    recognizer: Recognizer, recordings: Sequence[RecordingRef], failures: list[Failure]
) -> Iterator[tuple[RecordingRef, Transcript]]:
    """Recordings in which words are heard; `failures` gets what cannot be used, and why."""
    each = recognizer.transcribe_each(recordings)
    results = in_order(track(each, len(recordings), "transcribing"))
    for recording, result in zip(recordings, results, strict=True):
        if isinstance(result, Failure):
            failures.append(result)
        elif result.duration > LONGEST:
            what = f"{result.duration:.0f} s are too long for an utterance: cut it first"
            failures.append(
                Failure(str(recording_path(recording)), f"{recording_path(recording)}: {what}")
            )
        elif result.words:
            yield recording, result


def _utterance(recording: RecordingRef, heard: Transcript) -> Utterance:
    if isinstance(recording, Utterance):
        return replace(recording, text=heard.text)
    return Utterance(heard.text, heard.duration, audio_filepath=Path(recording))
