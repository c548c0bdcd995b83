"""Forecasts of real series beside naive ones, and anomalies; needs pip install 'asr[notebooks]'.

python pipelines/forecast.py [--seeds 3] [--json]
"""

import argparse
import json
from dataclasses import asdict

from asr.quiet import import_tensorflow

import_tensorflow()

from asr.anomalies import detect, judge, rehearse, threshold
from asr.config import replace
from asr.series import evaluate, methods
from asr.series_examples import EXAMPLES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="networks for each series")
    parser.add_argument("--json", action="store_true", help="a JSON line for each result")
    a = parser.parse_args()
    for name, seed in ((name, seed) for name in EXAMPLES for seed in range(1, a.seeds + 1)):
        example = EXAMPLES[name]()
        c, usual = replace(example.config, seed=seed), example.usual
        for method, forecast in methods(usual, c).items():
            if method != c.cell and seed > 1:
                continue  # nothing random in it
            row = {"series": name, "method": method, "seed": seed}
            row |= asdict(evaluate(forecast, usual, c))
            if example.labels.any():
                _, alarms = detect(forecast, example.watched, c, threshold(forecast, usual, c))
                found = {"real": judge(alarms, example.labels[c.validation :])}
                found |= {f"size {n}": rehearse(forecast, usual, c, n) for n in (2, 4, 8)}
                row |= {k: f"P {f.precision:.2f} R {f.recall:.2f}" for k, f in found.items()}
            shown = {k: f"{v:.2f}" if isinstance(v, float) else v for k, v in row.items()}
            print(json.dumps(row) if a.json else "  ".join(f"{k} {v}" for k, v in shown.items()))


if __name__ == "__main__":
    main()
