"""TensorFlow and Keras, imported without their start-up messages.

Every module that needs TensorFlow imports it from here, so that the order of imports never matters.
Errors while importing are exceptions and still arrive; only what the libraries print is lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from asr.base.garbage import garbage_collection_paused

__all__ = ["keras", "tf"]


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Close the process's stderr: the libraries print from C++, past `sys.stderr`."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _silent_stderr(), garbage_collection_paused():
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()  # looks for GPUs, and prints what it misses
