"""Cold start of `asr transcribe` with and without a language model, as ratios.

    python benchmarks/start_time.py tests/fixtures/goforward.wav [--runs 7 --before CHECKOUT]

Each round starts a process with `--lm none`, one with `--lm general`; with `--before`, also both of
another checkout. Ratios are between processes of one round, so that other work on the machine
affects both sides; all numbers are medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parents[1]


class Run(NamedTuple):
    """Seconds and peak memory (MB) of a process, and its output."""

    seconds: float
    peak: float
    text: str


def cold(checkout: Path, options: list[str]) -> Run:
    """Transcribe with the package of a checkout in a new process."""
    command = [sys.executable, "-m", "asr", "transcribe", *options]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=checkout, env=environment
    ) as process:
        assert process.stdout is not None
        text = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    return Run(time.perf_counter() - started, usage.ru_maxrss / 1024, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--runs", type=int, default=7, help="rounds; default: 7")
    before = "another checkout to compare with; default: none"
    parser.add_argument("--before", type=Path, help=before)
    a = parser.parse_args()
    recording = [str(a.recording.resolve()), "--format", "json"]
    checkouts = {"now": HERE} | ({"before": a.before.resolve()} if a.before else {})
    systems = {
        f"{name}{lm}": (checkout, [*recording, *lm.split()])
        for name, checkout in checkouts.items()
        for lm in (" --lm none", " --lm general")
    }
    runs: dict[str, list[Run]] = {name: [] for name in systems}
    for _ in range(1 + a.runs):
        for name, (checkout, options) in systems.items():
            runs[name].append(cold(checkout, options))
    runs = {name: found[1:] for name, found in runs.items()}  # the first round fills caches
    for name, found in runs.items():
        seconds = statistics.median(run.seconds for run in found)
        print(f"{name:20} {seconds:5.2f} s  peak {max(run.peak for run in found):4.0f} MB")
    pairs = [("now --lm general", "now --lm none")]
    if a.before:
        pairs += [(f"now --lm {lm}", f"before --lm {lm}") for lm in ("none", "general")]
    for one, other in pairs:
        both = zip(runs[one], runs[other], strict=True)
        ratio = statistics.median(x.seconds / y.seconds for x, y in both)
        print(f"{one} over {other}: {ratio:.2f} ×")
    if a.before:
        for lm in (" --lm none", " --lm general"):
            same = {run.text for name in checkouts for run in runs[name + lm]}
            print(f"results{lm}: {'the same' if len(same) == 1 else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
