"""How far gradients reach in each cell, how far it learns to remember, and what a step costs.

python pipelines/gradient_lab.py --seeds 1 2 3 --plot gradient_lab.png
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from asr.errors import AsrError
from asr.gradient_lab.horizon_report import draw, table
from asr.gradient_lab.horizons import LabConfig, measure
from asr.training.trainer import set_threads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--lengths", type=int, nargs="+", default=[10, 20, 40, 80, 160])
    parser.add_argument("--json", action="store_true", help="all of it, for a program")
    parser.add_argument("--plot", type=Path, help="a PNG")
    a = parser.parse_args()
    set_threads(1)
    try:
        findings = measure(a.seeds, sorted(a.lengths), LabConfig())
    except AsrError as error:
        sys.exit(f"error: {error}")
    print(json.dumps(asdict(findings)) if a.json else "\n".join(table(findings)))
    if a.plot:
        draw(a.plot, findings)


if __name__ == "__main__":
    main()
