"""How exactly a converter writes numbers whose values are in none of its training's pairs.

python pipelines/evaluate_written.py en-written [--json] [--missed 20]
"""

import argparse
import json

from asr.base.provenance import git_commit, this_command
from asr.inverse_normalisation.training_pairs import (
    exactness,
    exactness_record,
    exactness_text,
    written_pairs,
)
from asr.inverse_normalisation.writer import load_writer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--part", choices=("dev", "test"), default="test")
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1, help="as in make_written_pairs.py")
    parser.add_argument("--json", action="store_true", help="counts, with what made them")
    parser.add_argument("--missed", type=int, default=0, help="show so many that are not exact")
    a = parser.parse_args()
    rows, missed = exactness(load_writer(a.model), written_pairs(a.part, a.pairs, a.seed))
    record = {"model": a.model, "part": a.part, "seed": a.seed, "kinds": exactness_record(rows),
              "command": this_command(), "commit": git_commit()}  # fmt: skip
    print(json.dumps(record) if a.json else exactness_text(rows))
    for pair, written in missed[: a.missed]:
        print(f"{pair.kind}: {pair.source} → {pair.target}: {written}")


if __name__ == "__main__":
    main()
