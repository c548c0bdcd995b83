"""Put docs/results.md together from docs/results.jsonl and docs/benchmarks; nothing typed by hand.

python pipelines/results.py docs/results.jsonl docs/results.md
"""

import json
import sys
from pathlib import Path

from asr.base.files import atomic_write
from asr.evaluation.report import results_table

BEGIN, END = "<!-- made by pipelines/results.py -->", "<!-- end -->"


def main() -> None:
    results, page = Path(sys.argv[1]), Path(sys.argv[2])
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
    main()
