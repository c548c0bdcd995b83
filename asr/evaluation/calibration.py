"""Calibration of word confidences on dev sets (`asr calibrate`)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from asr.base.config import replace
from asr.base.progress import track
from asr.base.provenance import git_commit, this_command
from asr.data.manifest import read_manifest
from asr.decoding.confidence import (
    ConfidenceCurve,
    JudgedWord,
    cross_validate,
    expected_calibration_error,
    fit_curve,
    judge_words,
    load_calibration,
    save_calibration,
)
from asr.decoding.decoding_options import Decoding
from asr.errors import TextError
from asr.models import find_model
from asr.recognizer import load_recognizer
from asr.results import Failure, in_order

MIN_WORDS = 50
"""Smallest number of words for a fit of a few parameters that is stored."""


def calibrate(
    model: str, manifests: Sequence[Path], decoding: Decoding = Decoding()
) -> tuple[ConfidenceCurve, list[Failure]]:
    """Fit the confidence curve of a model and store it beside the weights.

    A model has one curve for decoding with a language model and one for decoding without. The
    curve of the other kind stays.

    Args:
        model: name of a shipped model, or path of a model directory.
        manifests: dev sets.
        decoding: options of decoding. Default: the model's own language model if it has one.

    Returns:
        The curve, and the recordings that could not be read.

    Raises:
        AsrError: the model or a manifest is broken, or the transcripts have too few words. Nothing
            is written.
    """
    utterances = [u for manifest in manifests for u in read_manifest(manifest)]
    recognizer = load_recognizer(model, decoding)
    recognizer.curve = None  # a confidence is now the probability of the least probable label
    each = track(recognizer.transcribe_each(utterances), len(utterances), "transcribing")
    recordings: list[list[JudgedWord]] = []
    failures = []
    for utterance, result in zip(utterances, in_order(each), strict=True):
        if isinstance(result, Failure):
            failures.append(result)
        else:
            recordings.append(judge_words(utterance.text, result, recognizer.tokenizer.normalise))
    judged = [word for recording in recordings for word in recording]
    if len(judged) < MIN_WORDS:
        raise TextError(
            f"{model}: {len(judged)} words transcribed, {MIN_WORDS} needed to calibrate"
        )
    bias, slope = fit_curve(judged)
    before = expected_calibration_error(judged)
    after = expected_calibration_error(cross_validate(recordings))
    assert before is not None and after is not None  # there are words
    curve = ConfidenceCurve(
        bias=bias,
        slope=slope,
        words=len(judged),
        ece_before=before,
        ece_after=after,
        decoding=recognizer.decoder.decoding.to_dict(),
        manifests={str(m): hashlib.sha256(m.read_bytes()).hexdigest() for m in manifests},
        command=this_command(),
        commit=git_commit(),
    )
    folder = find_model(model)
    known = load_calibration(folder, recognizer.config.weights_sha256)
    kind = "lm" if recognizer.decoder.decoding.has_lm else "plain"
    save_calibration(folder, replace(known, **{kind: curve}))
    return curve, failures
