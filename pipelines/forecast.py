"""Compare forecasts and anomaly detection on real series with naive methods.

python pipelines/forecast.py [--json]        (needs: pip install 'keras-asr-toolkit[notebooks]')
"""

import argparse
import itertools
import json
from dataclasses import asdict

from asr.base.config import replace
from asr.cli.program import run_program
from asr.series.anomalies import trials
from asr.series.examples import EXAMPLES
from asr.series.forecasting import evaluate_forecasts, methods


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--seeds", type=int, default=3, help="networks per series; default: %(default)s")
    add("--json", action="store_true", help="print a JSON object per result")
    a = parser.parse_args()
    for name, seed in itertools.product(EXAMPLES, range(1, a.seeds + 1)):
        example = EXAMPLES[name]()
        config, usual = replace(example.config, seed=seed), example.usual
        for method, forecast in methods(usual, config).items():
            if method != config.cell and seed > 1:
                continue  # baselines do not depend on the seed
            row = {"series": name, "method": method, "seed": seed}
            row |= asdict(evaluate_forecasts(forecast, usual, config))
            if example.labels.any():
                found = trials(forecast, usual, example.watched, example.labels, config)
                row |= {k: f"P {f.precision:.2f} R {f.recall:.2f}" for k, f in found.items()}
            shown = (f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
            print(json.dumps(row) if a.json else "  ".join(shown))


if __name__ == "__main__":
    run_program(main)
