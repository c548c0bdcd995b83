"""Connectionist temporal classification (Graves et al., 2006): loss, decoding, forced alignment.

The public names are here: `from asr import ctc` gives `ctc.greedy`, `ctc.loss` and the rest. Only
`ctc.loss` imports TensorFlow, when it is called.

May import `asr.text` and below.
"""

from asr.ctc.best_path import (
    Alternatives,
    Path,
    ScoredLabels,
    frames_needed,
    greedy,
    log_likelihoods,
    log_softmax,
)
from asr.ctc.forced_alignment import align
from asr.ctc.prefix_beam import Hypothesis, beam_search
from asr.ctc.training_loss import loss

__all__ = [
    "Alternatives",
    "Hypothesis",
    "Path",
    "ScoredLabels",
    "align",
    "beam_search",
    "frames_needed",
    "greedy",
    "log_likelihoods",
    "log_softmax",
    "loss",
]
