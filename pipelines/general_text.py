"""The general language model's text (asr/data/prose.py) as lines of train, dev and test.txt.

python pipelines/general_text.py --out data/general --held-out data/kathleen/*.jsonl
"""

import argparse
from pathlib import Path
from zlib import crc32

from asr.base.files import atomic_write
from asr.data.prose import HeldOut, collect_sentences

PERCENT = {"test": (0, 1), "dev": (1, 2), "train": (2, 100)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held-out", nargs="*", type=Path, default=[],
                        help="manifests whose sentences are left out")  # fmt: skip
    parser.add_argument("--cache", type=Path, default=Path("data/prose"), help="downloads")
    a = parser.parse_args()
    text, _ = collect_sentences(a.cache, HeldOut.read(a.held_out))
    lines = [" ".join(words) for words in text]
    for split, (first, last) in PERCENT.items():
        # By its words: a sentence that stands twice is in one split only.
        chosen = [line for line in lines if first <= crc32(line.encode()) % 100 < last]
        with atomic_write(a.out / f"{split}.txt") as file:
            file.writelines(line + "\n" for line in chosen)
        print(f"{split}: {len(chosen)} sentences, {sum(len(s.split()) for s in chosen)} words")


if __name__ == "__main__":
    main()
