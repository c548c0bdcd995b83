"""Run a benchmark and keep what it prints, under what made it, in docs/benchmarks/.

    python benchmarks/record.py longform data/kathleen/dev.jsonl
    python benchmarks/record.py longform data/kathleen/dev.jsonl --memory 1 --as memory
    python benchmarks/record.py pipelines/evaluate_translation.py runs/en-ko/model --as translation

pipelines/results.py puts these files into docs/results.md.
"""

import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

from asr.base.files import atomic_write
from asr.base.provenance import git_commit

HERE = Path(__file__).parent


def main() -> None:
    arguments = sys.argv[1:]
    name = arguments[0]
    if "--as" in arguments:
        at = arguments.index("--as")
        name = arguments[at + 1]
        del arguments[at : at + 2]
    path = arguments[0] if "/" in arguments[0] else f"benchmarks/{arguments[0]}.py"
    command = [path, *arguments[1:]]
    commit, date = git_commit(), time.strftime("%Y-%m-%d", time.gmtime())
    script = [sys.executable, HERE.parent / path, *command[1:]]
    # Without a terminal on stderr there is no bar between the lines.
    run = subprocess.run(script, capture_output=True)
    if run.returncode:
        sys.exit(run.stderr.decode())
    made = f"python {shlex.join(command)}"
    where = f"commit {commit}, {date}, {os.cpu_count()} cores ({platform.machine()})"
    text = run.stdout.decode()
    with atomic_write(HERE.parent / "docs" / "benchmarks" / f"{name}.txt") as file:
        file.write(f"{made}\n{where}\n\n{text}")
    print(text)


if __name__ == "__main__":
    main()
