"""Transcribe many recordings. Failures are reported on stderr and end with exit status 1.

python pipelines/transcribe_batch.py recordings/ --model en-small --out text/ --resume --workers 2
"""

import argparse

from asr import Decoding
from asr.base.files import output_file
from asr.batch.transcribe_files import BatchJob, transcribe_files
from asr.batch.workers import Transcriber
from asr.cli.program import run_program
from asr.formats.writers import WRITERS
from asr.models import DEFAULT_MODEL


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", help="files, folders, globs, a manifest, - for stdin")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="shipped name or model directory")
    parser.add_argument(
        "--lm", help="language model: general, none or an ARPA file; default: general"
    )
    parser.add_argument("--format", choices=WRITERS, default="jsonl")
    parser.add_argument("--channel", type=int, help="only this channel, from 0; default: mix all")
    parser.add_argument("--split-channels", action="store_true", help="transcribe each channel")
    parser.add_argument("--out", help="file, or folder if it ends in /; default: stdout")
    parser.add_argument("--resume", action="store_true", help="skip complete results in the folder")
    parser.add_argument("--workers", type=int, default=1, help="number of processes; default: 1")
    parser.add_argument(
        "--errors", type=output_file, help="file for failures, a JSON object per line"
    )
    a = parser.parse_args()
    transcriber = Transcriber(a.model, Decoding(lm=a.lm), a.channel, a.split_channels)
    job = BatchJob(transcriber, a.format, None, a.out, a.workers, a.resume, a.errors)
    return transcribe_files(a.paths, job).status


if __name__ == "__main__":
    run_program(main)
