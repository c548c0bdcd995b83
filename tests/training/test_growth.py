"""A network with more layers than its initial model."""

from __future__ import annotations

import numpy as np
import pytest

from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig
from asr.training.growth import can_grow, grow

LABELS = 29


def small_and_grown(
    gamma: float, layers: int, **shape: object
) -> tuple[AcousticModel, AcousticModel]:
    """A network of two layers with random weights, and one with `layers` that starts from it."""
    small = AcousticModel(AcousticConfig(units=32, layers=2, dropout=0, **shape), 39, LABELS)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    small.stack.norms[-1].gamma.assign(gamma * rng.uniform(0.5, 1.5, small.stack.width))
    small.stack.norms[-1].beta.assign(gamma * rng.normal(0, 0.3, small.stack.width))
    grown = AcousticModel(AcousticConfig(units=32, layers=layers, dropout=0, **shape), 39, LABELS)  # type: ignore[arg-type]
    for name, variable in grown.named_weights().items():
        if name in small.named_weights():
            variable.assign(small.named_weights()[name])
    grow(grown, 2)
    return small, grown


@pytest.mark.parametrize("gamma", [0.2, 0.6, 3.0])
@pytest.mark.parametrize("shape", [{}, {"bidirectional": False, "look_ahead": 2}])
@pytest.mark.parametrize("layers", [3, 4])
def test_new_layers_pass_their_inputs_on(
    gamma: float, shape: dict[str, object], layers: int
) -> None:
    small, grown = small_and_grown(gamma, layers, **shape)
    rng = np.random.default_rng(1)
    features = rng.normal(0, 1, [2, 60, 39]).astype(np.float32)
    lengths = np.array([60, 44], np.int32)
    before, after = (m.logits(features, lengths)[0] for m in (small, grown))
    scale = np.sqrt(np.mean(before**2))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.9
    assert np.sqrt(np.mean(after**2)) == pytest.approx(scale, rel=0.2)


@pytest.mark.parametrize(
    "before, after, fits",
    [
        ({"layers": 3}, {"layers": 4}, True),
        ({"layers": 3}, {"layers": 3}, False),
        ({"layers": 4}, {"layers": 3}, False),
        ({"layers": 3}, {"layers": 4, "units": 128}, False),
        ({"layers": 3}, {"layers": 4, "bidirectional": False}, False),
        ({"layers": 3, "cell": "gru"}, {"layers": 4, "cell": "gru"}, False),
        ({"layers": 3, "norm": "none"}, {"layers": 4, "norm": "none"}, False),
        ({"layers": 3, "norm": "none"}, {"layers": 4}, False),
    ],
)
def test_only_lstm_networks_with_layer_normalisation_grow(
    before: dict[str, object], after: dict[str, object], fits: bool
) -> None:
    assert can_grow(AcousticConfig(**before), AcousticConfig(**after)) == fits  # type: ignore[arg-type]
