from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asr.audio.reading import read_audio
from asr.evaluation.sphinx_decoder import RATE, Sphinx


def test_a_transcript_does_not_depend_on_earlier_recordings(goforward: Path) -> None:
    pytest.importorskip("pocketsphinx")
    samples = read_audio(goforward, RATE)
    sphinx = Sphinx()
    assert sphinx.transcribe(samples) == "go forward ten meters"
    mean = sphinx.decoder.get_cmn(False)
    sphinx.transcribe(np.random.default_rng(1).normal(0, 0.2, RATE).astype(np.float32))
    assert sphinx.decoder.get_cmn(False) != mean
    assert sphinx.transcribe(samples) == "go forward ten meters"
    assert sphinx.decoder.get_cmn(False) == mean
