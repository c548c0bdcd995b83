"""DNSMOS, a predictor of the quality of speech (Reddy, Gopal & Cutler, 2021; MIT licence).

It was trained on ratings after ITU-T P.808 of noisy speech and of what noise suppression leaves of
it. The package speechmos on PyPI has the network; its Python code, which needs pandas, is not
imported.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import librosa
import numpy as np

from asr.base.extras import install_extra
from asr.errors import PackageError
from asr.evaluation.judges.judge import SAMPLE_RATE, Rating, mean_rating
from asr.networks.onnx_graph import open_session

NAME = "DNSMOS"
WINDOW = 144_160
"""Samples that the network hears at once: 9.01 s. Shorter recordings are repeated."""
HOP = SAMPLE_RATE
"""Distance of two windows of a longer recording, in samples."""
FFT, STEP, MELS = 321, 160, 120


class DnsMos:
    """DNSMOS, as a judge.

    Args:
        threads: threads of one prediction; default: 1.

    Raises:
        PackageError: the package speechmos is not installed.
    """

    name = NAME

    def __init__(self, threads: int = 1) -> None:
        package = find_spec("speechmos")
        if package is None or package.origin is None:
            raise PackageError(f"speechmos is not installed: {install_extra('judges')}")
        network = Path(package.origin).parent / "dnsmos_models" / "model_v8.onnx"
        self.session = open_session(network.read_bytes(), threads)

    def judge(self, samples: np.ndarray, text: str) -> Rating:
        """See `Judge`."""
        return mean_rating(self.session, map(mel_frames, windows(samples)))


def windows(samples: np.ndarray) -> list[np.ndarray]:
    """The windows of a recording, float32 [WINDOW] each.

    Args:
        samples: float32 [samples] at `SAMPLE_RATE`.
    """
    while len(samples) < WINDOW:  # doubled, as the package does
        samples = np.append(samples, samples)
    count = max(1, int(len(samples) // SAMPLE_RATE - WINDOW / SAMPLE_RATE) + 1)
    return [samples[i * HOP : i * HOP + WINDOW] for i in range(count)]


def mel_frames(window: np.ndarray) -> np.ndarray:
    """The mel spectrogram in the network's scale, float32 [frames, MELS].

    Args:
        window: float32 [WINDOW].
    """
    power = librosa.feature.melspectrogram(
        y=window[:-STEP], sr=SAMPLE_RATE, n_fft=FFT, hop_length=STEP, n_mels=MELS
    )
    decibels = librosa.power_to_db(power, ref=np.max)
    return ((decibels + 40) / 40).T.astype(np.float32)
