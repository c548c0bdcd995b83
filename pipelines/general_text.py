"""Write the text of the general language model as lines of train.txt, dev.txt and test.txt.

python pipelines/general_text.py --out data/general --held-out data/kathleen/*.jsonl
"""

import argparse
from pathlib import Path
from zlib import crc32

from asr.base.files import atomic_write
from asr.cli.program import run_program
from asr.data.prose import HeldOut, collect_sentences

PERCENT = {"test": (0, 1), "dev": (1, 2), "train": (2, 100)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the three files")
    held_out = "manifests whose sentences are left out; default: none"
    parser.add_argument("--held-out", nargs="*", type=Path, default=[], help=held_out)
    cache = "folder of the downloaded packages; default: data/prose"
    parser.add_argument("--cache", type=Path, default=Path("data/prose"), help=cache)
    a = parser.parse_args()
    sentences, _ = collect_sentences(a.cache, HeldOut.read(a.held_out))
    lines = [" ".join(words) for words in sentences]
    for split, (first, last) in PERCENT.items():
        # The split depends on the words only, so copies of a sentence are in the same split.
        chosen = [line for line in lines if first <= crc32(line.encode()) % 100 < last]
        with atomic_write(a.out / f"{split}.txt") as file:
            file.writelines(line + "\n" for line in chosen)
        print(f"{split}: {len(chosen)} sentences, {sum(len(s.split()) for s in chosen)} words")


if __name__ == "__main__":
    run_program(main)
