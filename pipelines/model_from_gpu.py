"""Make a model directory from the weights that a training in PyTorch brought back.

python pipelines/model_from_gpu.py gpu/pack.npz gpu/result --out runs/en-base-gpu
"""

import argparse
from pathlib import Path

from asr.cli.program import run_program
from asr.training.gpu_model import model_from_gpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path, help="file of pipelines/pack_for_gpu.py")
    parser.add_argument("result", type=Path, help="folder with result.json and the weights")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run, as asr train's")
    a = parser.parse_args()
    print(model_from_gpu(a.pack, a.result, a.out))


if __name__ == "__main__":
    run_program(main)
