"""Recordings without texts as a manifest to train on, with what a recogniser hears in them.

python pipelines/pseudo_label.py runs/mine/model new/ --lm my.arpa.gz --out data/new/train.jsonl
"""

import argparse
import sys
from pathlib import Path

from asr.data.inputs import find_recordings
from asr.data.manifest import write_manifest
from asr.decoding.decoding_options import Decoding
from asr.errors import AsrError
from asr.recognizer import load_recognizer
from asr.training.self_training import pseudo_labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("recordings", nargs="+", help="files, folders, manifests, - for stdin")
    parser.add_argument("--lm", help="general or an ARPA file; weights as tuned; default: greedy")
    parser.add_argument("--share", type=float, default=0.5, help="of them that is kept, the surest")
    parser.add_argument("--out", type=Path, required=True, help="manifest to write")
    a = parser.parse_args()
    recordings, failures = find_recordings(a.recordings)
    try:
        recognizer = load_recognizer(a.model, Decoding(lm=a.lm))
        kept, more = pseudo_labels(recognizer, recordings, a.share)
        write_manifest(a.out, kept)
    except AsrError as error:
        sys.exit(f"error: {error}")
    for failure in (*failures, *more):
        print(failure.error, file=sys.stderr)
    print(f"{len(kept)} of {len(recordings)} recordings kept: {a.out}")
    sys.exit(bool(failures or more))


if __name__ == "__main__":
    main()
