"""Cold start, memory and speed of `asr speak`, as ratios over `import tensorflow`.

    python benchmarks/speak_start.py [--runs 5 --before CHECKOUT]

Each round starts one process of each kind: `import tensorflow`, `asr speak` of a short sentence to
a file, `asr speak` of a page to a pipe, and, with `--before`, `asr speak` of the short sentence by
another checkout. Ratios are between processes of one round, so that other work on the machine
affects both sides; all numbers are medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parents[1]
SHORT = "Author of the danger trail."
PAGE = " ".join(["He read the letter twice, and then he walked down to the boat."] * 40)
SAMPLE_RATE = 22_050
"""Of en-kathleen, in Hz."""


class Run(NamedTuple):
    """A process: seconds in all and until its first output, peak memory in MB, seconds of speech,
    and seconds of processor time."""

    seconds: float
    first: float
    peak: float
    speech: float
    processor: float


def run(code: list[str], checkout: Path) -> Run:
    """Run Python in a new process with the package of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=checkout,
        env=environment,
    ) as process:
        assert process.stdout is not None
        count = len(process.stdout.read(2))
        first = time.perf_counter() - started
        while block := process.stdout.read(1 << 16):
            count += len(block)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(code)}")
    seconds = time.perf_counter() - started
    processor = usage.ru_utime + usage.ru_stime
    return Run(seconds, first, usage.ru_maxrss / 1024, count / 2 / SAMPLE_RATE, processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="rounds; default: 5")
    before = "another checkout to compare with; default: none"
    parser.add_argument("--before", type=Path, help=before)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        speak = ["-m", "asr", "speak"]
        short = [*speak, SHORT, "--out", f"{folder}/x.wav"]
        systems = {
            "import tensorflow": (["-c", "import tensorflow"], HERE),
            "short sentence": (short, HERE),
            "page": ([*speak, PAGE, "--out", "-", "--threads", "1"], HERE),
        }
        if a.before:
            systems["short sentence before"] = (short, a.before.resolve())
        runs: dict[str, list[Run]] = {name: [] for name in systems}
        for _ in range(1 + a.runs):
            for name, arguments in systems.items():
                runs[name].append(run(*arguments))
    runs = {name: found[1:] for name, found in runs.items()}  # the first round fills caches
    for name, found in runs.items():
        seconds = statistics.median(r.seconds for r in found)
        print(f"{name:22} {seconds:6.2f} s  peak {max(r.peak for r in found):4.0f} MB")
    pairs = [("short sentence", "import tensorflow")]
    pairs += [("short sentence", "short sentence before")] if a.before else []
    for one, other in pairs:
        both = list(zip(runs[one], runs[other], strict=True))
        wall = statistics.median(x.seconds / y.seconds for x, y in both)
        processor = statistics.median(x.processor / y.processor for x, y in both)
        print(f"{one} over {other}: {wall:.2f} × (processor time {processor:.2f} ×)")
    page = runs["page"]
    first = statistics.median(r.first for r in page)
    rtf = statistics.median(r.processor / r.speech for r in page)
    print(f"page: first samples after {first:.2f} s of {page[0].speech:.0f} s of speech")
    print(f"page: processor time over speech (RTF on one core, with the start) {rtf:.3f}")


if __name__ == "__main__":
    main()
