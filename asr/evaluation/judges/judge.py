"""`Judge`, and what a judge says of one recording."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from asr.base.onnxruntime import onnxruntime

SAMPLE_RATE = 16_000
"""Sample rate of the recordings that judges hear, in Hz."""


@dataclass(frozen=True)
class JudgedTranscript:
    """What a recogniser understood.

    Attributes:
        reference: normalised text of the sentence.
        hypothesis: normalised transcript.
    """

    reference: str
    hypothesis: str


@dataclass(frozen=True)
class Rating:
    """The naturalness that a predictor expects listeners to hear.

    Attributes:
        mos: mean opinion score, 1 (bad) to 5 (excellent).
    """

    mos: float


class Judge(Protocol):
    """Hears recordings: a recogniser transcribes them, a predictor of naturalness rates them."""

    @property
    def name(self) -> str:
        """Name in tables and records."""

    def judge(self, samples: np.ndarray, text: str) -> JudgedTranscript | Rating:
        """Judge one recording. The verdict does not depend on earlier recordings.

        Args:
            samples: float32 [samples] in −1…1 at `SAMPLE_RATE`.
            text: the sentence that is spoken. A predictor of naturalness ignores it.
        """


def mean_rating(session: onnxruntime.InferenceSession, windows: Iterable[np.ndarray]) -> Rating:
    """The mean of what a network predicts for each window of a recording.

    Args:
        session: the network, with one input and one number as output.
        windows: inputs of the network, without the axis of the batch.
    """
    (given,) = session.get_inputs()
    scores = (session.run(None, {given.name: window[None]})[0].item() for window in windows)
    return Rating(fmean(scores))
