"""Synthetic speech for training: freely licensed prose, read by text-to-speech voices.

python pipelines/synthesize_corpus.py --out data/synthetic --hours 6 --held-out data/*/test.jsonl
"""

import argparse
import random
from pathlib import Path

from asr.base.progress import track
from asr.data.manifest import write_manifest
from asr.data.prose import HeldOut, plain_sentences
from asr.data.prose_sources import SOURCES, fetch_text
from asr.text.normalisers import normalise_english
from asr.tts.engines import synthesize


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--engines", nargs="+", default=["flite", "espeak-ng", "festival"],
                        help="whose voices share the sentences; asr: our own")  # fmt: skip
    parser.add_argument("--words", type=int, nargs=2, default=(4, 14), help="fewest and most")
    parser.add_argument("--held-out", nargs="*", type=Path, default=[],
                        help="manifests whose sentences are left out")  # fmt: skip
    parser.add_argument("--cache", type=Path, default=Path("data/prose"), help="downloads")
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    held_out = HeldOut.read(a.held_out)
    texts = [t for s in SOURCES for t in plain_sentences(fetch_text(s, a.cache)[0], *a.words)]
    texts = [t for t in dict.fromkeys(texts) if not held_out.matches(normalise_english(t).split())]
    random.Random(a.seed).shuffle(texts)
    spoken = synthesize(texts, a.out / "audio", a.hours * 3600, a.engines, a.seed)
    # An average utterance has about three seconds.
    write_manifest(a.out / "train.jsonl", list(track(spoken, int(a.hours * 1200), "speaking")))


if __name__ == "__main__":
    main()
