"""`WorkerPlace`: which of several workers this process is, from the variable TF_CONFIG."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from asr.errors import ConfigError

VARIABLE = "TF_CONFIG"
"""Environment variable that every worker of a training has."""
EXAMPLE = (
    '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", '
    '"index": 0}}, with another index for each worker'
)


@dataclass(frozen=True)
class WorkerPlace:
    """A worker among all workers of a training.

    Attributes:
        index: number of the worker; 0 is the chief, which alone writes files.
        count: number of workers.
    """

    index: int = 0
    count: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes the checkpoints and the model."""
        return self.index == 0

    def part(self, length: int) -> range:
        """Positions of this worker's items in a batch of `length` items; maybe none."""
        return range(self.index, length, self.count)


def find_place(environment: Mapping[str, str] = os.environ) -> WorkerPlace:
    """The place that TF_CONFIG gives this process.

    Raises:
        ConfigError: the variable is missing or wrong; the message has an example.
    """
    text = environment.get(VARIABLE, "")
    if not text:
        raise ConfigError(
            f"training.strategy: multi_worker needs the environment variable {VARIABLE}: "
            f"{EXAMPLE}. For the GPUs of one machine, use mirrored"
        )
    try:
        values = json.loads(text)
        cluster, task = values["cluster"], values["task"]
        kind, index = str(task["type"]), int(task["index"])
        counts = {key: len(cluster[key]) for key in cluster}
    except (ValueError, KeyError, TypeError) as error:
        raise _wrong(f"{type(error).__name__}: {error}") from None
    if unknown := sorted(set(counts) - {"chief", "worker"}):
        raise _wrong(f"cluster has {', '.join(unknown)}; there are only workers, and maybe a chief")
    if not 0 <= index < counts.get(kind, 0) or counts.get("chief", 0) > 1:
        raise _wrong(f"the cluster has no task {kind} {index}, or several chiefs")
    # As TensorFlow numbers them: the chief comes first, without one worker 0 is the chief.
    first = counts.get("chief", 0) if kind == "worker" else 0
    return WorkerPlace(first + index, sum(counts.values()))


def _wrong(problem: str) -> ConfigError:
    return ConfigError(f"{VARIABLE}: {problem}; expected {EXAMPLE}")
