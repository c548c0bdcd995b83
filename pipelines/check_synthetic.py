"""Check synthetic speech: whisper-base transcribes a sample, and errors are listed.

python pipelines/check_synthetic.py data/synthetic/train.jsonl --per-thousand 20
"""

import argparse
from pathlib import Path

from asr import read_manifest
from asr.base.files import output_file
from asr.base.progress import track
from asr.cli.program import run_program
from asr.evaluation.read_back import read_back, sample, write_misread
from asr.evaluation.whisper import Whisper


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("manifest", type=Path, help="manifest of the synthetic speech")
    add("--per-thousand", type=int, default=20, help="utterances in 1000, 1 to 1000; default: 20")
    add("--max-wer", type=float, default=0.3, help="list utterances above this WER; default: 0.3")
    add("--seed", type=int, default=1, help="seed of the sample; default: 1")
    add("--out", type=output_file, help="list to write; default: misread.jsonl beside the manifest")
    a = parser.parse_args()
    out = a.out or a.manifest.with_name("misread.jsonl")
    chosen = sample(read_manifest(a.manifest), a.per_thousand, a.seed)
    results = list(track(read_back(chosen, Whisper()), len(chosen), "reading back"))
    misread = write_misread(out, results, a.max_wer)
    wer = sum(r.errors for r in results) / max(1, sum(r.words for r in results))
    print(f"{len(results)} utterances, WER {wer:.2%}; {misread} above {a.max_wer:.0%}: {out}")


if __name__ == "__main__":
    run_program(main)
