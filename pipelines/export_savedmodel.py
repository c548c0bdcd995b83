"""Export a recogniser or a voice as a SavedModel for TensorFlow Serving.

python pipelines/export_savedmodel.py en-small served/
"""

import argparse
from pathlib import Path

from asr.cli.program import run_program
from asr.serving.voice_savedmodel import export_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="shipped name or model directory")
    parser.add_argument("out", type=Path, help="folder; each export is a new version in OUT/NAME")
    a = parser.parse_args()
    print(export_model(a.model, a.out))


if __name__ == "__main__":
    run_program(main)
