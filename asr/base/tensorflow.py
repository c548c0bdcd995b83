"""TensorFlow and Keras, imported without their start-up messages.

Every module that needs TensorFlow imports it from here, so the order of imports does not matter.
Errors during the import are raised as usual; only the libraries' messages are discarded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from multiprocessing import parent_process
from pathlib import Path

from asr.base.garbage import garbage_collection_paused
from asr.base.progress import spinner
from asr.errors import OutputError

__all__ = ["keras", "tensorflow_writes", "tf"]


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Redirect the process's stderr to /dev/null.

    The libraries print from C++, so replacing `sys.stderr` would have no effect.
    """
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def _spinner() -> AbstractContextManager[None]:
    """A spinner, because the import takes seconds; none in a worker process."""
    return spinner("loading TensorFlow") if parent_process() is None else nullcontext()


@contextmanager
def tensorflow_writes(path: Path) -> Iterator[None]:
    """Turn an error of what TensorFlow or Python write in the block into one that names `path`.

    Raises:
        OutputError: something cannot be written, such as on a full disk.
    """
    try:
        yield
    except tf.errors.OpError as error:
        # The message begins with the name of a temporary file.
        cause = error.message.rpartition("; ")[2].partition(" [Op:")[0]
        raise OutputError(f"{path}: cannot be written ({cause})") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _spinner(), _silent_stderr(), garbage_collection_paused():
    import keras
    import tensorflow as tf

    # The search for GPUs prints warnings. It runs once, so run it here.
    tf.config.list_physical_devices()
