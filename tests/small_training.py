"""A small training for several workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from asr.base.config import parse
from asr.data.manifest import Utterance, write_manifest
from asr.data.packs.encoding import PackSettings
from asr.data.packs.pack_writer import write_pack
from asr.training.train_recognizer import RecognizerExperimentConfig


def make_corpus(folder: Path, tone: Callable[..., Any]) -> Path:
    """A pack of 24 utterances and a dev set."""
    words = ("go", "ten", "stop", "left")
    rows = [
        Utterance(words[i % 4], 0.6, tone(f"data/{i}.wav", 0.6, 200 + 30 * i, seed=i))
        for i in range(24)
    ]
    write_manifest(folder / "train.jsonl", rows)
    write_manifest(folder / "dev.jsonl", rows[:2])
    write_pack([folder / "train.jsonl"], folder / "pack", PackSettings(shard_megabytes=0.1))
    return folder


def experiment(strategy: str) -> RecognizerExperimentConfig:
    values = {
        "name": "tiny",
        "data": {"train": ["pack"], "dev": ["dev.jsonl"]},
        "acoustic": {"units": 6, "layers": 2, "dropout": 0.0},
        "training": {
            "epochs": 3,
            "batch_size": 16,
            "clip_norm": 0.5,
            "threads": 0,
            "strategy": strategy,
        },
    }
    return parse(RecognizerExperimentConfig, values, "test")


def checkpoint(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "checkpoint.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if name != "position"}
