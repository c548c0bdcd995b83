"""Make pairs of spoken and written numbers, the training data of the shipped en-written.

python pipelines/make_written_pairs.py --out data/written
"""

import argparse
from pathlib import Path

from asr.cli.program import run_program
from asr.inverse_normalisation.training_pairs import written_pairs
from asr.seq2seq.pairs import Pair, write_pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, default=Path("data/written"), help="folder; default: %(default)s")
    add("--train", type=int, default=150_000, help="pairs to train on; default: %(default)s")
    add("--dev", type=int, default=3000, help="pairs of the dev set; default: %(default)s")
    add("--test", type=int, default=5000, help="pairs of the test set; default: %(default)s")
    add("--seed", type=int, default=1, help="seed of the pairs; default: %(default)s")
    a = parser.parse_args()
    for part in ("train", "dev", "test"):
        pairs = written_pairs(part, getattr(a, part), a.seed)
        write_pairs(a.out / f"{part}.tsv", [Pair(p.source, p.target) for p in pairs])
        print(f"{a.out / part}.tsv: {len(pairs)} pairs")


if __name__ == "__main__":
    run_program(main)
