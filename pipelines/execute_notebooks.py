"""Run notebooks and save them with their outputs, without execution times and versions.

python pipelines/execute_notebooks.py notebooks/00_quickstart.ipynb
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from asr.base.files import atomic_write
from asr.base.notebooks import execute
from asr.cli.program import run_program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", type=Path, nargs="+", help="notebooks to run, in place")
    for path in parser.parse_args().notebooks:
        started = time.monotonic()
        with TemporaryDirectory(prefix="asr-") as folder:
            notebook = execute(path.resolve(), Path(folder))
        with atomic_write(path) as file:
            nbformat.write(notebook, file)
        kilobytes = path.stat().st_size / 1000
        print(f"{path}: {time.monotonic() - started:.0f} s, {kilobytes:.0f} kB")


if __name__ == "__main__":
    run_program(main)
