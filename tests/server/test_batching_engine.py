"""Recordings of many clients go through one engine without touching each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from speech_server import wait_until

from asr.data.inputs import feature_blocks
from asr.decoding.decoding_options import Decoding
from asr.errors import WorkerError
from asr.networks.model_directory import read_model
from asr.recognizer import Recognizer
from asr.server.batching_engine import BatchingEngine, TranscriptionJob

GOFORWARD = Path(__file__).parents[1] / "fixtures" / "goforward.wav"
FEATURES = read_model("en-small")[1].features


@pytest.fixture(scope="module")
def engine() -> Iterator[BatchingEngine]:
    engine = BatchingEngine(Recognizer.load("en-small", Decoding(lm="none")))
    engine.start()
    yield engine
    engine.close()


def feed(job: TranscriptionJob, audio: object) -> TranscriptionJob:
    for block in feature_blocks(audio, FEATURES, None, None):  # type: ignore[arg-type]
        job.feed(block)
    job.finish()
    return job


def samples(seconds: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(16_000 * seconds)).astype(np.float32)


def test_results_are_those_of_the_recogniser(engine: BatchingEngine, small: Recognizer) -> None:
    audio = [GOFORWARD, samples(0.5, 1), samples(24, 2), samples(3, 3)]
    jobs = [feed(engine.open(), item) for item in audio]
    for job, item in zip(jobs, audio, strict=True):
        expected = small.transcribe(item)
        found = job.result.result(60)
        assert found.text == expected.text
        assert [w.start for w in found.words] == [w.start for w in expected.words]
        assert found.duration == expected.duration
    assert engine.jobs == engine.waiting == 0


def test_windows_of_several_recordings_are_one_batch(engine: BatchingEngine) -> None:
    sizes: list[int] = []
    engine.on_batch = sizes.append
    open_jobs = [engine.open() for _ in range(5)]
    waiting = engine.call(lambda: [feed(job, GOFORWARD) for job in open_jobs])
    waiting.result(30)
    texts = {job.result.result(30).text for job in open_jobs}
    assert texts == {"oh furwor ten meaters"}
    assert sizes == [5]
    engine.on_batch = None


def test_a_cancelled_recording_is_forgotten(engine: BatchingEngine) -> None:
    job = engine.open()
    for block in feature_blocks(samples(30, 4), FEATURES, None, None):
        job.feed(block)
    job.cancel()
    wait_until(lambda: engine.jobs == engine.waiting == 0)
    assert not job.result.done()


def test_a_recording_that_fails_takes_no_other_with_it(engine: BatchingEngine) -> None:
    def broken(logits: np.ndarray) -> None:
        raise ZeroDivisionError

    joiner = engine.recognizer.text_joiner(broken)  # type: ignore[arg-type]
    jobs = [engine.open(), engine.open(joiner), engine.open()]
    engine.call(lambda: [feed(job, GOFORWARD) for job in jobs]).result(30)
    with pytest.raises(ZeroDivisionError):
        jobs[1].result.result(30)
    assert jobs[0].result.result(30).text == jobs[2].result.result(30).text != ""


def test_a_long_recording_waits_for_the_network(
    engine: BatchingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr.server.batching_engine.BLOCKS_AHEAD", 3)
    job, fed, released = engine.open(), list[int](), threading.Event()
    blocks = list(feature_blocks(samples(40, 5), FEATURES, None, None))
    assert len(blocks) > 6

    def feed_all() -> None:
        for block in blocks:
            job.feed(block)
            fed.append(block.samples)
        job.finish()

    engine.call(released.wait)  # the network is busy
    thread = threading.Thread(target=feed_all)
    thread.start()
    time.sleep(0.3)
    assert len(fed) == 3
    released.set()
    assert job.result.result(60).duration == 40
    thread.join()


def test_a_closed_engine_refuses(small: Recognizer) -> None:
    engine = BatchingEngine(small)
    engine.start()
    job = engine.open()
    engine.close()
    with pytest.raises(WorkerError, match="shutting down"):
        job.result.result(10)
    with pytest.raises(WorkerError, match="shutting down"):
        engine.open()
    with pytest.raises(WorkerError, match="shutting down"):
        engine.call(list)
