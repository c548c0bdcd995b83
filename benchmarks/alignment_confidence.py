"""Confidence of alignments of right texts, wrong texts, silence and noise; for LOW_CONFIDENCE.

    python benchmarks/alignment_confidence.py data/kathleen/dev.jsonl data/an4/dev.jsonl

Aligns each recording with its own text, with another text of the manifest ("wrong"), and with its
own first half followed by the second half of the other text ("half"); and silence, white noise and
brown noise of the same length with the own text. Prints quantiles of the confidence, and the share
below each of several thresholds. Texts that are too long for the recording are errors already and
do not count.
"""

import argparse
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np

from asr.data.inputs import AudioLike
from asr.data.manifest import read_manifest
from asr.decoding.confidence import LOW_CONFIDENCE
from asr.errors import TextError
from asr.recognizer import load_recognizer

THRESHOLDS = (0.05, 0.1, 0.12, LOW_CONFIDENCE, 0.18, 0.2, 0.25)
QUANTILES = (0, 1, 5, 50, 95, 99, 100)
NOISES = 40
"""Recordings per manifest that silence and noise are made for."""
RATE = 16_000

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    recognizer = load_recognizer(a.model)
    rng = np.random.default_rng(a.seed)
    found: dict[str, list[float]] = defaultdict(list)

    def measure(kind: str, audio: AudioLike, text: str) -> None:
        with suppress(TextError):
            found[kind].append(recognizer.align(audio, text, sample_rate=RATE).confidence)

    for manifest in a.manifests:
        utterances = read_manifest(manifest)
        for i, utterance in enumerate(utterances):
            others = [u.text for u in utterances if u.text != utterance.text]
            own, other = utterance.text.split(), others[rng.integers(len(others))].split()
            measure("right", utterance, " ".join(own))
            measure("wrong", utterance, " ".join(other))
            if len(own) > 1:
                half = own[: len(own) // 2] + other[len(other) // 2 :]
                measure("half", utterance, " ".join(half))
            if i < NOISES:
                white = rng.normal(0, 0.05, max(RATE // 2, round(RATE * utterance.duration)))
                measure("silence", np.zeros(len(white), np.float32), utterance.text)
                measure("white noise", white.astype(np.float32), utterance.text)
                brown = np.cumsum(white) * 0.05
                measure("brown noise", brown.astype(np.float32), utterance.text)

    print(f"{'kind':12} {'count':>6}", *(f"{q:>5} %" for q in QUANTILES))
    for kind, values in found.items():
        row = (f"{v:7.3f}" for v in np.percentile(values, QUANTILES))
        print(f"{kind:12} {len(values):6}", *row)
    print(f"\nshare below:{'':7}", *(f"{t:7.2f}" for t in THRESHOLDS))
    for kind, values in found.items():
        row = (f"{np.mean(np.array(values) < t):7.1%}" for t in THRESHOLDS)
        print(f"{kind:19}", *row)
