"""Word and phone error rates of grapheme-to-phoneme converters and of a voice's pronouncer.

python pipelines/evaluate_g2p.py en-g2p --pairs data/g2p/test.tsv [--lexicon data/g2p/train.tsv]
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from asr.base.provenance import git_commit, this_command
from asr.cli.program import run_program
from asr.pronunciation.g2p import converter_pronounce, evaluate_pronunciations, lexicon_pronounce
from asr.pronunciation.pronouncer import G2P_BEAM
from asr.seq2seq.pairs import read_pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("models", nargs="*", help="converters, by shipped name or directory")
    add("--pairs", type=Path, required=True, help="words and their phones to test on")
    add("--beam", type=int, default=G2P_BEAM, help="beam width; default: %(default)s")
    add("--lexicon", type=Path, help="also test a pronouncer with this lexicon; default: none")
    add("--json", action="store_true", help="print JSON lines with command and commit")
    a = parser.parse_args()
    pairs = read_pairs(a.pairs)
    spellers = {model: converter_pronounce(model, a.beam) for model in a.models}
    if a.lexicon:
        spellers["front end"] = lexicon_pronounce(read_pairs(a.lexicon))
    for name, speller in spellers.items():
        for stress in (False, True):
            scores = evaluate_pronunciations(speller, pairs, stress)
            row = {"model": name, "stress": stress, **asdict(scores)}
            record = {"command": this_command(), "commit": git_commit()}
            print(json.dumps(row | record) if a.json else row)


if __name__ == "__main__":
    run_program(main)
