"""Forecasts of real series beside naive ones, and anomalies: python pipelines/forecast.py [--json]

The series are in packages of the extra `notebooks`."""

import argparse
import itertools
import json
from dataclasses import asdict

from asr.base.config import replace
from asr.series.anomalies import trials
from asr.series.examples import EXAMPLES
from asr.series.forecasting import evaluate, methods


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="networks a series")
    parser.add_argument("--json", action="store_true", help="a line a result")
    a = parser.parse_args()
    for name, seed in itertools.product(EXAMPLES, range(1, a.seeds + 1)):
        example = EXAMPLES[name]()
        c, usual = replace(example.config, seed=seed), example.usual
        for method, forecast in methods(usual, c).items():
            if method != c.cell and seed > 1:
                continue  # nothing random in it
            row = {"series": name, "method": method, "seed": seed}
            row |= asdict(evaluate(forecast, usual, c))
            if example.labels.any():
                found = trials(forecast, usual, example.watched, example.labels, c)
                row |= {k: f"P {f.precision:.2f} R {f.recall:.2f}" for k, f in found.items()}
            shown = (f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
            print(json.dumps(row) if a.json else "  ".join(shown))


if __name__ == "__main__":
    main()
