"""Compare recurrent cells: gradient norms through time, memory horizons and cost per step.

python pipelines/gradient_lab.py --seeds 1 2 3 --plot gradient_lab.png
"""

import argparse
import json
from dataclasses import asdict

from asr.base.files import output_file
from asr.cli.program import run_program
from asr.gradient_lab.horizon_report import draw, table
from asr.gradient_lab.horizons import LabConfig, measure
from asr.training.trainer import set_threads

LENGTHS = [10, 20, 40, 80, 160]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--seeds", type=int, nargs="+", default=[1], help="seeds of the trainings; default: 1")
    add("--lengths", type=int, nargs="+", default=LENGTHS, help="in steps; default: %(default)s")
    add("--json", action="store_true", help="print all results as one JSON object")
    add("--plot", type=output_file, help="PNG file to write; default: no plot")
    a = parser.parse_args()
    set_threads(1)
    findings = measure(a.seeds, sorted(a.lengths), LabConfig())
    print(json.dumps(asdict(findings)) if a.json else "\n".join(table(findings)))
    if a.plot:
        draw(a.plot, findings)


if __name__ == "__main__":
    run_program(main)
