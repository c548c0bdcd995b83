"""Exact matches of inverse text normalisation, for numbers that the training pairs do not contain.

python pipelines/evaluate_written.py en-written [--json] [--missed 20]
"""

import argparse
import json

from asr import load_number_writer
from asr.base.provenance import git_commit, this_command
from asr.cli.program import run_program
from asr.inverse_normalisation.training_pairs import (
    exactness,
    exactness_record,
    exactness_text,
    written_pairs,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("model", help="converter, by shipped name or directory")
    add("--part", choices=("dev", "test"), default="test", help="default: %(default)s")
    add("--pairs", type=int, default=5000, help="pairs to test on; default: %(default)s")
    add("--seed", type=int, default=1, help="as in make_written_pairs.py; default: %(default)s")
    add("--json", action="store_true", help="print one JSON object with command and commit")
    add("--missed", type=int, default=0, help="wrong results to print; default: %(default)s")
    a = parser.parse_args()
    rows, missed = exactness(load_number_writer(a.model), written_pairs(a.part, a.pairs, a.seed))
    tested = {"model": a.model, "part": a.part, "seed": a.seed, "kinds": exactness_record(rows)}
    record = {**tested, "command": this_command(), "commit": git_commit()}
    print(json.dumps(record) if a.json else exactness_text(rows))
    for pair, written in missed[: a.missed]:
        print(f"{pair.kind}: {pair.source} → {pair.target}: {written}")


if __name__ == "__main__":
    run_program(main)
