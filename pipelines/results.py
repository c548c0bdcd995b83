"""Put the tables of docs/results.md together from docs/results.jsonl; nothing is typed in by hand.

python pipelines/results.py docs/results.jsonl docs/results.md
"""

import json
import sys
from pathlib import Path

BEGIN, END = "<!-- made by pipelines/results.py -->", "<!-- end -->"


def table(lines: list[dict]) -> str:
    """Rates of every evaluation, then what made each model and each figure."""
    rows = ["| model | test | utterances | WER | 95 % interval | CER | RTF |", "|---" * 7 + "|"]
    made: dict[str, None] = {}
    for line in lines:
        low, high = line["wer_interval_95"]
        name = f"{line['model']} ({line['weights_sha256'][:8]})"
        rows.append(
            f"| {name} | {line['manifest']} | {line['utterances']} | {line['wer']:.2%} "
            f"| {low:.2%}–{high:.2%} | {line['cer']:.2%} | {line['rtf']:.4f} |"
        )
        t = line["trained"]
        made[f"- {name}: `{t['command']}`, seed {t['seed']}, commit {t['commit']}"] = None
        made[f"- evaluated: `{line['command']}`, commit {line['commit']}"] = None
    return "\n".join([*rows, "", *made])


def main() -> None:
    results, page = Path(sys.argv[1]), Path(sys.argv[2])
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{table(lines)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
