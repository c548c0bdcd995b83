"""`asr tune`: language model weights that make the fewest word errors on a dev set."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from asr.base.progress import track
from asr.base.provenance import git_commit, this_command
from asr.data.manifest import Utterance, read_manifest
from asr.decoding.decoder import Decoder, Decoding, LmRecord, Weights
from asr.errors import ConfigError
from asr.evaluation.error_rates import evaluate
from asr.models import find_model
from asr.recognizer import load_recognizer
from asr.results import Transcript

if TYPE_CHECKING:
    import numpy as np

ALPHAS = (0.3, 0.5, 0.7, 0.9, 1.2)
BETAS = (0.0, 1.0, 2.0, 3.0)
UNKNOWNS = (-4.0, -8.0, -12.0, -20.0)
SPELLINGS = (0.0, 0.25, 0.5, 1.0, 2.0)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Trial:
    """WER and CER (fractions) of one setting."""

    weights: Weights
    wer: float
    cer: float


def tune(
    model: str,
    manifest: Path,
    decoding: Decoding,
    alphas: Sequence[float] = ALPHAS,
    betas: Sequence[float] = BETAS,
    unknowns: Sequence[float] = UNKNOWNS,
    spellings: Sequence[float] = SPELLINGS,
    shares: Sequence[float] = SHARES,
) -> list[Trial]:
    """Try weights, best first; the network runs once.

    Every alpha with every beta, the other values of unknown with the best pair, those of spelling
    where words are found by their sound, then the neighbours of the best, half a step away. With a
    recurrent model, which makes every trial slow, only its shares beside what the n-gram model was
    tuned to, then the neighbours. Of equal WER, the better CER is better.

    Args:
        decoding: with a language model and a beam; its weights are not used.

    Raises:
        AsrError: the model, the manifest, a recording of it or the language model is wrong.
    """
    if decoding.lm is None:
        raise ConfigError("what is tuned are a language model's weights: give one with --lm")
    utterances = read_manifest(manifest)
    recognizer = load_recognizer(model, decoding)
    beam = recognizer.decoder.decoding.beam
    assert beam is not None
    logits = [recognizer.outputs([recognizer.features(u)[0]])[0] for u in utterances]
    middle = unknowns[len(unknowns) // 2]
    trials: dict[Weights, Trial] = {}

    def attempt(settings: Sequence[Weights], what: str) -> Weights:
        new = [w for w in dict.fromkeys(settings) if w not in trials]
        for weights in track(new, len(new), what):
            trials[weights] = _trial(recognizer.decoder, weights, logits, utterances)
        return _ranked(trials.values())[0].weights

    if decoding.rnn_lm is None:
        best = attempt([Weights(a, b, middle, beam) for a in alphas for b in betas], "alpha, beta")
        best = attempt([replace(best, unknown=u) for u in unknowns], "unknown")
        if recognizer.config.acoustic.phones:
            best = attempt([replace(best, spelling=s) for s in spellings], "spelling")
    else:
        lm = decoding.lm_file(find_model(model))
        assert lm is not None
        known = replace(LmRecord.read(lm).weights, beam=beam)
        best = attempt([replace(known, share=s) for s in shares], "share")
    a, b = _half_step(alphas), _half_step(betas)
    around = [(best.alpha + i * a, best.beta + j * b) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    attempt(
        [replace(best, alpha=round(x, 4), beta=round(y, 4)) for x, y in around if x >= 0],
        "neighbours",
    )
    return _ranked(trials.values())


def save_best(trials: Sequence[Trial], model: str, manifest: Path, decoding: Decoding) -> Path:
    """Keep the first trial's weights where `decoding` looks for them; returns the file's path.

    Raises:
        ConfigError: the record that is there is broken.
    """
    path = decoding.tuned_file(find_model(model))
    assert path is not None
    best = trials[0]
    tuned = {
        "command": this_command(), "commit": git_commit(), "model": model,
        "manifest": str(manifest), "lm": str(decoding.lm), "wer": best.wer, "cer": best.cer,
    }  # fmt: skip
    record = LmRecord.read(path)
    return dataclasses.replace(record, weights=best.weights, tuned=tuned).write(path)


def _trial(
    decoder: Decoder, weights: Weights, logits: Sequence[np.ndarray],
    utterances: Sequence[Utterance],
) -> Trial:  # fmt: skip
    tokenizer = decoder.tokenizer
    decoder.weigh(weights)
    results = [
        Transcript(tokenizer.decode(decoder.search(row)[0].labels), 0.0, u.duration)
        for row, u in zip(logits, utterances, strict=True)
    ]
    found = evaluate(utterances, results, tokenizer.normalise)
    return Trial(weights, found.wer, found.cer)


def _ranked(trials: Iterable[Trial]) -> list[Trial]:
    return sorted(trials, key=lambda t: (t.wer, t.cer, t.weights.alpha, t.weights.beta))


def _half_step(values: Sequence[float]) -> float:
    return (values[1] - values[0]) / 2 if len(values) > 1 else 0.0
