"""Evaluate a model on manifests and add a JSON line for each to a file of results.

python pipelines/evaluate.py en-small data/an4/test.jsonl --results docs/results.jsonl
"""

import argparse
import json
from pathlib import Path

from asr.batch import evaluate_manifest, load_recognizer
from asr.record import git_commit, this_command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    arguments = parser.parse_args()
    config = load_recognizer(arguments.model).config
    made_by = {key: config.training.get(key) for key in ("command", "seed", "commit")}
    commit = git_commit()  # before the results themselves change the working tree
    for manifest in arguments.manifests:
        result = evaluate_manifest(arguments.model, manifest).to_dict()
        line = {
            "model": config.name,
            "weights_sha256": config.weights_sha256,
            "trained": made_by,
            "manifest": str(manifest),
            "command": this_command(),
            "commit": commit,
            **result,
        }
        with arguments.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(f"{manifest}: WER {result['wer']:.2%}, CER {result['cer']:.2%}")


if __name__ == "__main__":
    main()
