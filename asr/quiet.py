"""Importing TensorFlow without its notices, which it writes before any setting can stop them."""

from __future__ import annotations

import os


def import_tensorflow() -> None:
    """Import TensorFlow and have it look for GPUs, with the process's stderr closed meanwhile.

    Errors are exceptions and still arrive; only what its libraries print on their own is lost.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
