"""Transcribe many recordings. Failures go to stderr, and the exit status is then 1.

python pipelines/transcribe_batch.py recordings/ --model en-small --out text/ --resume --workers 2
"""

import argparse
import sys
from pathlib import Path

from asr import AsrError, Decoding
from asr.batch.transcribe_files import BatchJob, transcribe_files
from asr.batch.workers import Transcriber
from asr.formats.writers import WRITERS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("paths", nargs="+", help="files, folders, globs, a manifest, or - for names on stdin")
    add("--model", default="en-small", help="name or directory; default: %(default)s")
    add("--lm", help='n-gram model: "general" or an ARPA file; default: greedy decoding')
    add("--format", choices=WRITERS, default="jsonl", help="output; default: %(default)s")
    add("--channel", type=int, help="channel to transcribe, from 0; default: the mix of all")
    add("--split-channels", action="store_true", help="transcribe each channel on its own")
    add("--out", help="output file, or folder if it ends in /; default: stdout")
    add("--resume", action="store_true", help="skip recordings whose results are complete")
    add("--workers", type=int, default=1, help="processes; default: %(default)s")
    add("--errors", type=Path, help="file for failures as JSON lines; default: none")
    a = parser.parse_args()
    try:
        transcriber = Transcriber(a.model, Decoding(lm=a.lm), a.channel, a.split_channels)
        batch = BatchJob(transcriber, a.format, None, a.out, a.workers, a.resume, a.errors)
        return transcribe_files(a.paths, batch).status
    except AsrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
