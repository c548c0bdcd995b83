"""Threads of NumPy's matrix products."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """Context in which NumPy's matrix products use one thread.

    Products of features and of single steps are so small that several threads cost more than they
    save. Between two products the other threads wait in a loop that takes whole processors, which
    the recogniser's network or other processes need.
    """
    return _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> Any:
    from threadpoolctl import (
        ThreadpoolController,
    )  # imported only when needed: it takes milliseconds

    return ThreadpoolController()
