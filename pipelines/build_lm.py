"""Estimate the general language model of a recogniser from freely licensed prose.

python pipelines/build_lm.py --out asr/models/en-small/lm.ngrams --held-out data/kathleen/*.jsonl
"""

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path

from asr.base.files import output_file
from asr.base.provenance import git_commit, this_command
from asr.cli.program import run_program
from asr.data.prose import HeldOut, collect_sentences
from asr.decoding.lm_record import LmRecord
from asr.language.kneser_ney import estimate, parse_prune_counts
from asr.language.ngram_file import write_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out",
        type=output_file,
        required=True,
        help="the model: .ngrams, or .arpa.gz with .ngrams beside",
    )
    held_out = "manifests whose sentences are left out; default: none"
    parser.add_argument("--held-out", nargs="*", type=Path, default=[], help=held_out)
    cache = "folder of the downloaded packages; default: data/prose"
    parser.add_argument("--cache", type=Path, default=Path("data/prose"), help=cache)
    parser.add_argument("--order", type=int, default=3, help="length of n-grams; default: 3")
    parser.add_argument("--prune", default="1,1,2", help="see asr lm train; default: 1,1,2")
    a = parser.parse_args()
    commit = git_commit()
    sentences, sources = collect_sentences(a.cache, HeldOut.read(a.held_out))
    model = estimate(sentences, a.order, parse_prune_counts(a.prune))
    # Two digits halve the size of the file, and the rounding changes no decision.
    write_model(model, a.out, digits=2)
    made = {
        **{"command": this_command(), "commit": commit, "sources": sources},
        **{"held_out": [str(path) for path in a.held_out], "ngrams": len(model)},
        "sha256": hashlib.sha256(a.out.read_bytes()).hexdigest(),
    }
    print(replace(LmRecord.read(a.out), made=made).write(a.out))


if __name__ == "__main__":
    run_program(main)
