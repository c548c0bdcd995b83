"""Settings for forecasting the sensor's series, compared by MASE on folds before the test part.

    python benchmarks/record.py forecast_folds --as forecast_folds

A fold is the beginning of the series. Fitting, early stopping and measuring happen within the fold,
which ends before the test part of `water_flow`.
"""

import argparse

import numpy as np

from asr.base.config import replace
from asr.series.examples import water_flow
from asr.series.forecasting import Forecaster, evaluate_forecasts, seasonal_naive

FOLDS = [(288, 384, 828), (336, 432, 588), (432, 552, 828), (552, 672, 828)]
"""Indices where training, validation and the fold end."""
SETTINGS = {
    "one network": {"members": 1, "units": 32, "dropout": 0.1, "context": 72},
    "three": {"members": 3, "units": 32, "dropout": 0.1, "context": 72},
    "three, smaller": {"members": 3, "units": 16, "dropout": 0.3, "context": 72},
    "five, smaller": {"members": 5, "units": 16, "dropout": 0.3, "context": 72},
    "five, smaller, 26 hours": {"members": 5, "units": 16, "dropout": 0.3, "context": 26},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(1, parser.parse_args().seeds + 1)
    example = water_flow()
    print("MASE per fold and seed; ratio to seasonal-naive on the same fold: mean, worst")
    for name, setting in {"seasonal-naive": {}, **SETTINGS}.items():
        lines, ratios = [], []
        for train, validation, end in FOLDS:
            values = example.usual[:end]
            config = replace(example.config, train=train, validation=validation, **setting)
            naive = evaluate_forecasts(seasonal_naive(config), values, config).mase
            found = [
                evaluate_forecasts(
                    Forecaster(values, replace(config, seed=seed)), values, config
                ).mase
                for seed in (seeds if setting else ())
            ]
            lines.append(" ".join(f"{x:.2f}" for x in found or [naive]))
            ratios += [x / naive for x in found or [naive]]
        print(f"{name:24}{' | '.join(lines)}   mean {np.mean(ratios):.3f} worst {max(ratios):.3f}")


if __name__ == "__main__":
    main()
