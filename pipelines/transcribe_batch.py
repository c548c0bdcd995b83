"""Transcribe many recordings; what fails is reported on stderr and makes the exit status 1.

python pipelines/transcribe_batch.py recordings/ --model en-small --out text/ --resume --workers 2
"""

import argparse
import sys
from pathlib import Path

from asr.batch.transcribe_files import Batch, transcribe_files
from asr.batch.workers import Transcriber
from asr.decoding.decoder import Decoding
from asr.errors import AsrError
from asr.formats.writers import WRITERS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", help="files, folders, globs, a manifest, - for stdin")
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--lm", help="general or an ARPA file; default: greedy")
    parser.add_argument("--format", choices=WRITERS, default="jsonl")
    parser.add_argument("--channel", type=int, help="from 0; default: mix all")
    parser.add_argument("--split-channels", action="store_true", help="each by itself")
    parser.add_argument("--out", help="a file, or a folder ending in /; default: stdout")
    parser.add_argument("--resume", action="store_true", help="keep what is still right in it")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--errors", type=Path, help="failures as JSON lines")
    a = parser.parse_args()
    try:
        how = Transcriber(a.model, Decoding(lm=a.lm), a.channel, a.split_channels)
        batch = Batch(how, a.format, None, a.out, a.workers, a.resume, a.errors)
        return transcribe_files(a.paths, batch).status
    except AsrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
