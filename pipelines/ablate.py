"""Train recognisers that differ in one setting each, and print their error rates as a table.

python pipelines/ablate.py pipelines/ablations/helps.yaml --jobs 2
"""

import argparse
import json
from pathlib import Path

from asr.base.config import load_yaml
from asr.cli.program import resumable, run_program
from asr.training.ablation import AblationConfig, ablate, finished, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("config", type=Path, help="YAML file, such as those in pipelines/ablations")
    add("--data", type=Path, default=Path("data"), help="folder of the data; default: %(default)s")
    add("--out", type=Path, default=Path("runs/ablation"), help="folder; default: %(default)s")
    add("--jobs", type=int, default=2, help="trainings at the same time; default: %(default)s")
    add("--finished", action="store_true", help="print the finished trainings, do not train")
    add("--json", action="store_true", help="print a JSON object per training, not the table")
    a = parser.parse_args()
    config = load_yaml(AblationConfig, a.config)
    with resumable():  # finished trainings are kept, unfinished ones resume
        findings = finished(config, a.out) if a.finished else ablate(config, a.data, a.out, a.jobs)
    lines = [json.dumps(vars(finding)) for finding in findings] if a.json else [table(findings)]
    print(*lines, sep="\n")


if __name__ == "__main__":
    run_program(main)
