"""`asr calibrate`: fit a model's confidences to how often its words are right on dev sets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from asr.base.config import replace
from asr.base.progress import track
from asr.base.provenance import git_commit, this_command
from asr.data.manifest import read_manifest
from asr.decoding.confidence import (
    Curve,
    Judged,
    cross_validated,
    expected_calibration_error,
    fit,
    judge,
    load_calibration,
    save_calibration,
)
from asr.decoding.decoder import Decoding
from asr.errors import TextError
from asr.models import find_model
from asr.recognizer import load_recognizer
from asr.results import Failure, in_order

MIN_WORDS = 50
"""Two parameters from fewer words say nothing."""


def calibrate(
    model: str, manifests: Sequence[Path], decoding: Decoding = Decoding()
) -> tuple[Curve, list[Failure]]:
    """Fit the curve of this kind of decoding, with or without a language model, and store it
    beside the weights; the other kind's curve stays.

    Returns:
        The curve, and the recordings that could not be used.

    Raises:
        AsrError: the model or a manifest is wrong, or too few words were heard; nothing is written.
    """
    utterances = [u for manifest in manifests for u in read_manifest(manifest)]
    recognizer = load_recognizer(model, decoding)
    recognizer.curve = None  # so that a word's confidence is its least sure label's probability
    each = track(recognizer.transcribe_each(utterances), len(utterances), "transcribing")
    recordings: list[list[Judged]] = []
    failures = []
    for utterance, result in zip(utterances, in_order(each), strict=True):
        if isinstance(result, Failure):
            failures.append(result)
        else:
            recordings.append(judge(utterance.text, result, recognizer.tokenizer.normalise))
    judged = [pair for recording in recordings for pair in recording]
    if len(judged) < MIN_WORDS:
        raise TextError(f"{model}: {len(judged)} words heard, {MIN_WORDS} needed to calibrate")
    bias, slope = fit(judged)
    before = expected_calibration_error(judged)
    after = expected_calibration_error(cross_validated(recordings))
    assert before is not None and after is not None
    curve = Curve(
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
    kind = "plain" if decoding.lm is None else "lm"
    save_calibration(folder, replace(known, **{kind: curve}))
    return curve, failures
