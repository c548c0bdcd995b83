"""Connectionist temporal classification (Graves et al., 2006): loss, decoding, forced alignment.

The package's public names are here, so that `from asr import ctc` gives `ctc.greedy`, `ctc.loss`.
It may import `asr.text` and below. Only `ctc.loss` imports TensorFlow, when it is called.
"""

from asr.ctc.best_path import (
    Others,
    Path,
    frames_needed,
    greedy,
    log_likelihoods,
    log_softmax,
)
from asr.ctc.forced_alignment import align
from asr.ctc.prefix_beam import Hypothesis, beam_search
from asr.ctc.training_loss import loss

__all__ = [
    "Hypothesis",
    "Others",
    "Path",
    "align",
    "beam_search",
    "frames_needed",
    "greedy",
    "log_likelihoods",
    "log_softmax",
    "loss",
]
