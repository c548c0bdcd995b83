"""Write the data of a training into one small file, for a machine that has a GPU for some minutes.

python pipelines/pack_for_gpu.py pipelines/configs/en-base-first.yaml --data data --out gpu/pack.npz

docs/train.md, "Ten minutes of a GPU", says how to go on.
"""

import argparse
from pathlib import Path

from asr.base.files import output_file
from asr.cli.program import run_program
from asr.training.from_yaml import read_recognizer_experiment
from asr.training.gpu_pack import write_gpu_pack


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("config", type=Path, help="YAML file of a recogniser")
    add("--data", type=Path, default=Path("data"), help="folder of the data; default: %(default)s")
    add("--out", type=output_file, required=True, help="the file, .npz")
    step = "quantisation step, in standard deviations; smaller is larger; default: %(default)s"
    add("--step", type=float, default=0.25, help=step)
    a = parser.parse_args()
    print(write_gpu_pack(read_recognizer_experiment(a.config), a.data, a.out, a.step))


if __name__ == "__main__":
    run_program(main)
