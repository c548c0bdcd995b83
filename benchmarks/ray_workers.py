"""Speed of `asr transcribe --ray` relative to `--workers`, on this machine.

    python benchmarks/ray_workers.py [--files 2000 --workers 2 --runs 1 --model en-small --json]

Cuts short recordings (0.8 to 2.8 s) out of tests/fixtures/goforward.wav, and transcribes them with
worker processes and with as many workers of a Ray cluster of its own, in turn. Prints two times of
each: "whole" from start to exit, and "warm" from the first loaded model to the last result; the
speed of Ray relative to the processes; and whether all texts are the same.
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
from typing import NamedTuple

import numpy as np

from asr.audio.reading import read_audio
from asr.audio.writing import write_audio
from asr.base.provenance import environment as machine
from asr.base.provenance import git_commit

SPEECH = Path(__file__).parents[1] / "tests" / "fixtures" / "goforward.wav"
RATE = 16_000


class BatchTimes(NamedTuple):
    """Times of one run in seconds, and its texts by recording."""

    whole: float
    warm: float
    texts: dict[str, str]


def make_recordings(folder: Path, count: int) -> float:
    """Write recordings of speech of different lengths and loudness; returns their seconds."""
    speech, rng = read_audio(SPEECH, RATE), np.random.default_rng(0)
    total = 0
    for i in range(count):
        length = int(rng.integers(0.8 * RATE, len(speech)))
        start = int(rng.integers(0, len(speech) - length + 1))
        samples = speech[start : start + length] * rng.uniform(0.3, 1.0)
        write_audio(folder / f"{i:06}.wav", samples, RATE, "PCM_16")
        total += length
    return total / RATE


def transcribe(recordings: Path, model: str, options: list[str], pattern: str) -> BatchTimes:
    """Run `asr transcribe` once."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "asr", "transcribe", str(recordings), "--model", model]
        command += ["--format", "jsonl", "--out", f"{out}/", *options]
        started = time.perf_counter()
        # Ray gives its workers a low priority, which would count as slow beside other programs.
        environment = {**os.environ, "RAY_worker_niceness": "0"}
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=environment)
        if done.returncode:
            sys.exit(done.stderr)
        whole = time.perf_counter() - started
        warm = json.loads((Path(out) / "summary.json").read_text())["seconds"]
        rows = [
            json.loads(line)
            for file in sorted(Path(out).glob(pattern))
            for line in file.read_text(encoding="utf-8").splitlines()
        ]
        return BatchTimes(whole, warm, {row["audio_filepath"]: row["text"] for row in rows})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--files", type=int, default=2000, help="number of recordings; default: %(default)s")
    add("--workers", type=int, default=2, help="of each kind; default: %(default)s")
    add("--runs", type=int, default=1, help="of each kind, in turn; default: %(default)s")
    add("--model", default="en-small", help="recogniser; default: %(default)s")
    add("--json", action="store_true", help="one JSON object on stdout")
    a = parser.parse_args()
    workers = ["--workers", str(a.workers)]
    kinds = {"processes": (workers, "*.jsonl"), "ray": ([*workers, "--ray", "local"], "part-*l")}
    found: dict[str, list[BatchTimes]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        audio = make_recordings(Path(folder), a.files)
        for _ in range(a.runs):
            for kind, (options, pattern) in kinds.items():
                found[kind].append(transcribe(Path(folder), a.model, options, pattern))
    whole, warm = (
        {
            kind: statistics.median(getattr(run, name) for run in runs)
            for kind, runs in found.items()
        }
        for name in ("whole", "warm")
    )
    same = all(run.texts == found["processes"][0].texts for runs in found.values() for run in runs)
    record = {
        **{"files": a.files, "audio_seconds": audio, "workers": a.workers, "runs": a.runs},
        **{"whole": whole, "warm": warm, "same_texts": same, "load": os.getloadavg()[0]},
        "warm_speed": warm["processes"] / warm["ray"],
    }
    if a.json:
        print(json.dumps({**record, "commit": git_commit(), **machine()}))
        return
    print(f"{a.files} files, {audio:.0f} s, {a.workers} workers, load {os.getloadavg()[0]:.1f}")
    for kind in kinds:
        speed = audio / warm[kind]
        print(
            f"{kind}: whole {whole[kind]:.1f} s, warm {warm[kind]:.1f} s ({speed:.0f} x real time)"
        )
    print(f"Ray over processes, warm: {record['warm_speed']:.2f} x; same texts: {same}")


if __name__ == "__main__":
    main()
