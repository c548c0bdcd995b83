"""Matrix products of NumPy in one thread."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from asr.audio.features import FeatureConfig, mfcc
from asr.base.blas import one_thread
from asr.decoding.voice_activity import shipped_voice_activity


def threads() -> set[int]:
    """Threads of the libraries for matrix products; empty if threadpoolctl knows none of them."""
    found = ThreadpoolController().select(user_api="blas").info()
    return {library["num_threads"] for library in found}


def test_one_thread_limits_blas_within_its_context() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with one_thread(), one_thread():
            assert threads() <= {1}
        assert threads() == before


def test_features_and_voice_activity_use_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    log, maximum = np.log, np.maximum
    monkeypatch.setattr(np, "log", lambda *a: (seen.append(threads()), log(*a))[1])
    monkeypatch.setattr(np, "maximum", lambda *a: (seen.append(threads()), maximum(*a))[1])
    with threadpool_limits(2, user_api="blas"):
        static = mfcc(np.random.default_rng(0).normal(0, 0.1, 16_000), FeatureConfig())
        shipped_voice_activity()(static)
    assert seen and all(found <= {1} for found in seen)
