"""Train a model for each condition of a file, measure all, and print a table (asr/training/ablation.py).

python pipelines/ablate.py pipelines/ablations/helps.yaml --jobs 2
"""

import argparse
import json
import sys
from pathlib import Path

from asr.base.config import load_yaml
from asr.errors import AsrError
from asr.training.ablation import AblationConfig, ablate, finished, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"), help="kept, resumed")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time, a core each")
    parser.add_argument("--finished", action="store_true", help="only show what there is")
    parser.add_argument("--json", action="store_true", help="a line a training")
    a = parser.parse_args()
    try:
        config = load_yaml(AblationConfig, a.config)
        findings = finished(config, a.out) if a.finished else ablate(config, a.data, a.out, a.jobs)
    except AsrError as error:
        sys.exit(f"error: {error}")
    lines = [json.dumps(vars(finding)) for finding in findings] if a.json else [table(findings)]
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
