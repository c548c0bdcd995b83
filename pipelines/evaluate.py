"""Evaluate one model on several manifests, a JSON object a line (docs/results.md is made of it).

python pipelines/evaluate.py en-small data/kathleen/test.jsonl data/an4/test.jsonl
"""

import argparse
import json
from pathlib import Path

from asr.batch import evaluate_manifest
from asr.experiment import git_commit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("manifests", nargs="+", type=Path)
    arguments = parser.parse_args()
    for manifest in arguments.manifests:
        result = evaluate_manifest(arguments.model, manifest)
        line = {"model": arguments.model, "manifest": str(manifest), "commit": git_commit()}
        print(json.dumps({**line, **result.to_dict()}), flush=True)


if __name__ == "__main__":
    main()
