"""Evaluate a model on manifests: a JSON line for each, rates and what made them, to a file.

python pipelines/evaluate.py en-small data/an4/test.jsonl --out docs/results.jsonl [--lm general]
"""

import argparse
import json
from pathlib import Path

from asr.decoding.decoder import Decoding
from asr.evaluation.error_rates import evaluate_manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="lines are added to it")
    parser.add_argument("--lm", help="general or an ARPA file; weights as tuned; default: greedy")
    parser.add_argument("--rnn-lm", help="recurrent model beside it")
    a = parser.parse_args()
    # All first: what is written may itself be part of the commit that the lines name.
    decoding = Decoding(lm=a.lm, rnn_lm=a.rnn_lm)
    evaluated = [evaluate_manifest(a.model, m, decoding) for m in a.manifests]
    with a.out.open("a", encoding="utf-8") as file:
        for result, record in evaluated:
            file.write(json.dumps(record) + "\n")
            print(f"{record['manifest']}: WER {result.wer:.2%}, CER {result.cer:.2%}")


if __name__ == "__main__":
    main()
