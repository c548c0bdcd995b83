"""Word and character error rates, with a confidence interval, kinds of errors and alignments."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import jiwer
import numpy as np

from asr.base.progress import track
from asr.base.provenance import git_commit, this_command
from asr.base.statistics import bootstrap_interval
from asr.data.manifest import Utterance, read_manifest
from asr.decoding.confidence import JudgedWord, expected_calibration_error, judge_words
from asr.decoding.decoding_options import Decoding
from asr.errors import AsrWarning
from asr.networks.runtimes import Runtime
from asr.recognizer import load_recognizer
from asr.results import Failure, Transcript, in_order
from asr.text.languages import clearly_foreign_letters
from asr.text.tokenizers import Tokenizer, outside_alphabet


class Confusion(NamedTuple):
    """A word error and how often it occurred.

    Attributes:
        reference: the word that was said; "" for an insertion.
        hypothesis: the word in the transcript; "" for a deletion.
        times: how often the error occurred.
    """

    reference: str
    hypothesis: str
    times: int


@dataclass(frozen=True)
class ScoredUtterance:
    """Word errors of one utterance.

    Attributes:
        name: path of the recording.
        reference: normalised text of the manifest.
        hypothesis: normalised text of the transcript.
        substitutions: number of substituted words.
        deletions: number of deleted words.
        insertions: number of inserted words.
        words: number of words in the reference.
    """

    name: str
    reference: str
    hypothesis: str
    substitutions: int
    deletions: int
    insertions: int
    words: int

    @property
    def errors(self) -> int:
        """Number of word errors."""
        return self.substitutions + self.deletions + self.insertions

    def aligned_words(self) -> list[tuple[str, str]]:
        """Pairs of aligned words, (reference, hypothesis), with "" for a missing word."""
        reference, hypothesis = self.reference.split(), self.hypothesis.split()
        if not reference:  # jiwer rejects empty references
            return [("", word) for word in hypothesis]
        found: list[tuple[str, str]] = []
        for chunk in jiwer.process_words(self.reference, self.hypothesis).alignments[0]:
            a = reference[chunk.ref_start_idx : chunk.ref_end_idx]
            b = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
            found += zip_longest(a, b, fillvalue="")
        return found

    def alignment(self) -> str:
        """Reference and hypothesis in two lines, word under word, with *** for a missing word.
        Wrong words are in upper case."""
        top: list[str] = []
        bottom: list[str] = []
        for a, b in self.aligned_words():
            x, y = (a, b) if a == b else (a.upper() or "***", b.upper() or "***")
            width = max(len(x), len(y))
            top.append(x.ljust(width))
            bottom.append(y.ljust(width))
        return f"REF: {' '.join(top)}".rstrip() + f"\nHYP: {' '.join(bottom)}".rstrip()


@dataclass(frozen=True)
class Evaluation:
    """Error rates of a corpus, as fractions.

    Attributes:
        wer: word error rate, word errors divided by reference words.
        cer: character error rate, character errors divided by reference characters, spaces
            included.
        substitutions: number of substituted words.
        deletions: number of deleted words.
        insertions: number of inserted words.
        words: number of words in the references.
        characters: number of characters in the references.
        interval: 95 % bootstrap interval of the WER.
        rtf: real-time factor, seconds of processing divided by seconds of audio; None if it was
            not measured.
        scored: errors of each utterance.
        failures: recordings that could not be read. Their words count as deleted, so that a broken
            file never improves a result.
        judged: confidence of each word in the transcripts, and whether the word is right.
        calibrated: whether the model's confidences are calibrated probabilities.
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
    scored: tuple[ScoredUtterance, ...]
    failures: tuple[Failure, ...]
    judged: tuple[JudgedWord, ...] = ()
    calibrated: bool = False

    @property
    def ece(self) -> float | None:
        """Expected calibration error of the confidences; None if they are not calibrated."""
        return expected_calibration_error(self.judged) if self.calibrated else None

    @property
    def utterances(self) -> int:
        """Number of utterances."""
        return len(self.scored)

    @property
    def hits(self) -> int:
        """Number of right words."""
        return self.words - self.substitutions - self.deletions

    def worst(self, count: int) -> list[ScoredUtterance]:
        """The `count` utterances with most word errors, without those that have none."""
        ranked = sorted(self.scored, key=lambda s: (-s.errors, s.words, s.name))
        return [s for s in ranked[:count] if s.errors]

    def confusions(self, count: int) -> list[Confusion]:
        """The `count` most frequent word errors."""
        errors = Counter((a, b) for s in self.scored for a, b in s.aligned_words() if a != b)
        ranked = sorted(errors.items(), key=lambda item: (-item[1], item[0]))
        return [Confusion(a, b, times) for (a, b), times in ranked[:count]]

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
    """Compare transcripts with the texts of a manifest.

    >>> from pathlib import Path
    >>> from asr.data.manifest import Utterance
    >>> from asr.results import Transcript
    >>> utterance = Utterance("go forward ten meters", 2.8, audio_filepath=Path("a.wav"))
    >>> result = evaluate([utterance], [Transcript("go for ten meters", -0.1, 2.8)], str.lower)
    >>> result.wer, result.substitutions
    (0.25, 1)
    >>> print(result.scored[0].alignment())
    REF: go FORWARD ten meters
    HYP: go FOR     ten meters

    Args:
        utterances: recordings and their texts.
        results: a result for each utterance, in the same order.
        normalise: applied to both texts, such as `Recognizer.tokenizer.normalise`.
        seconds: processing time of all recordings, in seconds, for the real-time factor. Default:
            not measured.
        seed: seed of the bootstrap interval. Default 1.
        calibrated: whether the confidences are calibrated probabilities. Default False.

    Raises:
        ValueError: the sequences have different lengths or are empty.
    """
    if not utterances or len(utterances) != len(results):
        raise ValueError(f"{len(utterances)} utterances and {len(results)} results")
    scored, character_errors, characters = [], 0, 0
    judged: list[JudgedWord] = []
    for utterance, result in zip(utterances, results, strict=True):
        # One space between words: jiwer splits at single spaces, and the CER counts spaces.
        reference = " ".join(normalise(utterance.text).split())
        heard = normalise(result.text) if isinstance(result, Transcript) else ""
        hypothesis = " ".join(heard.split())
        scored.append(score_words(utterance.name, reference, hypothesis))
        character_errors += _distance(reference, hypothesis)
        characters += len(reference)
        if isinstance(result, Transcript):
            judged += judge_words(reference, result, normalise)
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


def score_words(name: str, reference: str, hypothesis: str) -> ScoredUtterance:
    """Count the word errors of a hypothesis.

    Args:
        name: path of the recording.
        reference, hypothesis: normalised texts.
    """
    words = len(reference.split())
    if not words:
        # jiwer rejects empty references. Every word of the hypothesis is an insertion.
        inserted = len(hypothesis.split())
        return ScoredUtterance(name, reference, hypothesis, 0, 0, inserted, 0)
    out = jiwer.process_words(reference, hypothesis)
    return ScoredUtterance(
        name, reference, hypothesis, out.substitutions, out.deletions, out.insertions, words
    )


def _distance(reference: str, hypothesis: str) -> int:
    if not reference:
        return len(hypothesis)
    out = jiwer.process_characters(reference, hypothesis)
    return out.substitutions + out.deletions + out.insertions


def _rate(errors: int, total: int) -> float:
    # A rate of 1 for errors without any reference word, because infinity is not valid JSON.
    return float(errors) / float(total) if total else float(errors > 0)


def warn_of_other_texts(
    tokenizer: Tokenizer, manifest: Path, utterances: Sequence[Utterance]
) -> None:
    """Warn of characters that a recogniser cannot write, and of foreign texts for an English one.

    Args:
        tokenizer: the recogniser's tokenizer.
        manifest: file in the warning.
        utterances: its lines.
    """
    texts = [u.text for u in utterances]
    messages = []
    if unknown := outside_alphabet(tokenizer, texts):
        messages.append(
            f"{manifest}: the model cannot write {unknown}; words with these characters count as "
            "errors"
        )
    foreign = clearly_foreign_letters(texts) if tokenizer.config.normaliser == "english" else None
    if foreign is not None:
        what = "whose accents its normaliser removes" if foreign.is_latin else "of another script"
        messages.append(
            f"{manifest}: the texts are probably not English, but the model is: they have letters "
            f"{what}: {foreign.listed}"
        )
    for message in messages:
        warnings.warn(message, AsrWarning, stacklevel=3)


def evaluate_manifest(
    model: str, manifest: Path, decoding: Decoding = Decoding(), runtime: Runtime = "onnx"
) -> tuple[Evaluation, dict[str, Any]]:
    """Transcribe a manifest with a model and evaluate the transcripts.

    Args:
        model: name of a shipped model, or path of a model directory.
        manifest: recordings and their texts.
        decoding: options of decoding. Default: the model's own language model if it has one.
        runtime: library that runs the network. Default "onnx".

    Returns:
        The evaluation, and a record for JSON: the rates, and the model, weights, training,
        manifest, decoding, runtime, command and commit that they come from.

    Raises:
        AsrError: the manifest or the model is broken.
    """
    utterances = read_manifest(manifest)
    recognizer = load_recognizer(model, decoding, runtime)
    warn_of_other_texts(recognizer.tokenizer, manifest, utterances)
    # The real-time factor leaves out the cost of the network's first call.
    recognizer.warm_up()
    started = time.monotonic()
    each = recognizer.transcribe_each(utterances)
    results = list(in_order(track(each, len(utterances), "transcribing")))
    seconds = time.monotonic() - started
    result = evaluate(
        utterances,
        results,
        recognizer.tokenizer.normalise,
        seconds,
        calibrated=recognizer.curve is not None,
    )
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
