"""Speed of `asr transcribe` with several worker processes.

    python benchmarks/batch_workers.py data/kathleen/train.jsonl [--files 200 --workers 1 2]
        [--runs 3 --model en-small --json -- --beam 16 --lm x.arpa.gz]

Transcribes the same files with each number of workers, in turn, each time in a new process. Options
after -- go to `asr transcribe`. Prints medians of two times: "whole" from start to exit, which
includes loading in all processes, and "warm" from the first loaded model to the last result on the
disk; then the speed relative to the first number of workers. Processor seconds are summed over all
processes: with two workers they should exceed those of one by one more loading, whatever else the
machine does. 200 short files take about as long as loading; with more files the whole speed
approaches the warm one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from asr.base.provenance import environment, git_commit
from asr.data.manifest import read_manifest, write_manifest


class Seconds(NamedTuple):
    """Times of one run in seconds; `processor` is the processor time of all its processes."""

    whole: float
    warm: float
    processor: float


def measure(manifest: Path, model: str, workers: int, options: list[str]) -> Seconds:
    """Run `asr transcribe` once."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "asr", "transcribe", str(manifest), *options]
        command += ["--model", model, "--workers", str(workers), "--out", f"{out}/"]
        before = os.times()
        started = time.perf_counter()
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        whole = time.perf_counter() - started
        warm = json.loads((Path(out) / "summary.json").read_text())["seconds"]
        now = os.times()
        spent = now.children_user + now.children_system
        return Seconds(whole, warm, spent - before.children_user - before.children_system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument(
        "--files", type=int, default=200, help="number of files, the first of the manifest"
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("options", nargs="*", help="options for asr transcribe, after --")
    a = parser.parse_args()
    utterances = read_manifest(a.manifest)[: a.files]
    audio = sum(u.duration for u in utterances)
    times: dict[int, list[Seconds]] = {count: [] for count in a.workers}
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "files.jsonl"
        write_manifest(manifest, utterances)
        for _ in range(a.runs):
            for count in a.workers:
                times[count].append(measure(manifest, a.model, count, a.options))
    rows: list[dict[str, Any]] = []
    for count, runs in times.items():
        whole, warm, processor = (statistics.median(column) for column in zip(*runs, strict=True))
        first = rows[0] if rows else {"whole": whole, "warm": warm}
        row = {"workers": count, "whole": whole, "warm": warm, "rtf": warm / audio}
        row |= {"processor": processor, "runs": runs}
        row |= {"whole_speed": first["whole"] / whole, "warm_speed": first["warm"] / warm}
        rows.append(row)
    if a.json:
        record = {"files": len(utterances), "audio_seconds": audio, "rows": rows}
        record |= {"load": os.getloadavg()[0], "command": " ".join(sys.argv)}
        print(json.dumps({**record, "commit": git_commit(), **environment()}))
        return
    print(f"{len(utterances)} files, {audio:.0f} s, {a.runs} runs, load {os.getloadavg()[0]:.1f}")
    for row in rows:
        print(
            f"{row['workers']} workers: whole {row['whole']:.1f} s ({row['whole_speed']:.2f} x), "
            f"warm {row['warm']:.1f} s ({row['warm_speed']:.2f} x), RTF {row['rtf']:.4f}, "
            f"processor {row['processor']:.1f} s"
        )


if __name__ == "__main__":
    main()
