"""Search the n-best lists of utterances with texts, for minimum word error training on them.

python pipelines/list_hypotheses.py en-base data/mine/train.jsonl --alpha 0.5 --out data/lists.jsonl
"""

import argparse
import sys

import numpy as np

from asr import Decoding
from asr.base.files import output_file
from asr.cli.program import resumable, run_program
from asr.data.manifest import read_manifest
from asr.recognizer import load_recognizer
from asr.training.nbest_lists import list_hypotheses, write_lists


def main() -> None:
    add = (parser := argparse.ArgumentParser(description=__doc__)).add_argument
    add("model", help="shipped name or directory of the recogniser")
    add("manifests", nargs="+", help="manifests to train on")
    add("--hours", type=float, help="hours of speech to draw at random; default: all")
    add("--most", type=int, default=8, help="hypotheses of an utterance; default: %(default)s")
    add("--lm", help="language model: general or an ARPA file; default: general, if there is one")
    add("--alpha", type=float, help="weight of the language model; default: that of the model")
    add("--beam", type=int, help="prefixes in the search; default: that of the model")
    add("--out", type=output_file, required=True, help="manifest to write")
    a = parser.parse_args()
    utterances = [u for file in a.manifests for u in read_manifest(file)]
    if a.hours is not None:
        order = np.random.default_rng(0).permutation(len(utterances))
        seconds = np.cumsum([utterances[i].duration for i in order])
        utterances = [utterances[i] for i in order[: np.searchsorted(seconds, a.hours * 3600) + 1]]
    model = load_recognizer(a.model, Decoding(lm=a.lm, alpha=a.alpha, beam=a.beam))
    log = a.out.with_name(f"{a.out.name}.part")
    with resumable():
        lists, failures = list_hypotheses(model, utterances, a.most, log)
    write_lists(a.out, lists)
    log.unlink(missing_ok=True)
    for failure in failures:
        print(failure.error, file=sys.stderr)
    print(f"{len(lists)} of {len(utterances)} utterances have lists: {a.out}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    run_program(main)
