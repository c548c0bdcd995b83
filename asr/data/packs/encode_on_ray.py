"""`EncodeOnRay`: the members of a pack, encoded on the machines of a Ray cluster."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from asr.data.manifest import Utterance
from asr.data.packs.encoding import EncodedUtterance, PackSettings, encode_or_explain

TASK_SIZE = 16
"""Utterances of a task."""
AHEAD = 3
"""Tasks for each processor that run, wait or have finished before the writer needs them."""


@dataclass(frozen=True)
class EncodeOnRay:
    """An `EncodeAll` of `write_pack`. Every machine must have the recordings.

    The shards are written by the process that calls it, so they are the same as without Ray. Ray
    encodes utterances again whose worker or machine is lost.

    Args:
        ray: see `asr.base.ray_cluster.import_ray`; the cluster must be joined.
    """

    ray: ModuleType

    def __call__(
        self, utterances: Sequence[Utterance], settings: PackSettings
    ) -> Iterator[EncodedUtterance | str]:
        encode = self.ray.remote(num_cpus=1, max_retries=-1)(_encode)
        most = AHEAD * max(1, int(self.ray.cluster_resources().get("CPU", 1)))
        running: deque[Any] = deque()
        for start in range(0, len(utterances), TASK_SIZE):
            part = utterances[start : start + TASK_SIZE]
            running.append(encode.remote(part, settings, os.getcwd()))
            if len(running) > most:
                yield from self.ray.get(running.popleft())
        while running:
            yield from self.ray.get(running.popleft())


def _encode(
    utterances: Sequence[Utterance], settings: PackSettings, folder: str
) -> list[EncodedUtterance | str]:
    """What Ray calls in a process of the cluster.

    Args:
        folder: relative paths start there.
    """
    with suppress(OSError):  # a machine without it has only absolute paths
        os.chdir(folder)
    return [encode_or_explain(utterance, settings) for utterance in utterances]
