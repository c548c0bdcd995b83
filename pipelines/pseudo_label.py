"""Recordings without texts as a manifest to train on, with what a recogniser hears in them.

python pipelines/pseudo_label.py runs/mine/model new/ --lm my.arpa.gz --out data/train.jsonl"""

import argparse
import sys
from pathlib import Path

from asr.data.inputs import find_recordings
from asr.data.manifest import write_manifest
from asr.decoding.decoder import Decoding
from asr.errors import AsrError
from asr.recognizer import load_recognizer
from asr.training.self_training import label


def main() -> None:
    add = (parser := argparse.ArgumentParser(description=__doc__)).add_argument
    add("model")
    add("recordings", nargs="+", help="files, folders, manifests, - for stdin")
    add("--lm", help="general or an ARPA file; weights as tuned; default: greedy")
    add("--share", type=float, default=0.5, help="the most confident that are kept; default: 0.5")
    add("--teacher", choices=["whisper"], help="writes the texts; default: the model itself")
    add("--most-cer", type=float, default=0.5, help="of model and teacher; default: 0.5")
    add("--out", type=Path, required=True, help="manifest to write")
    a = parser.parse_args()
    recordings, failures = find_recordings(a.recordings)
    try:
        model = load_recognizer(a.model, Decoding(lm=a.lm))
        kept, more = label(model, recordings, a.teacher, a.share, a.most_cer)
        write_manifest(a.out, kept)
    except AsrError as error:
        sys.exit(f"error: {error}")
    print("".join(f"{f.error}\n" for f in (*failures, *more)), end="", file=sys.stderr)
    print(f"{len(kept)} of {len(recordings)} recordings kept: {a.out}")
    sys.exit(bool(failures or more))


if __name__ == "__main__":
    main()
