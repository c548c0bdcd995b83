"""A training on a few recordings that starts from a recogniser, for the benchmarks."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from asr.data.manifest import Utterance, write_manifest

DEV_SHARE = 8
"""One recording of this many chooses the epoch."""
EPOCH_HOURS = 2 / 3
"""Audio that an epoch reads. Short epochs would spend their time on evaluation and saving."""


def train_further(
    out: Path,
    name: str,
    recordings: Sequence[Utterance],
    initial: str,
    training: Mapping[str, object],
) -> str:
    """Train a recogniser further; returns the model directory, `out`/`name`/run/model.

    Every training reads as much audio, however few recordings there are.

    Args:
        out: folder of all trainings.
        name: name of this one.
        recordings: the recordings; every eighth of them is in the dev set.
        initial: recogniser to start from.
        training: keys of `training` in the YAML file.
    """
    folder = out / name
    train = [u for i, u in enumerate(recordings, 1) if i % DEV_SHARE]
    write_manifest(folder / "train.jsonl", train)
    write_manifest(folder / "dev.jsonl", recordings[DEV_SHARE - 1 :: DEV_SHARE])
    hours = sum(u.duration for u in train) / 3600
    data = {
        "train": [f"{name}/train.jsonl"],
        "dev": [f"{name}/dev.jsonl"],
        "repeat": {f"{name}/train.jsonl": math.ceil(EPOCH_HOURS / hours)},
        "epoch_hours": EPOCH_HOURS,
    }
    config = {"name": name, "data": data, "initial_model": initial, "training": dict(training)}
    (folder / "train.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "asr", "train", folder / "train.yaml"]
    command += ["--data", out, "--out", folder / "run"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return str(folder / "run" / "model")
