"""Transcribe many recordings; what fails is reported on stderr and makes the exit status 1.

python pipelines/transcribe_batch.py recordings/ --model en-small --format jsonl --out text.jsonl
"""

import argparse
import sys
from pathlib import Path

from asr.batch import transcribe_files
from asr.errors import AsrError
from asr.writers import WRITERS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", help="files, folders, globs, a manifest, - for stdin")
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--format", choices=WRITERS, default="jsonl")
    parser.add_argument("--channel", type=int, help="from 0; default: mix all")
    parser.add_argument("--out", type=Path, help="default: stdout")
    a = parser.parse_args()
    try:
        return 0 if transcribe_files(a.paths, a.model, a.format, a.channel, a.out) else 1
    except AsrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
