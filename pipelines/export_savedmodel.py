"""Export a recogniser or a voice for TensorFlow Serving: a new version below OUT/NAME.

python pipelines/export_savedmodel.py en-small served/
"""

import argparse
from pathlib import Path

from asr.serving.voice_savedmodel import export_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="shipped name or model directory")
    parser.add_argument("out", type=Path)
    a = parser.parse_args()
    print(export_model(a.model, a.out))


if __name__ == "__main__":
    main()
