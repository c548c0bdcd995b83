"""Transcription with PocketSphinx, for comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from asr.base.extras import install_extra
from asr.errors import PackageError
from asr.results import Transcript

RATE = 16_000
"""Sample rate of PocketSphinx's English model, in Hz."""


class Sphinx:
    """PocketSphinx with its English model and its language model.

    Raises:
        PackageError: PocketSphinx is not installed.
    """

    def __init__(self) -> None:
        try:
            import pocketsphinx
        except ImportError:
            raise PackageError(
                f"PocketSphinx is not installed: {install_extra('judges')}"
            ) from None
        self.decoder = pocketsphinx.Decoder(loglevel="FATAL")

    def transcribe(self, samples: np.ndarray) -> str:
        """Transcribe English speech, float [samples] in −1…1 at `RATE`."""
        self.decoder.reinit_feat()  # forgets the noise and the mean of the previous recording
        self.decoder.start_utt()
        whole = (samples.clip(-1, 1) * 32767).astype("<i2").tobytes()
        self.decoder.process_raw(whole, full_utt=True)
        self.decoder.end_utt()
        best = self.decoder.hyp()
        return best.hypstr if best else ""


def sphinx_transcripts(recordings: Iterable[np.ndarray]) -> Iterator[Transcript]:
    """Transcribe recordings with PocketSphinx.

    Args:
        recordings: samples of each recording, float [n] in −1…1, with the sample rate `RATE`.

    Raises:
        PackageError: PocketSphinx is not installed.
    """
    sphinx = Sphinx()
    for samples in recordings:
        yield Transcript(sphinx.transcribe(samples), 0.0, len(samples) / RATE)
