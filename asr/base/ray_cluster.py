"""`ray_cluster`: the Ray cluster that a command works on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from asr.base.extras import install_extra
from asr.errors import ConfigError

STARTS = 4
"""Tries to start a cluster on this machine."""


def import_ray(option: str = "--ray") -> ModuleType:
    """Import Ray.

    Args:
        option: the command's option that needs it.

    Raises:
        ConfigError: it is not installed; the message names the extra.
    """
    # Ray would report the use of its features to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError(f"{option} needs Ray ({error}): {install_extra('scale')}") from None
    return ray


@contextmanager
def ray_cluster(ray: ModuleType, address: str) -> Iterator[None]:
    """Join or start a cluster, and leave it at the end, unless the caller has joined it.

    Args:
        ray: see `import_ray`.
        address: "auto" for the cluster that this machine belongs to, or a new one on this machine;
            "local" for a new one; or HOST:PORT or ray://HOST:PORT.

    Raises:
        ConfigError: the cluster cannot be reached or started.
    """
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"logging_level": "WARNING", "log_to_driver": False}
    try:
        try:
            if address == "local":
                _start_cluster(ray, options)
            else:
                ray.init(address=address, **options)
        except ConnectionError:
            if address != "auto":
                raise
            _start_cluster(ray, {"include_dashboard": False, **options})
    except Exception as error:  # Ray raises that class itself if a process starts too slowly
        raise ConfigError(f"--ray {address}: no cluster: {' '.join(str(error).split())}") from None
    try:
        yield
    finally:
        ray.shutdown()


def _start_cluster(ray: ModuleType, options: dict[str, Any]) -> None:
    """Start a cluster on this machine. Ray gives its processes 30 s, which a busy machine may
    exceed; a later try finds their code in memory."""
    for left in reversed(range(STARTS)):
        try:
            ray.init(address="local", **options)
            return
        except Exception as error:  # Ray has no class of its own for it
            if not left or "timed out during startup" not in str(error):
                raise
