"""Average the weights of recognisers of one shape.

python pipelines/average_models.py runs/first/model runs/second/model --out runs/average/model
"""

import argparse
from pathlib import Path

from asr.cli.program import run_program
from asr.training.model_average import average_models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    help_ = "shipped names or model directories; settings and language model are the last one's"
    parser.add_argument("models", nargs="+", help=help_)
    parser.add_argument("--out", type=Path, required=True, help="model directory to write")
    a = parser.parse_args()
    average_models(a.models, a.out)


if __name__ == "__main__":
    run_program(main)
