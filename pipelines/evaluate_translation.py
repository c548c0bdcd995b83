"""BLEU, chrF and exact share of translations, beside what no network is needed for; examples.

python pipelines/evaluate_translation.py runs/en-ko/model --pairs data/en-ko
"""

import argparse
import json
from pathlib import Path

from asr.base.provenance import git_commit, this_command
from asr.seq2seq.pairs import read_pairs
from asr.seq2seq.translation import Translator, compare, signatures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--pairs", type=Path, default=Path("data/en-ko"), help="folder of them")
    parser.add_argument("--part", choices=("dev", "test"), default="test")
    parser.add_argument("--beam", type=int, default=4)
    parser.add_argument("--length-penalty", type=float, default=1.0)
    parser.add_argument("--examples", type=int, default=24, help="evenly out of all")
    parser.add_argument("--json", action="store_true")
    a = parser.parse_args()
    train, pairs = (read_pairs(a.pairs / f"{name}.tsv") for name in ("train", a.part))
    translator = Translator(a.model, a.pairs / "pieces")
    found = compare(translator, train, pairs, a.beam, a.length_penalty)
    if a.json:
        made = {"command": this_command(), "commit": git_commit(), "metrics": signatures()}
        return print(json.dumps({**made, **found.to_dict()}))
    print(f"{len(pairs)} phrases of {a.part}, {len(train)} of train", *signatures(), "", sep="\n")
    for name, score in found.scores.items():
        print(f"{name:26} {score}")
    print("\nEnglish | reference | network")
    for i in range(0, len(pairs), -(-len(pairs) // a.examples)):
        print(pairs[i].source, pairs[i].target, found.said[i], sep=" | ")


if __name__ == "__main__":
    main()
