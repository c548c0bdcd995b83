"""Whisper-base reads a sample of synthetic speech back, and lists what it cannot read.

python pipelines/check_synthetic.py data/synthetic/train.jsonl --per-thousand 20
"""

import argparse
import sys
from pathlib import Path

from asr.base.progress import track
from asr.data.manifest import read_manifest
from asr.errors import AsrError
from asr.evaluation.read_back import read_back, sample, write_misread
from asr.evaluation.whisper import Whisper


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("manifest", type=Path)
    add("--per-thousand", type=int, default=20, help="utterances read per thousand; default: 20")
    add("--limit", type=float, default=0.3, help="list utterances above this WER; default: 0.3")
    add("--seed", type=int, default=1, help="of the sample; default: 1")
    add("--out", type=Path, help="list to write; default: misread.jsonl beside the manifest")
    a = parser.parse_args()
    out = a.out or a.manifest.with_name("misread.jsonl")
    try:
        chosen = sample(read_manifest(a.manifest), a.per_thousand, a.seed)
        readings = list(track(read_back(chosen, Whisper()), len(chosen), "reading back"))
        misread = write_misread(out, readings, a.limit)
    except AsrError as error:
        sys.exit(f"error: {error}")
    wer = sum(r.errors for r in readings) / max(1, sum(r.words for r in readings))
    print(f"{len(readings)} read back, WER {wer:.2%}; {misread} above {a.limit:.0%}: {out}")


if __name__ == "__main__":
    main()
