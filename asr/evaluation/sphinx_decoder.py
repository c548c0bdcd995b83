"""Transcription with PocketSphinx, for comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec

import numpy as np

from asr.errors import ModelError
from asr.results import Transcript

RATE = 16_000
"""Sample rate of PocketSphinx's English model, in Hz."""


def sphinx_installed() -> bool:
    """Whether the package pocketsphinx (in the extra `dev`) is installed."""
    return find_spec("pocketsphinx") is not None


def sphinx_transcripts(recordings: Iterable[np.ndarray]) -> Iterator[Transcript]:
    """Transcribe recordings with PocketSphinx's English model and its language model.

    Args:
        recordings: samples of each recording, float [n] in −1…1, with the sample rate `RATE`.

    Raises:
        ModelError: PocketSphinx is not installed.
    """
    if not sphinx_installed():
        raise ModelError("PocketSphinx is not installed: pip install pocketsphinx==5.1.1")
    import pocketsphinx

    decoder = pocketsphinx.Decoder(loglevel="FATAL")
    for samples in recordings:
        decoder.start_utt()
        decoder.process_raw((samples.clip(-1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        yield Transcript(decoder.hyp().hypstr if decoder.hyp() else "", 0.0, len(samples) / RATE)
