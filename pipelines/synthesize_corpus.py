"""Synthetic speech for training, from prose that Debian packages (asr/prose.py names the packages).

python pipelines/synthesize_corpus.py --source packages --out data/synthetic --hours 5 \
    --exclude data/kathleen/*.jsonl
"""

import argparse
import random
from pathlib import Path

from asr.manifest import read_manifest, write_manifest
from asr.progress import track
from asr.prose import sentences, speakable
from asr.text import normalise_english
from asr.voices import synthesize


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="the packages, unpacked")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=5.0)
    parser.add_argument("--words", type=int, nargs=2, default=(4, 14), help="fewest and most")
    parser.add_argument(
        "--exclude", type=Path, nargs="+", default=(), help="manifests, by sentence"
    )
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    known = {normalise_english(u.text) for path in a.exclude for u in read_manifest(path)}
    found = speakable(sentences(a.source), *a.words)
    texts = [text for text in found if normalise_english(text) not in known]
    random.Random(a.seed).shuffle(texts)
    spoken = synthesize(texts, a.out / "audio", a.hours * 3600, a.seed)
    # An average utterance has about three seconds.
    write_manifest(a.out / "train.jsonl", list(track(spoken, int(a.hours * 1200), "speaking")))


if __name__ == "__main__":
    main()
