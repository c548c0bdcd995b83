"""How wrong is it: WER and CER with an interval, error kinds, and the worst utterances aligned."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

from asr.base.progress import track
from asr.base.provenance import git_commit, this_command
from asr.base.statistics import bootstrap_interval
from asr.data.manifest import Utterance, read_manifest
from asr.decoding.confidence import Judged, expected_calibration_error, judge
from asr.decoding.decoder import Decoding
from asr.networks.runtimes import Runtime
from asr.recognizer import load_recognizer
from asr.results import Failure, Transcript, in_order


@dataclass(frozen=True)
class Scored:
    """One utterance's normalised texts and word errors."""

    name: str
    reference: str
    hypothesis: str
    substitutions: int
    deletions: int
    insertions: int
    words: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    def pairs(self) -> list[tuple[str, str]]:
        """Reference and hypothesis word by word, aligned; "" where one has none."""
        reference, hypothesis = self.reference.split(), self.hypothesis.split()
        if not reference:  # jiwer refuses it
            return [("", word) for word in hypothesis]
        found: list[tuple[str, str]] = []
        for chunk in jiwer.process_words(self.reference, self.hypothesis).alignments[0]:
            a = reference[chunk.ref_start_idx : chunk.ref_end_idx]
            b = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
            found += zip_longest(a, b, fillvalue="")
        return found

    def aligned(self) -> str:
        """Reference and hypothesis in two lines, word under word; *** where one has none."""
        top: list[str] = []
        bottom: list[str] = []
        for a, b in self.pairs():
            x, y = (a, b) if a == b else (a.upper() or "***", b.upper() or "***")
            width = max(len(x), len(y))
            top.append(x.ljust(width))
            bottom.append(y.ljust(width))
        return f"REF: {' '.join(top)}".rstrip() + f"\nHYP: {' '.join(bottom)}".rstrip()


@dataclass(frozen=True)
class Evaluation:
    """Corpus-level error rates; all rates are fractions.

    wer: word errors over reference words; cer: character errors (spaces count) over reference
    characters. interval: 95 % bootstrap interval of the WER. rtf: processing over audio seconds,
    None if nothing was timed. failures: recordings that could not be read; their words count as
    deleted, so that a broken file never makes a result look better. judged: each heard word's
    confidence, and whether it is right. calibrated: whether the confidences claim to be
    probabilities.
    """

    wer: float
    cer: float
    substitutions: int
    deletions: int
    insertions: int
    words: int
    characters: int
    interval: tuple[float, float]
    rtf: float | None
    scored: tuple[Scored, ...]
    failures: tuple[Failure, ...]
    judged: tuple[Judged, ...] = ()
    calibrated: bool = False

    @property
    def ece(self) -> float | None:
        """Expected calibration error of the words' confidences; None if not calibrated."""
        return expected_calibration_error(self.judged) if self.calibrated else None

    @property
    def utterances(self) -> int:
        return len(self.scored)

    @property
    def hits(self) -> int:
        return self.words - self.substitutions - self.deletions

    def worst(self, count: int) -> list[Scored]:
        """The utterances with most word errors, most first; none without an error."""
        ranked = sorted(self.scored, key=lambda s: (-s.errors, s.words, s.name))
        return [s for s in ranked[:count] if s.errors]

    def confusions(self, count: int) -> list[tuple[str, str, int]]:
        """The most frequent word errors: reference word, what was heard instead, how often; "" for
        a word that was inserted, or deleted."""
        errors = Counter((a, b) for s in self.scored for a, b in s.pairs() if a != b)
        ranked = sorted(errors.items(), key=lambda item: (-item[1], item[0]))
        return [(a, b, times) for (a, b), times in ranked[:count]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "wer": self.wer,
            "cer": self.cer,
            "wer_interval_95": list(self.interval),
            "utterances": self.utterances,
            "words": self.words,
            "characters": self.characters,
            "hits": self.hits,
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
            "rtf": self.rtf,
            "ece": self.ece,
            "failures": [f.to_dict() for f in self.failures],
        }


def evaluate(
    utterances: Sequence[Utterance],
    results: Sequence[Transcript | Failure],
    normalise: Callable[[str], str],
    seconds: float | None = None,
    seed: int = 1,
    calibrated: bool = False,
) -> Evaluation:
    """Compare transcripts with references, both normalised.

    Args:
        seconds: processing time of all, for the RTF.
        seed: of the bootstrap.
        calibrated: whether the words' confidences claim to be probabilities.

    Raises:
        ValueError: the two sequences differ in length or are empty.
    """
    if not utterances or len(utterances) != len(results):
        raise ValueError(f"{len(utterances)} utterances and {len(results)} results")
    scored, character_errors, characters = [], 0, 0
    judged: list[Judged] = []
    for utterance, result in zip(utterances, results, strict=True):
        # One space between words: jiwer splits at nothing else, and a space counts in the CER.
        reference = " ".join(normalise(utterance.text).split())
        heard = normalise(result.text) if isinstance(result, Transcript) else ""
        hypothesis = " ".join(heard.split())
        scored.append(_score(str(utterance.path), reference, hypothesis))
        character_errors += _distance(reference, hypothesis)
        characters += len(reference)
        if isinstance(result, Transcript):
            judged += judge(reference, result, normalise)
    errors = np.array([s.errors for s in scored])
    words = np.array([s.words for s in scored])
    audio_seconds = sum(r.duration for r in results if isinstance(r, Transcript))
    return Evaluation(
        wer=_rate(errors.sum(), words.sum()),
        cer=_rate(character_errors, characters),
        substitutions=sum(s.substitutions for s in scored),
        deletions=sum(s.deletions for s in scored),
        insertions=sum(s.insertions for s in scored),
        words=int(words.sum()),
        characters=characters,
        interval=bootstrap_interval(errors, words, seed),
        rtf=seconds / audio_seconds if seconds is not None and audio_seconds else None,
        scored=tuple(scored),
        failures=tuple(r for r in results if isinstance(r, Failure)),
        judged=tuple(judged),
        calibrated=calibrated,
    )


def _score(name: str, reference: str, hypothesis: str) -> Scored:
    words = len(reference.split())
    if not words:
        # jiwer refuses empty references; what was heard in silence is inserted.
        return Scored(name, reference, hypothesis, 0, 0, len(hypothesis.split()), 0)
    out = jiwer.process_words(reference, hypothesis)
    return Scored(
        name, reference, hypothesis, out.substitutions, out.deletions, out.insertions, words
    )


def _distance(reference: str, hypothesis: str) -> int:
    if not reference:
        return len(hypothesis)
    out = jiwer.process_characters(reference, hypothesis)
    return out.substitutions + out.deletions + out.insertions


def _rate(errors: int, total: int) -> float:
    # Errors without a single reference word are as wrong as can be, but still a number.
    return float(errors) / float(total) if total else float(errors > 0)


def evaluate_manifest(
    model: str, manifest: Path, decoding: Decoding = Decoding(), runtime: Runtime = "onnx"
) -> tuple[Evaluation, dict[str, Any]]:
    """Transcribe a manifest with a model and compare; the RTF is of the warm process.

    Returns:
        The evaluation, and a record of plain values for JSON: its rates and what made them (model,
        weights, training, manifest, decoding, runtime, command, commit).

    Raises:
        AsrError: the manifest or the model is wrong.
    """
    utterances = read_manifest(manifest)
    recognizer = load_recognizer(model, decoding, runtime)
    # What the first call does beside its work is a cost of starting, not of transcribing.
    recognizer.warm_up()
    started = time.monotonic()
    each = recognizer.transcribe_each(utterances)
    results = list(in_order(track(each, len(utterances), "transcribing")))
    seconds = time.monotonic() - started
    result = evaluate(
        utterances, results, recognizer.tokenizer.normalise, seconds,
        calibrated=recognizer.curve is not None,
    )  # fmt: skip
    training = recognizer.config.training
    record = {
        "model": recognizer.config.name,
        "weights_sha256": recognizer.config.weights_sha256,
        "trained": {key: training.get(key) for key in ("command", "seed", "commit")},
        "manifest": str(manifest),
        "decoding": recognizer.decoder.decoding.to_dict(),
        "runtime": runtime,
        "command": this_command(),
        "commit": git_commit(),
        **result.to_dict(),
    }
    return result, record
