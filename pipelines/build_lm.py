"""Make a recogniser's general language model out of freely licensed prose (asr/data/prose.py).

python pipelines/build_lm.py --out asr/models/en-small/lm.arpa.gz --held-out data/kathleen/*.jsonl
"""

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path

from asr.base.provenance import git_commit, this_command
from asr.data.prose import HeldOut, collect_sentences
from asr.decoding.decoder import LmRecord
from asr.language.kneser_ney import estimate, read_counts
from asr.language.ngram import write_arpa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held-out", nargs="*", type=Path, default=[],
                        help="manifests whose sentences are left out")  # fmt: skip
    parser.add_argument("--cache", type=Path, default=Path("data/prose"), help="downloads")
    parser.add_argument("--order", type=int, default=3)
    parser.add_argument("--prune", default="1,1,2", help="as in asr lm train")
    a = parser.parse_args()
    commit = git_commit()
    text, sources = collect_sentences(a.cache, HeldOut.read(a.held_out))
    model = estimate(text, a.order, read_counts(a.prune))
    # Two digits: no decision hangs on what rounding changes, and the file is half as large.
    write_arpa(model, a.out, digits=2)
    made = {"command": this_command(), "commit": commit, "sources": sources,
            "held_out": [str(path) for path in a.held_out], "ngrams": len(model),
            "sha256": hashlib.sha256(a.out.read_bytes()).hexdigest()}  # fmt: skip
    print(replace(LmRecord.read(a.out), made=made).write(a.out))


if __name__ == "__main__":
    main()
