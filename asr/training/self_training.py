"""Recordings without texts as training data, labelled by a recogniser or by a teacher.

`pseudo_labels` is self-training with pseudo-labels, a language model and a filter by confidence, as
in Kahn, Lee & Hannun (2020). `teacher_labels` takes the texts of a larger model and filters them by
its log-probability and by their agreement with the recogniser.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import jiwer
import numpy as np

from asr.audio.reading import read_audio
from asr.base.progress import track
from asr.data.inputs import RecordingRef, check_language, read_utterance, recording_path
from asr.data.manifest import Utterance
from asr.errors import AudioError, ConfigError, TextError
from asr.evaluation.whisper import ReferenceTranscript, Whisper, spoken_variants
from asr.recognizer import Recognizer
from asr.results import Failure, Transcript, in_order
from asr.text.languages import language_name
from asr.training.label_log import LabelLog

SAMPLE_RATE = 16_000
"""Sample rate of a teacher's audio in Hz."""
LONGEST = 20.0
"""Longest utterance in seconds. Longer recordings must be cut before training on them."""
ENGLISH = "en"
"""Language of a teacher."""
_LOOP = re.compile(r"\b([\w']+(?: [\w']+){2,}) \1\b")
"""Three words or more that are repeated at once: a large model can be caught in a loop."""


class Teacher(Protocol):
    """An independent recogniser of English, such as `Whisper`."""

    @property
    def name(self) -> str:
        """Name of the model in manifests."""

    def transcribe_all(self, recordings: Sequence[np.ndarray]) -> list[ReferenceTranscript]:
        """Transcribe recordings, in order.

        Args:
            recordings: each float32 [samples] at `SAMPLE_RATE`.
        """


def label_recordings(
    recognizer: Recognizer,
    recordings: Sequence[RecordingRef],
    teacher: str | None = None,
    share: float = 0.5,
    max_cer: float = 0.5,
    log: LabelLog | None = None,
) -> tuple[list[Utterance], list[Failure]]:
    """Label recordings with `pseudo_labels`, or with `teacher_labels` if there is a teacher.

    Args:
        recognizer: the recogniser.
        recordings: files, or utterances, whose texts are ignored.
        teacher: "whisper"; None: no teacher; default: None.
        share: see `pseudo_labels`; ignored with a teacher; default: 0.5.
        max_cer: see `teacher_labels`; ignored without a teacher; default: 0.5.
        log: keeps the labels of an interrupted run; ignored without a teacher, because the share
            is one of all recordings; default: none.

    Returns:
        See `pseudo_labels`.

    Raises:
        ConfigError: the teacher is unknown, or the share is out of range.
        PackageError: the teacher cannot be loaded.
    """
    if teacher is None:
        return pseudo_labels(recognizer, recordings, share)
    if teacher != "whisper":
        raise ConfigError(f"teacher: {teacher!r} is unknown; choose whisper")
    whisper = Whisper()

    def label(some: Sequence[RecordingRef]) -> tuple[list[Utterance], list[Failure]]:
        return teacher_labels(whisper, recognizer, some, max_cer=max_cer)

    return label(recordings) if log is None else log.label(recordings, label)


def pseudo_labels(
    recognizer: Recognizer, recordings: Sequence[RecordingRef], share: float
) -> tuple[list[Utterance], list[Failure]]:
    """Transcribe recordings, and keep the most confident transcripts.

    The confidence of a transcript is the mean confidence of its words. Only the order of
    confidences matters, so that the model need not be calibrated.

    Args:
        recognizer: the recogniser.
        recordings: files, or utterances, whose texts are ignored.
        share: share of the recordings with words that is kept, above 0 and at most 1.

    Returns:
        The kept recordings with their new texts, in order, and one failure for each recording that
        cannot be used.

    Raises:
        ConfigError: a share outside this range.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"share: {share:g} is out of range; choose a share above 0 and at most 1")
    failures: list[Failure] = []
    labelled = [
        (_utterance(recording, result), float(np.mean([w.confidence for w in result.words])))
        for recording, result in _transcripts(recognizer, recordings, failures)
    ]
    confidences = sorted((confidence for _, confidence in labelled), reverse=True)
    kept = confidences[: round(share * len(labelled))]
    return [u for u, confidence in labelled if kept and confidence >= kept[-1]], failures


def teacher_labels(
    teacher: Teacher,
    recognizer: Recognizer,
    recordings: Sequence[RecordingRef],
    min_log_probability: float = -0.6,
    max_cer: float = 0.5,
) -> tuple[list[Utterance], list[Failure]]:
    """Transcribe recordings with a teacher, and keep the texts that the recogniser agrees with.

    Texts in which three words or more are repeated at once are dropped, because the teacher was
    caught in a loop.
    If the teacher writes digits, the label is the spoken variant of the text that is nearest to the
    recogniser's transcript.

    Args:
        teacher: an independent recogniser, such as `Whisper`.
        recognizer: transcribes the recordings too, for the comparison.
        recordings: files, or utterances, whose texts are ignored.
        min_log_probability: lowest average log-probability of the teacher's tokens that is kept;
            default: −0.6.
        max_cer: highest character error rate of the recogniser's transcript against the teacher's
            text that is kept; with infinity, the recogniser only says how digits are read; default:
            0.5.

    Returns:
        The kept recordings with the teacher's name and texts, in order, and one failure for each
        recording that cannot be used.

    Raises:
        ConfigError: the recogniser's language is not English.
    """
    language = recognizer.tokenizer.language
    if language not in (None, ENGLISH):
        raise ConfigError(
            f"{teacher.name}: writes English only, but the model's language is "
            f"{language_name(language)}; use pseudo-labels without a teacher"
        )
    failures: list[Failure] = []
    heard = _heard_by(teacher, recordings, min_log_probability, failures)
    compared = [u for u, variants in heard if max_cer < math.inf or len(variants) > 1]
    own = {
        recording: transcript.text
        for recording, transcript in _transcripts(recognizer, compared, failures)
    }
    kept: list[Utterance] = []
    for utterance, variants in heard:
        against = own.get(utterance, "")
        cer, text = min((float(jiwer.cer(variant, against)), variant) for variant in variants)
        if max_cer == math.inf or (cer <= max_cer and against):
            kept.append(replace(utterance, text=text, teacher=teacher.name))
    return kept, failures


def _heard_by(
    teacher: Teacher,
    recordings: Sequence[RecordingRef],
    min_log_probability: float,
    failures: list[Failure],
) -> list[tuple[Utterance, list[str]]]:
    """Recordings and variants of their probable texts. `failures` receives the unusable ones."""
    usable: list[tuple[Utterance, np.ndarray]] = []
    for recording in recordings:
        try:
            check_language(recording, ENGLISH)
            usable.append(_short_audio(recording))
        except (AudioError, TextError) as error:
            failures.append(Failure(str(recording_path(recording)), str(error)))
    transcripts = teacher.transcribe_all([samples for _, samples in usable])
    heard = [
        (utterance, [variant for variant in spoken_variants(transcript.text) if variant])
        for (utterance, _), transcript in zip(usable, transcripts, strict=True)
        if transcript.log_probability >= min_log_probability
    ]
    return [
        (utterance, variants)
        for utterance, variants in heard
        if variants and not _LOOP.search(variants[0])
    ]


def _transcripts(
    recognizer: Recognizer, recordings: Sequence[RecordingRef], failures: list[Failure]
) -> Iterator[tuple[RecordingRef, Transcript]]:
    """Recordings with words and their transcripts. `failures` receives the unusable recordings."""
    each = recognizer.transcribe_each(recordings)
    results = in_order(track(each, len(recordings), "transcribing"))
    for recording, result in zip(recordings, results, strict=True):
        if isinstance(result, Failure):
            failures.append(result)
        elif result.duration > LONGEST:
            error = _too_long(recording, result.duration)
            failures.append(Failure(str(recording_path(recording)), error))
        elif result.words:
            yield recording, result


def _short_audio(recording: RecordingRef) -> tuple[Utterance, np.ndarray]:
    if not isinstance(recording, Utterance):
        samples = read_audio(recording_path(recording), SAMPLE_RATE)
        recording = Utterance("", len(samples) / SAMPLE_RATE, recording_path(recording))
    elif recording.audio_filepath is None:
        raise AudioError(f"{recording.path}: a teacher needs audio, not features")
    else:
        samples = read_utterance(recording, SAMPLE_RATE)
    if len(samples) > LONGEST * SAMPLE_RATE:
        raise AudioError(_too_long(recording, len(samples) / SAMPLE_RATE))
    return recording, samples


def _too_long(recording: RecordingRef, seconds: float) -> str:
    what = f"{seconds:.0f} s are too long for an utterance: cut it first"
    return f"{recording_path(recording)}: {what}"


def _utterance(recording: RecordingRef, transcript: Transcript) -> Utterance:
    if isinstance(recording, Utterance):
        return replace(recording, text=transcript.text)
    return Utterance(transcript.text, transcript.duration, audio_filepath=recording_path(recording))
