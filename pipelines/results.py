"""Write the generated part of docs/results.md from docs/results.jsonl and docs/benchmarks.

python pipelines/results.py docs/results.jsonl docs/results.md
"""

import argparse
import json
from pathlib import Path

from asr.base.files import atomic_write
from asr.cli.program import run_program
from asr.evaluation.report import results_table

BEGIN, END = "<!-- made by pipelines/results.py -->", "<!-- end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="JSON lines of pipelines/evaluate.py")
    parser.add_argument("page", type=Path, help="Markdown file to update")
    a = parser.parse_args()
    results, page = a.results, a.page
    measured = sorted((results.parent / "benchmarks").glob("*.txt"))
    blocks = [
        f"### {p.stem}\n\n```\n{p.read_text(encoding='utf-8').strip()}\n```" for p in measured
    ]
    records = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    table = "\n\n".join([results_table(records), "## Benchmarks", *blocks])
    with atomic_write(page) as file:
        file.write(f"{before}{BEGIN}\n{table}\n{END}{after}")


if __name__ == "__main__":
    run_program(main)
