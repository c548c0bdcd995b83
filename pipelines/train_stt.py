"""Train a recogniser from a config: prepare the data first (data/README.md).

python pipelines/train_stt.py pipelines/configs/an4.yaml --data data --out runs/an4
"""

import argparse
from pathlib import Path

from asr.quiet import import_tensorflow

import_tensorflow()

from asr.config import load_yaml
from asr.experiment import ExperimentConfig, train_recognizer
from asr.progress import TrainingProgress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config = load_yaml(ExperimentConfig, arguments.config)
    with TrainingProgress(config.training.epochs) as progress:
        print(
            train_recognizer(
                config, arguments.data, arguments.out, None, progress.update, progress.say
            )
        )


if __name__ == "__main__":
    main()
