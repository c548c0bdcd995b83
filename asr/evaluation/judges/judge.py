"""`Judge`, and what a judge says of one recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

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
