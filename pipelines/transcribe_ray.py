"""Transcribe recordings on a Ray cluster. Failures are reported and end with exit status 1.

python pipelines/transcribe_ray.py s3://calls/2026/ --out s3://texts/2026 --ray auto --resume
"""

import argparse

from asr import Decoding
from asr.batch.transcribe_on_ray import SHARD_SIZE, RayJob, transcribe_on_ray
from asr.batch.workers import Transcriber
from asr.cli.program import run_program
from asr.models import DEFAULT_MODEL


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("paths", nargs="+", help="files, folders, globs, manifests, Parquet lists, URIs of them")
    add("--model", default=DEFAULT_MODEL, help="shipped name or model directory")
    add("--lm", help="language model: general, none or an ARPA file; default: general")
    add("--out", required=True, help="folder that every machine has, or a URI")
    add("--format", default="jsonl", help="jsonl or parquet; default: jsonl")
    add("--ray", default="auto", help="auto, local, HOST:PORT or ray://HOST:PORT; default: auto")
    add("--workers", type=int, help="number of workers; default: all processors")
    add("--worker-cpus", type=float, default=1.0, help="processors of each worker; default: 1")
    add("--shard-size", type=int, default=SHARD_SIZE, help="recordings per file; default: 64")
    add("--resume", action="store_true", help="skip files of results that are up to date")
    a = parser.parse_args()
    transcriber = Transcriber(a.model, Decoding(lm=a.lm))
    options = (a.format, a.ray, a.workers, a.worker_cpus, a.shard_size, a.resume)
    return transcribe_on_ray(a.paths, RayJob(transcriber, a.out, *options)).status


if __name__ == "__main__":
    run_program(main)
