"""`asr tune`: language model weights that make the fewest word errors on a dev set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr.batch import load_recognizer
from asr.decoding import Decoder, Decoding
from asr.evaluation import evaluate
from asr.manifest import read_manifest
from asr.progress import track
from asr.results import Transcript

ALPHAS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.3)
BETAS = (0.0, 0.75, 1.5, 2.5)


@dataclass(frozen=True)
class Trial:
    """WER (a fraction) of one setting."""

    decoding: Decoding
    wer: float


def tune(
    model: str,
    manifest: Path,
    lm: Path,
    beam: int,
    alphas: Sequence[float] = ALPHAS,
    betas: Sequence[float] = BETAS,
) -> list[Trial]:
    """Try every pair of weights, best first; the network runs once.

    Raises:
        AsrError: the model, the manifest, a recording of it or the language model is wrong.
    """
    utterances = read_manifest(manifest)
    recognizer = load_recognizer(model)
    logits = [recognizer.logits([recognizer.features(u)[0]])[0] for u in utterances]
    tokenizer = recognizer.tokenizer
    first = Decoder(tokenizer, Decoding(beam, lm))
    assert first.scorer is not None
    settings = [replace(first.decoding, alpha=a, beta=b) for a in alphas for b in betas]
    trials = []
    for setting in track(settings, len(settings), "tuning"):
        first.scorer.alpha, first.scorer.beta = setting.alpha, setting.beta
        texts = [tokenizer.decode(first(row).labels) for row in logits]
        results = [
            Transcript(text, 0.0, u.duration) for text, u in zip(texts, utterances, strict=True)
        ]
        trials.append(Trial(setting, evaluate(utterances, results, tokenizer.normalise).wer))
    return sorted(trials, key=lambda t: (t.wer, t.decoding.alpha, t.decoding.beta))
