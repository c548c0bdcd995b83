"""`VoiceActivity`: which frames hold a voice, so that noise, tones and music give no words.

A small convolutional network on the static cepstra decides. `pipelines/train_voice_activity.py`
trained it. The level alone (`asr.decoding.speech_detector`) separates speech from pauses, but it
also takes a tone for speech.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files
from math import lcm

import numpy as np

from asr.audio.features import FeatureConfig
from asr.base.blas import one_thread
from asr.base.units import Seconds
from asr.decoding.speech_detector import by_output_frame, widened
from asr.networks.head_layout import HeadLayout
from asr.text.tokenizers import BLANK

HOP = 4
"""Feature frames per decision of the network."""
LAYERS = ((HOP, 1), (1, 1), (1, 3), (1, 9), (1, 1))
"""Stride and dilation of each convolution."""
SMOOTHED = 7
"""Decisions whose mean logit is compared with the threshold."""
THRESHOLD = 0.0
"""Logit above which a frame holds a voice. Chosen on dev sets by `benchmarks/voice_activity.py`."""
MARGIN: Seconds = 0.3
"""Time on each side of a voice in which words are allowed, in seconds, so that no soft sound is
lost."""
SHORTEST: Seconds = 0.5
"""Duration below which a recording is not judged, in seconds: a word that is cut tightly gives too
little to decide."""
CONTEXT = 200
"""Feature frames on each side on which the judgement of a frame depends, at most: the network's
context, the smoothing and the margin."""
NO_WORD = 100.0
"""Distance of the logit of the blank from all others in a frame without a voice."""
NOT_STATIC = ("deltas", "normalise", "delta_width")
"""Settings of the features that the static cepstra do not depend on."""


class VoiceActivity:
    """The network, with its weights.

    Convolutions with ReLU between them, as `LAYERS` says: ±1.2 s of context.

    Args:
        weights: arrays "mean" and "scale" [coefficients], and for each layer i "kernel_i"
            [width, inputs, outputs] and "bias_i" [outputs].
    """

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self._weights = {name: array.astype(np.float32) for name, array in weights.items()}

    def __call__(self, static: np.ndarray) -> np.ndarray:
        """Logits of a voice, float32 [frames / `HOP`, rounded up].

        Args:
            static: static cepstra, [frames, coefficients], of the features `FeatureConfig()`.
        """
        w = self._weights
        x = ((static - w["mean"]) / w["scale"]).astype(np.float32)
        with one_thread():
            for i, (stride, dilation) in enumerate(LAYERS):
                if i:
                    x = np.maximum(x, 0)
                x = _convolve(x, w[f"kernel_{i}"], stride, dilation) + w[f"bias_{i}"]
        return x[:, 0]


def _convolve(x: np.ndarray, kernel: np.ndarray, stride: int, dilation: int) -> np.ndarray:
    """Convolution over time, padded with zeros: [frames, n] → [frames / stride, outputs]."""
    width = len(kernel)
    reach = (width - 1) * dilation
    count = -(-len(x) // stride)
    before = (reach - stride + 1) // 2
    after = max(0, (count - 1) * stride + reach + 1 - len(x) - before)
    padded = np.pad(x, ((before, after), (0, 0)))
    total = np.zeros([count, kernel.shape[2]], np.float32)
    for i in range(width):
        start = i * dilation
        total += padded[start : start + (count - 1) * stride + 1 : stride] @ kernel[i]
    return total


@cache
def shipped_voice_activity() -> VoiceActivity:
    """The network that the package ships."""
    path = files("asr.decoding") / "voice_activity.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return VoiceActivity(dict(arrays))


@cache
def has_voice_activity(config: FeatureConfig) -> bool:
    """Whether the shipped network fits these features: it knows only the default ones."""
    default = FeatureConfig()
    return replace(config, **{name: getattr(default, name) for name in NOT_STATIC}) == default


def voiced_frames(
    static: np.ndarray,
    config: FeatureConfig,
    stride: int,
    chosen: np.ndarray,
    whole: bool = False,
    threshold: float = THRESHOLD,
) -> np.ndarray:
    """Whether output frames hold a voice or are near one, bool [frames'].

    Args:
        static: static cepstra of a stretch, [frames, coefficients].
        config: their settings.
        stride: feature frames in an output frame.
        chosen: the output frames of the stretch to judge, ascending, int [frames'].
        whole: whether the stretch is a whole recording. One shorter than `SHORTEST` is all voice.
            Default False.
        threshold: logit above which a frame holds a voice. Default `THRESHOLD`.
    """
    if whole and len(static) < SHORTEST * config.frames_per_second:
        return np.ones(len(chosen), bool)
    if not len(chosen):
        return np.zeros(0, bool)
    together = lcm(HOP, stride)  # a decision and an output frame begin together
    start = max(0, int(chosen[0]) * stride - CONTEXT) // together * together
    around = static[start : (int(chosen[-1]) + 1) * stride + CONTEXT]
    logits = np.pad(shipped_voice_activity()(around), SMOOTHED // 2, mode="edge")
    voiced = np.convolve(logits, np.ones(SMOOTHED) / SMOOTHED, mode="valid") > threshold
    near = widened(voiced, round(MARGIN * config.frames_per_second / HOP))
    frames = by_output_frame(np.repeat(near, HOP)[: len(around)], stride)
    return frames[chosen - start // stride]


def without_voice(logits: np.ndarray, voiced: np.ndarray, layout: HeadLayout) -> np.ndarray:
    """Logits [frames', layout.size] with the blank in every frame without a voice.

    Args:
        logits: the network's output, float [frames', layout.size].
        voiced: bool [frames'].
        layout: heads of the logits; each has a blank.
    """
    if voiced.all():
        return logits
    logits = logits.copy()
    heads = layout.split(logits)
    for head in (heads.labels, heads.phones):
        if head is not None:
            head[~voiced] = -NO_WORD
            head[~voiced, BLANK] = 0.0
    return logits
