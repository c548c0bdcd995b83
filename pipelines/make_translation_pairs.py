"""Make English-Korean phrase pairs from the message catalogues of Debian packages.

python pipelines/make_translation_pairs.py --out data/en-ko        (needs: pip install polib)
"""

import argparse
import json
from pathlib import Path

from asr.base.files import atomic_write
from asr.base.provenance import git_commit, this_command
from asr.cli.program import run_program
from asr.seq2seq.catalogues import gather_phrases
from asr.seq2seq.translation import write_splits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, default=Path("data/en-ko"), help="folder; default: %(default)s")
    add(
        "--cache",
        type=Path,
        default=Path("data/catalogues"),
        help="folder of downloaded packages; default: %(default)s",
    )
    add("--pieces", type=int, default=4000, help="subwords per language; default: %(default)s")
    a = parser.parse_args()
    splits, packages = gather_phrases(a.cache)
    write_splits(a.out, splits, a.pieces)
    counts = {name: len(pairs) for name, pairs in splits.items()}
    made = {"command": this_command(), "commit": git_commit(), "packages": packages}
    with atomic_write(a.out / "made.json") as file:
        file.write(json.dumps({**made, "pairs": counts}, indent=2) + "\n")
    messages = sum(int(package["messages"]) for package in packages)
    print(f"{messages} messages of {len(packages)} packages:", counts)


if __name__ == "__main__":
    run_program(main)
