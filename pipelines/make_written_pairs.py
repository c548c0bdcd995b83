"""Make the pairs that the shipped en-written is trained on: spoken and written forms of numbers.

python pipelines/make_written_pairs.py --out data/written
"""

import argparse
from pathlib import Path

from asr.inverse_normalisation.training_pairs import written_pairs
from asr.seq2seq.pairs import Pair, write_pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/written"))
    parser.add_argument("--train", type=int, default=150_000, help="pairs")
    parser.add_argument("--dev", type=int, default=3000)
    parser.add_argument("--test", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    for part in ("train", "dev", "test"):
        pairs = written_pairs(part, getattr(a, part), a.seed)
        write_pairs(a.out / f"{part}.tsv", [Pair(p.source, p.target) for p in pairs])
        print(f"{a.out / part}.tsv: {len(pairs)} pairs")


if __name__ == "__main__":
    main()
