"""Search for the language model weights with the lowest WER on a dev set (`asr tune`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from asr.base.progress import track
from asr.base.provenance import git_commit, this_command
from asr.data.manifest import Utterance, read_manifest
from asr.decoding.decoder import Decoder
from asr.decoding.decoding_options import GENERAL, Decoding
from asr.decoding.lm_record import LmRecord, LmWeights
from asr.errors import ConfigError, TextError
from asr.evaluation.calibration import MIN_WORDS
from asr.evaluation.error_rates import evaluate
from asr.models import find_model
from asr.networks.model_directory import read_model
from asr.recognizer import load_recognizer
from asr.results import Transcript
from asr.text.tokenizers import Tokenizer

ALPHAS = (0.3, 0.5, 0.7, 0.9, 1.2)
BETAS = (0.0, 1.0, 2.0, 3.0)
UNKNOWNS = (-4.0, -8.0, -12.0, -20.0)
SPELLINGS = (0.0, 0.25, 0.5, 1.0, 2.0)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


class WeightStep(NamedTuple):
    """How `tune_near` changes a weight.

    Attributes:
        size: difference to the next value.
        least, most: limits of the weight.
    """

    size: float
    least: float = 0.0
    most: float = math.inf


STEPS = {
    "alpha": WeightStep(0.1),
    "beta": WeightStep(0.25, least=-math.inf),
    "spelling": WeightStep(0.1),
    "share": WeightStep(0.1, most=1.0),
}
"""Name of a field of `LmWeights` → how it changes."""


@dataclass(frozen=True)
class TuningTrial:
    """Word and character error rate of one set of weights, means over the dev sets."""

    weights: LmWeights
    wer: float
    cer: float


def tune(
    model: str,
    manifests: Sequence[Path],
    decoding: Decoding,
    alphas: Sequence[float] = ALPHAS,
    betas: Sequence[float] = BETAS,
    unknowns: Sequence[float] = UNKNOWNS,
    spellings: Sequence[float] = SPELLINGS,
    shares: Sequence[float] = SHARES,
) -> list[TuningTrial]:
    """Evaluate many sets of weights on dev sets, which count the same. The network runs only once.

    The search tries every alpha with every beta, then `unknowns` with the best pair, then
    `spellings` if the recogniser finds words by their phones, then alphas and betas half a step
    away from the best ones. A recurrent model makes every trial slow: with one, the search tries
    `shares` with the n-gram model's tuned weights, then alphas and betas half a step away.

    Args:
        model: name of a shipped model, or path of a model directory.
        manifests: the dev sets.
        decoding: options of decoding, with a language model. Their weights are not used.
        alphas: values of `LmWeights.alpha`.
        betas: values of `LmWeights.beta`.
        unknowns: values of `LmWeights.unknown`.
        spellings: values of `LmWeights.spelling`.
        shares: values of `LmWeights.share`.

    Returns:
        The trials, by rising WER; of equal WER, by rising CER.

    Raises:
        AsrError: there is no language model; or the model, a manifest, a recording or the
            language model is broken.
    """
    search = _Search(model, manifests, decoding)
    beam = search.recognizer.decoder.decoding.beam or LmWeights().beam
    middle = unknowns[len(unknowns) // 2]
    if decoding.rnn_lm is None:
        grid = [
            LmWeights(alpha=a, beta=b, unknown=middle, beam=beam) for a in alphas for b in betas
        ]
        best = search.attempt(grid, "alpha, beta")
        best = search.attempt([replace(best, unknown=u) for u in unknowns], "unknown")
        if search.recognizer.config.acoustic.phones:
            best = search.attempt([replace(best, spelling=s) for s in spellings], "spelling")
    else:
        tuned = replace(LmRecord.read(search.lm).weights, beam=beam)
        best = search.attempt([replace(tuned, share=s) for s in shares], "share")
    a, b = _half_step(alphas), _half_step(betas)
    around = [(best.alpha + i * a, best.beta + j * b) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    search.attempt(
        [replace(best, alpha=round(x, 4), beta=round(y, 4)) for x, y in around if x >= 0],
        "neighbours",
    )
    return search.ranked()


def tune_near(model: str, manifests: Sequence[Path], decoding: Decoding) -> list[TuningTrial]:
    """Start from the present weights, and change one at a time while the error rates fall.

    The weights are alpha, beta, spelling (for a recogniser that finds words by their phones) and
    share (with a recurrent model). A change is one of `STEPS`. The search ends when no change has a
    lower WER, or the same WER and a lower CER.

    Args:
        model, manifests: see `tune`.
        decoding: options of decoding, with a language model. The search starts from their weights.

    Returns:
        See `tune`.

    Raises:
        AsrError: see `tune`.
    """
    search = _Search(model, manifests, decoding)
    names = ["alpha", "beta"]
    names += ["spelling"] * search.recognizer.config.acoustic.phones
    names += ["share"] * (decoding.rnn_lm is not None)
    given = search.recognizer.decoder.decoding
    present = {name: getattr(given, name) for name in (*names, "unknown", "beam")}
    best = replace(LmWeights(), **{k: v for k, v in present.items() if v is not None})
    before = None
    while best != before:
        before = best
        moved = [
            replace(best, **{name: round(value, 4)})
            for name in names
            for value in (
                getattr(best, name) - STEPS[name].size,
                getattr(best, name) + STEPS[name].size,
            )
            if STEPS[name].least <= value <= STEPS[name].most
        ]
        found = search.attempt([best, *moved], "neighbours")
        if search.rates(found) < search.rates(before):
            best = found
    return search.ranked()


class _Search:
    """Trials of weights on dev sets, whose logits are computed once.

    Args:
        model, manifests, decoding: see `tune`.

    Attributes:
        recognizer: the recogniser.
        lm: the language model's file.
    """

    def __init__(self, model: str, manifests: Sequence[Path], decoding: Decoding) -> None:
        lm = decoding.lm_file(find_model(model))
        if lm is None:
            raise ConfigError("tuning needs a language model: give --lm")
        self.lm = lm
        self._dev_sets = [read_manifest(manifest) for manifest in manifests]
        self.recognizer = load_recognizer(model, decoding)
        self._logits = [
            [self.recognizer.voiced_outputs(u) for u in dev_set] for dev_set in self._dev_sets
        ]
        self._trials: dict[LmWeights, TuningTrial] = {}

    def attempt(self, settings: Sequence[LmWeights], label: str) -> LmWeights:
        """Evaluate new sets of weights; returns the best set of all so far."""
        new = [w for w in dict.fromkeys(settings) if w not in self._trials]
        for weights in track(new, len(new), label):
            self._trials[weights] = _evaluate_weights(
                self.recognizer.decoder, weights, self._logits, self._dev_sets
            )
        return self.ranked()[0].weights

    def rates(self, weights: LmWeights) -> tuple[float, float]:
        """WER and CER of a set of weights that was attempted."""
        trial = self._trials[weights]
        return trial.wer, trial.cer

    def ranked(self) -> list[TuningTrial]:
        """All trials, by rising WER; of equal WER, by rising CER."""
        trials = self._trials.values()
        return sorted(trials, key=lambda t: (t.wer, t.cer, t.weights.alpha, t.weights.beta))


def check_word_count(model: str, manifests: Sequence[Path]) -> None:
    """Check that dev sets are large enough to store the weights that are best on them.

    Raises:
        TextError: they have less than `MIN_WORDS` words together.
        AsrError: the model or a manifest is broken.
    """
    tokenizer = Tokenizer(read_model(model)[1].tokenizer)
    utterances = [u for manifest in manifests for u in read_manifest(manifest)]
    words = sum(len(tokenizer.normalise(u.text).split()) for u in utterances)
    if words < MIN_WORDS:
        raise TextError(
            f"{', '.join(map(str, manifests))}: {words} words, {MIN_WORDS} needed to keep weights; "
            "take a larger dev set, or leave --save out to see the weights only"
        )


def save_best(
    trials: Sequence[TuningTrial], model: str, manifests: Sequence[Path], decoding: Decoding
) -> Path:
    """Store the weights of the first trial in the record that `decoding` reads them from.

    Args:
        trials: trials by `tune`, best first.
        model: the recogniser of the trials.
        manifests: the dev sets of the trials.
        decoding: options of the trials, with a language model.

    Returns:
        The path of the record.

    Raises:
        TextError: the dev sets have too few words, see `check_word_count`. Nothing is written.
        ConfigError: there is no language model, or its existing record is broken.
    """
    check_word_count(model, manifests)
    path = decoding.tuned_file(find_model(model))
    if path is None:
        raise ConfigError("weights need a language model: give --lm")
    best = trials[0]
    tuned = {
        "command": this_command(),
        "commit": git_commit(),
        "model": model,
        "manifests": [str(manifest) for manifest in manifests],
        "lm": str(decoding.lm or GENERAL),
        "wer": best.wer,
        "cer": best.cer,
    }
    return replace(LmRecord.read(path), weights=best.weights, tuned=tuned).write(path)


def _evaluate_weights(
    decoder: Decoder,
    weights: LmWeights,
    logits: Sequence[Sequence[np.ndarray]],
    dev_sets: Sequence[Sequence[Utterance]],
) -> TuningTrial:
    tokenizer = decoder.tokenizer
    decoder.set_weights(weights)
    found = []
    for rows, utterances in zip(logits, dev_sets, strict=True):
        results = [
            Transcript(tokenizer.decode(decoder.search(row)[0].labels), 0.0, u.duration)
            for row, u in zip(rows, utterances, strict=True)
        ]
        found.append(evaluate(utterances, results, tokenizer.normalise))
    return TuningTrial(weights, fmean(r.wer for r in found), fmean(r.cer for r in found))


def _half_step(values: Sequence[float]) -> float:
    return (values[1] - values[0]) / 2 if len(values) > 1 else 0.0
