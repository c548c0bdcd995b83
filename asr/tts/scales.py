"""The scales of a network that reads or makes log-mel frames: weights that are not trained.

They are the means and standard deviations of mel frames and of the log pitch, over a voice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from asr.networks.weights import WeightArrays


def scale_shapes(mels: int) -> dict[str, tuple[int, ...]]:
    """Shape of each scale, by name.

    Args:
        mels: number of mel bands.
    """
    return {
        "mel_mean": (mels,),
        "mel_deviation": (mels,),
        "pitch_mean": (),
        "pitch_deviation": (),
    }


def add_scales(model: Any, mels: int) -> dict[str, Any]:
    """Add the scales to a Keras model, with mean 0 and deviation 1; returns the variables by name.

    Args:
        model: the model.
        mels: number of mel bands.
    """
    return {
        name: model.add_weight(
            name=name,
            shape=shape,
            initializer="ones" if name.endswith("deviation") else "zeros",
            trainable=False,
        )
        for name, shape in scale_shapes(mels).items()
    }


def take_scales(weights: WeightArrays, path: str, mels: int) -> dict[str, np.ndarray]:
    """The scales in weights, float32, by name.

    Args:
        weights: arrays of the model.
        path: path of the model's variables.
        mels: number of mel bands.
    """
    return {
        name: weights.take(f"{path}/{name}", *shape).astype(np.float32)
        for name, shape in scale_shapes(mels).items()
    }
