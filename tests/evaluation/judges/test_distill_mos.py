from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from asr.audio.reading import read_audio
from asr.base.downloads import cache_folder
from asr.errors import PackageError
from asr.evaluation.judges import distill_mos
from asr.evaluation.judges.distill_mos import (
    BINS,
    FRAMES,
    HOP,
    WINDOW,
    DistillMos,
    TorchArrays,
    build_network,
    spectrum,
    windows,
)
from asr.networks.onnx_graph import open_session

CACHED = any(cache_folder("distillmos").glob(distill_mos.PACKAGE.archive))


class MadeUpArrays(TorchArrays):
    """Weights of any shape: small numbers that depend on nothing but the order."""

    def __init__(self) -> None:
        self.count = 0

    def take(self, *shape: int) -> np.ndarray:
        self.count += 1
        # Positive, because some of them are variances.
        return np.abs(np.random.default_rng(self.count).normal(0, 0.02, shape)).astype(np.float32)

    def skip(self) -> None:
        self.count += 1


def test_windows_cover_a_recording_evenly() -> None:
    short = np.ones(5, np.float32)
    (window,) = windows(short)
    assert window.shape == (WINDOW,) and window.sum() == 5
    assert len(windows(np.zeros(WINDOW))) == 1
    long = np.arange(WINDOW + HOP + 2)
    starts = [window[0] for window in windows(long)]
    assert starts == [0, (HOP + 2) // 2, HOP + 2]


def test_the_spectrum_has_compressed_magnitudes_and_the_phases() -> None:
    time = np.arange(WINDOW) / 16_000
    window = (0.05 * np.cos(2 * np.pi * 1000 * time)).astype(np.float32)
    found = spectrum(window)
    assert found.shape == (2, BINS, FRAMES) and found.dtype == np.float32
    magnitude = np.hypot(*found)[:, 100]
    assert magnitude.argmax() == 20  # 1000 Hz in steps of 50 Hz
    assert magnitude.max() == pytest.approx(80**0.3, rel=1e-3)  # half the sum of the Hann window
    np.testing.assert_allclose(spectrum(0.5 * window)[:, 20], found[:, 20], rtol=1e-4)
    assert np.isfinite(spectrum(np.zeros(WINDOW, np.float32))).all()


def test_the_network_takes_all_120_variables_and_returns_a_score() -> None:
    arrays = MadeUpArrays()
    session = open_session(build_network(arrays), threads=1)
    assert arrays.count == 120
    (score,) = session.run(None, {"spectrum": np.zeros((1, 2, BINS, FRAMES), np.float32)})
    assert score.shape == (1, 1, 1) and 1 <= score.item() <= 5


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("made/data.pkl", b"is not read")
        for number in (10, 2, 0):
            archive.writestr(f"made/data/{number}", np.float32([number, 1]).tobytes())
    arrays = TorchArrays(path)
    assert arrays.take(2).tolist() == [0, 1]
    assert arrays.take(1, 2).tolist() == [[2, 1]]  # in the order of the numbers
    with pytest.raises(PackageError, match=r"weights\.pt: 8 bytes .* shape \(3,\); delete "):
        arrays.take(3)
    with pytest.raises(PackageError, match="0 bytes"):
        arrays.take(1)


@pytest.mark.slow
@pytest.mark.skipif(not CACHED, reason="distillmos is not cached")
def test_scores_are_those_of_the_package_in_pytorch(goforward: Path) -> None:
    samples = read_audio(goforward, 16_000)
    judge = DistillMos()
    assert judge.judge(samples, "").mos == pytest.approx(SHORT, abs=1e-3)
    long = np.concatenate([samples, 0.1 * samples[::-1], samples, samples])
    assert judge.judge(long, "").mos == pytest.approx(LONG, abs=1e-3)


SHORT, LONG = 3.97368, 3.73336
"""Scores of distillmos 0.9.1 in PyTorch 2.13."""
