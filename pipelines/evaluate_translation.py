"""BLEU, chrF and exact matches of a translator and of simple baselines, with examples.

python pipelines/evaluate_translation.py runs/en-ko/model --pairs data/en-ko
"""

import argparse
import json
from pathlib import Path

from asr.base.provenance import git_commit, this_command
from asr.cli.program import run_program
from asr.seq2seq.pairs import read_pairs
from asr.seq2seq.translation import Translator, compare_systems, metric_signatures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("model", help="directory of the converter")
    add("--pairs", type=Path, default=Path("data/en-ko"), help="data folder; default: %(default)s")
    add("--part", choices=("dev", "test"), default="test", help="default: %(default)s")
    add("--beam", type=int, default=4, help="beam width; default: %(default)s")
    add("--length-penalty", type=float, default=1.0, help="exponent; default: %(default)s")
    add("--examples", type=int, default=24, help="translations to print; default: %(default)s")
    add("--json", action="store_true", help="print one JSON object with command and commit")
    a = parser.parse_args()
    train, pairs = (read_pairs(a.pairs / f"{name}.tsv") for name in ("train", a.part))
    translator = Translator(a.model, a.pairs / "pieces")
    found = compare_systems(translator, train, pairs, a.beam, a.length_penalty)
    if a.json:
        made = {"command": this_command(), "commit": git_commit(), "metrics": metric_signatures()}
        return print(json.dumps({**made, **found.to_dict()}))
    print(f"{len(pairs)} phrases of {a.part}, {len(train)} of train")
    print(*metric_signatures(), "", *(f"{n:26} {s}" for n, s in found.scores.items()), sep="\n")
    print("\nEnglish | reference | network")
    for i in range(0, len(pairs), -(-len(pairs) // a.examples)):
        print(pairs[i].source, pairs[i].target, found.translations[i], sep=" | ")


if __name__ == "__main__":
    run_program(main)
