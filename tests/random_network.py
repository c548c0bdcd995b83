"""An untrained acoustic model whose weights, its biases too, are random, and features for it."""

from __future__ import annotations

import keras
import numpy as np

from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig


def random_network(config: AcousticConfig, dimension: int, labels: int) -> AcousticModel:
    """The same one for the same arguments."""
    keras.utils.set_random_seed(3)
    model, rng = AcousticModel(config, dimension, labels), np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.3 * rng.normal(size=variable.shape))
    return model


def random_features(lengths: np.ndarray, dimension: int) -> np.ndarray:
    """A batch of utterances of these lengths, with zeros behind each."""
    shape = (len(lengths), max(lengths), dimension)
    features = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    for row, length in zip(features, lengths, strict=True):
        row[length:] = 0
    return features
