"""Evaluate a recogniser on manifests, and append one JSON line per manifest to a file.

python pipelines/evaluate.py en-small data/an4/test.jsonl --out docs/results.jsonl [--lm none]
"""

import argparse
import json
from pathlib import Path

from asr import Decoding, evaluate_manifest
from asr.base.files import append, output_file
from asr.cli.program import run_program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("model", help="shipped name or model directory")
    add("manifests", nargs="+", type=Path, help="manifests with reference texts")
    add("--out", type=output_file, required=True, help="file that the JSON lines are appended to")
    add(
        "--lm",
        help="n-gram model: general, none or an ARPA file; default: general, if there is one",
    )
    add("--rnn-lm", help="recurrent language model, by name or directory; default: none")
    a = parser.parse_args()
    # Evaluate everything before writing: the file may be under version control, and the records
    # name the commit.
    decoding = Decoding(lm=a.lm, rnn_lm=a.rnn_lm)
    evaluated = [evaluate_manifest(a.model, m, decoding) for m in a.manifests]
    append(a.out, "".join(json.dumps(record) + "\n" for _, record in evaluated))
    for result, record in evaluated:
        print(f"{record['manifest']}: WER {result.wer:.2%}, CER {result.cer:.2%}")


if __name__ == "__main__":
    run_program(main)
