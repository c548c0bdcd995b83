"""Shared by all tests: one real recording, a tiny model, and no choice of threads by chance."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import settings

# How long an example takes is the machine's business, not the test's.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def goforward() -> Path:
    """A real recording: "go forward ten meters", 16 kHz."""
    return FIXTURES / "goforward.wav"


@pytest.fixture(scope="session")
def tiny():  # type: ignore[no-untyped-def]
    """A small recogniser with random weights."""
    import keras

    from asr.networks.acoustic import AcousticModel
    from asr.networks.acoustic_config import AcousticConfig
    from asr.networks.model_directory import RecognizerConfig
    from asr.recognizer import Recognizer

    keras.utils.set_random_seed(7)
    config = RecognizerConfig("tiny", acoustic=AcousticConfig(units=8, layers=2))
    return Recognizer(config, AcousticModel(config.acoustic, 39, 29))


@pytest.fixture
def tone(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Writes a recording that is a sine in a little noise; returns its path."""

    def write(
        name: str, seconds: float = 1.0, hertz: float = 440.0, rate: int = 16_000, seed: int = 0
    ) -> Path:
        time = np.arange(round(seconds * rate)) / rate
        noise = np.random.default_rng(seed).normal(0, 0.01, len(time))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * time) + noise, rate)
        return path

    return write
