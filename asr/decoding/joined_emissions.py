"""`JoinedEmissions`: the emissions of a whole recording, for forced alignment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asr import ctc
from asr.decoding.emission_joiner import EmissionJoiner, Emissions
from asr.networks.head_layout import HeadLayout
from asr.text.tokenizers import BLANK

IMPOSSIBLE = -1e4
"""Log-probability of a letter in a pause, in nats. It is finite, because scores are averaged."""


class JoinedEmissions(EmissionJoiner):
    """Keeps the emissions of one recording's windows: 4 bytes per label and output frame.

    A pause that the windows leave out becomes one frame, in which blank and space cost nothing.

    Args:
        space: label of the space; None for none.
        layout: heads of the logits. Only the tokenizer's labels are kept.

    Attributes:
        best_score: log-probability of the best path, whatever its labels, in nats.
        best_labels: number of labels of the best path.
    """

    def __init__(self, space: int | None, layout: HeadLayout) -> None:
        super().__init__(space, layout)
        self.best_score, self.best_labels = 0.0, 0
        self._log_probabilities = [np.zeros([0, layout.labels], np.float32)]
        self._numbers = [np.zeros(0, int)]

    def finish(self) -> np.ndarray:
        """Log-probabilities of the whole recording, in nats, float32 [frames', labels]."""
        self._add_last_part()
        return np.concatenate(self._log_probabilities)

    def in_recording(self, path: ctc.Path) -> ctc.Path:
        """A path through the frames of `finish`, in output frames of the recording."""
        numbers = np.concatenate(self._numbers)
        starts = numbers[list(path.starts)].tolist()
        ends = (numbers[np.array(path.ends, int) - 1] + 1).tolist()
        return replace(path, starts=tuple(starts), ends=tuple(ends))

    def _add_part(self, part: Emissions) -> None:
        logits = self.layout.split(part.logits).labels
        best = ctc.greedy(logits)
        self.best_score += best.score
        self.best_labels += len(best.labels)
        self._keep(ctc.log_softmax(logits.astype(np.float32)), part.numbers)

    def _add_pause(self, end: int) -> None:
        if self.space is not None:
            pause = np.full([1, self.layout.labels], IMPOSSIBLE, np.float32)
            pause[0, [BLANK, self.space]] = 0.0
            self._keep(pause, np.array([end - 1]))

    def _keep(self, log_probabilities: np.ndarray, numbers: np.ndarray) -> None:
        self._log_probabilities.append(log_probabilities)
        self._numbers.append(numbers)
