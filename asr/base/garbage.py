"""Faster large imports through a pause of garbage collection."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Pause garbage collection, then exempt the objects made meanwhile from it.

    Importing a large library makes millions of objects that live as long as the process. Without
    the pause the collector visits them again and again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if enabled:
            gc.enable()
