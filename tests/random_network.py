"""An untrained acoustic model whose weights, its biases too, are random."""

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
