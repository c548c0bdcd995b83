"""Train the network that finds voices (asr/decoding/voice_activity.py), in about ten minutes.

python pipelines/train_voice_activity.py --speech data/*/train.jsonl --noise NOISE-FOLDERS... \\
    --out asr/decoding/voice_activity.npz

Noise folders hold recordings without any voice: music, effects, machines. data/README.md names free
ones.
"""

import argparse
from pathlib import Path

import numpy as np

from asr.base.files import atomic_write
from asr.cli.program import run_program


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--speech", nargs="+", type=Path, required=True, help="manifests")
    parser.add_argument("--noise", nargs="+", type=Path, required=True, help="folders")
    parser.add_argument("--out", type=Path, required=True, help=".npz file")
    parser.add_argument("--utterances", type=int, default=250, help="of each manifest at most")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    from asr.training.train_voice_activity import train_voice_activity

    weights = train_voice_activity(a.speech, a.noise, a.utterances, a.epochs, a.seed)
    with atomic_write(a.out, binary=True) as file:
        np.savez(file, **weights)  # type: ignore[arg-type]  # its stub takes no dict of arrays
    print(f"{a.out}: {a.out.stat().st_size} bytes")


if __name__ == "__main__":
    run_program(main)
