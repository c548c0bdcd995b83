"""A task that crashes, hangs or eats memory takes nothing else with it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pool_work import work
from speech_server import wait_until

from asr.errors import AudioError
from asr.server.worker_pool import Cancelled, WorkerDied, WorkerPool, WorkerStalled


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(work, 1, memory=200_000_000, stall=0.5)
    pool.start()
    yield pool
    pool.close()


def run(pool: WorkerPool, task: str) -> list[Any]:
    messages: list[Any] = []
    pool.submit(task, messages.append, threading.Event()).result(30)
    return messages


@pytest.mark.parametrize(
    ("task", "error"),
    [
        ("crash", WorkerDied),
        ("hang", WorkerStalled),
        ("eat", AudioError),
        ("fault", WorkerDied),
    ],
)
def test_a_process_that_goes_wrong_is_replaced(pool: WorkerPool, task: str, error: type) -> None:
    (before,) = run(pool, "nothing")
    with pytest.raises(error):
        run(pool, task)
    (after,) = run(pool, "nothing")
    assert before != after


def test_an_error_of_the_task_keeps_the_process(pool: WorkerPool) -> None:
    before = run(pool, "nothing")
    with pytest.raises(AudioError, match="file: no audio"):
        run(pool, "fail")
    assert run(pool, "nothing") == before


def test_a_cancelled_task_stops_and_keeps_the_process(pool: WorkerPool) -> None:
    (before,) = run(pool, "nothing")
    cancelled, messages = threading.Event(), list[Any]()
    future = pool.submit("count", messages.append, cancelled)
    wait_until(lambda: len(messages) > 5)
    cancelled.set()
    with pytest.raises(Cancelled):
        future.result(30)
    assert len(messages) < 100_000
    assert run(pool, "nothing") == [before]


def test_an_error_of_the_receiver_stops_the_task(pool: WorkerPool) -> None:
    def refuse(message: Any) -> None:
        raise AudioError("file: too long")

    (before,) = run(pool, "nothing")
    with pytest.raises(AudioError, match="too long"):
        pool.submit("count", refuse, threading.Event()).result(30)
    assert run(pool, "nothing") == [before]


def test_a_process_that_died_between_two_tasks_is_replaced(pool: WorkerPool) -> None:
    (before,) = run(pool, "nothing")
    os.kill(before, signal.SIGKILL)
    time.sleep(0.2)
    assert run(pool, "nothing") != [before]
