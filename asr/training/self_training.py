"""`pseudo_labels`: recordings without texts as training data, labelled by a recogniser.

Self-training with pseudo-labels, a language model and a filter by confidence, as in Kahn, Lee &
Hannun (2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from asr.base.progress import track
from asr.data.inputs import RecordingRef, recording_path
from asr.data.manifest import Utterance
from asr.errors import ConfigError
from asr.recognizer import Recognizer
from asr.results import Failure, Transcript, in_order

LONGEST = 20.0
"""Longest utterance in seconds. Longer recordings must be cut before training on them."""


def pseudo_labels(
    recognizer: Recognizer, recordings: Sequence[RecordingRef], share: float
) -> tuple[list[Utterance], list[Failure]]:
    """Transcribe recordings, and keep the most confident transcripts.

    The confidence of a transcript is the mean confidence of its words. Only the order of
    confidences matters, so that the model need not be calibrated.

    Args:
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
    heard: list[tuple[Utterance, float]] = []
    failures: list[Failure] = []
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
            sure = float(np.mean([word.confidence for word in result.words]))
            heard.append((_utterance(recording, result), sure))
    least = sorted((sure for _, sure in heard), reverse=True)[: round(share * len(heard))]
    return [u for u, sure in heard if least and sure >= least[-1]], failures


def _utterance(recording: RecordingRef, heard: Transcript) -> Utterance:
    if isinstance(recording, Utterance):
        return replace(recording, text=heard.text)
    return Utterance(heard.text, heard.duration, audio_filepath=Path(recording))
