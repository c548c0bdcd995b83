"""Importing TensorFlow: without its notices, and without what it imports for nobody here."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = ("matplotlib", "pandas", "sklearn")
"""What Keras imports where it is installed, for parts of Keras that nothing here uses: a third of
the time that importing TensorFlow takes (`benchmarks/batch_workers.py` feels it twice)."""


def import_tensorflow() -> None:
    """Import TensorFlow and have it look for GPUs, with the process's stderr closed meanwhile.

    Errors are exceptions and still arrive; only what its libraries print on their own is lost.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        with _without(UNUSED), uncollected():
            import tensorflow as tf

        tf.config.list_physical_devices()
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


@contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """Modules that are as if they were not installed, unless they have been imported before."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: "not to be found"
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection, and none later of what is made now: modules are there to stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if enabled:
            gc.enable()
