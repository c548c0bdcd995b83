"""English phrases and their Korean translations, out of Debian packages' message catalogues.

python pipelines/make_translation_pairs.py --out data/en-ko        (needs: pip install polib)
"""

import argparse
import json
from pathlib import Path

from asr.base.files import atomic_write
from asr.base.provenance import git_commit, this_command
from asr.seq2seq.catalogues import gather
from asr.seq2seq.translation import write_splits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/en-ko"))
    parser.add_argument("--cache", type=Path, default=Path("data/catalogues"), help="downloads")
    parser.add_argument("--pieces", type=int, default=4000, help="of either language")
    a = parser.parse_args()
    splits, packages = gather(a.cache)
    write_splits(a.out, splits, a.pieces)
    counts = {name: len(pairs) for name, pairs in splits.items()}
    made = {"command": this_command(), "commit": git_commit(), "packages": packages}
    with atomic_write(a.out / "made.json") as file:
        file.write(json.dumps({**made, "pairs": counts}, indent=2) + "\n")
    messages = sum(int(package["messages"]) for package in packages)
    print(f"{messages} messages of {len(packages)} packages:", counts)


if __name__ == "__main__":
    main()
