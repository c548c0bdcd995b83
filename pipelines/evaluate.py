"""Evaluate a recogniser on manifests, and append one JSON line per manifest to a file.

python pipelines/evaluate.py en-small data/an4/test.jsonl --out docs/results.jsonl [--lm general]
"""

import argparse
import json
import sys
from pathlib import Path

from asr import AsrError, Decoding, evaluate_manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("model", help="shipped name or model directory")
    add("manifests", nargs="+", type=Path, help="manifests with reference texts")
    add("--out", type=Path, required=True, help="file that the JSON lines are appended to")
    add("--lm", help='n-gram model: "general" or an ARPA file; default: greedy decoding')
    add("--rnn-lm", help="recurrent language model, by name or directory; default: none")
    a = parser.parse_args()
    # Evaluate everything before writing: the file may be under version control, and the records
    # name the commit.
    decoding = Decoding(lm=a.lm, rnn_lm=a.rnn_lm)
    try:
        evaluated = [evaluate_manifest(a.model, m, decoding) for m in a.manifests]
    except AsrError as error:
        sys.exit(f"error: {error}")
    with a.out.open("a", encoding="utf-8") as file:
        for result, record in evaluated:
            file.write(json.dumps(record) + "\n")
            print(f"{record['manifest']}: WER {result.wer:.2%}, CER {result.cer:.2%}")


if __name__ == "__main__":
    main()
