"""Word and phoneme error rates of converters from spelling to phones, and of a voice's words.

python pipelines/evaluate_g2p.py en-g2p --pairs data/g2p/test.tsv [--lexicon data/g2p/train.tsv]
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from asr.base.provenance import git_commit, this_command
from asr.pronunciation.g2p import by_lexicon, evaluate, learned
from asr.pronunciation.pronouncer import BEAM
from asr.seq2seq.pairs import read_pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--beam", type=int, default=BEAM)
    parser.add_argument("--lexicon", type=Path, help="pairs that a voice knows: its front end")
    parser.add_argument("--json", action="store_true", help="a line each, with what made it")
    a = parser.parse_args()
    pairs = read_pairs(a.pairs)
    ways = {model: learned(model, a.beam) for model in a.models}
    if a.lexicon:
        ways["front end"] = by_lexicon(read_pairs(a.lexicon))
    for name, say in ways.items():
        for stress in (False, True):
            scores = evaluate(say, pairs, stress)
            row = {"model": name, "stress": stress, **asdict(scores)}
            record = {"command": this_command(), "commit": git_commit()}
            print(json.dumps(row | record) if a.json else row)


if __name__ == "__main__":
    main()
