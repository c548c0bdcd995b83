"""How much faster several worker processes are: `asr transcribe` of the same files with 1, 2, …

    python benchmarks/batch_workers.py data/kathleen/train.jsonl [--files 200 --workers 1 2]
        [--runs 3 --model en-small --json -- --beam 16 --lm x.arpa.gz]

Each run is a process of its own, the worker counts take turns, and what follows -- goes to
`asr transcribe`. Prints medians of whole processes, from start to exit with loading in all of them,
and of warm ones, from the first loaded model to the last result on the disk; then each one's
speed against the first worker count. Processor seconds are of all processes: those of one and of
two workers are to differ by one more loading, whatever else the machine does. 200 short files take
about as long as loading: the whole figure grows towards the warm one with the number of files.
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

from asr.base.provenance import environment, git_commit
from asr.data.manifest import read_manifest, write_manifest


def measure(manifest: Path, model: str, workers: int, options: list[str]) -> tuple[float, ...]:
    """Seconds of one run: whole, warm, and of all its processes' processor time."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "asr", "transcribe", str(manifest), "--model", model,
                   "--workers", str(workers), "--out", f"{out}/", *options]  # fmt: skip
        before = os.times()
        started = time.perf_counter()
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        whole = time.perf_counter() - started
        warm = json.loads((Path(out) / "summary.json").read_text())["seconds"]
        now = os.times()
        spent = now.children_user + now.children_system
        return whole, warm, spent - before.children_user - before.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--files", type=int, default=200, help="the manifest's first")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("options", nargs="*", help="for asr transcribe, after --")
    a = parser.parse_args()
    utterances = read_manifest(a.manifest)[: a.files]
    audio = sum(u.duration for u in utterances)
    times: dict[int, list[tuple[float, ...]]] = {count: [] for count in a.workers}
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "files.jsonl"
        write_manifest(manifest, utterances)
        for _ in range(a.runs):
            for count in a.workers:
                times[count].append(measure(manifest, a.model, count, a.options))
    rows = []
    for count, runs in times.items():
        whole, warm, processor = (statistics.median(column) for column in zip(*runs, strict=True))
        first = rows[0] if rows else {"whole": whole, "warm": warm}
        rows.append({"workers": count, "whole": whole, "warm": warm, "rtf": warm / audio,
                     "processor": processor,
                     "whole_speed": first["whole"] / whole, "warm_speed": first["warm"] / warm,
                     "runs": runs})  # fmt: skip
    if a.json:
        print(json.dumps({"files": len(utterances), "audio_seconds": audio, "rows": rows,
                          "load": os.getloadavg()[0], "command": " ".join(sys.argv),
                          "commit": git_commit(), **environment()}))  # fmt: skip
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
