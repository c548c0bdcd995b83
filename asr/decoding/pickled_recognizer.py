"""How a recogniser is pickled: its model directory and its settings, not its network.

An ONNX Runtime session cannot be pickled, and worker processes can read the model directory
themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from asr.decoding.confidence import ConfidenceCurve
from asr.decoding.decoding_options import GENERAL, NO_LM, Decoding
from asr.decoding.windowing import Windowing
from asr.errors import ModelError
from asr.models import MODELS, find_model
from asr.networks.weights import WeightArrays, Weighted


@dataclass(frozen=True)
class Origin:
    """How a recogniser was loaded.

    Attributes:
        load: a class method that takes `model` and `decoding`, such as `Recognizer.load`.
        options: its other arguments.
    """

    load: Callable[..., Any]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class PickledRecognizer:
    """The settings that a recogniser is loaded with again.

    Attributes:
        origin: how it was loaded.
        model: its directory; relative to the folder of the shipped models for one of them, which
            may be elsewhere on another machine.
        weights_sha256: SHA-256 of its weights.
        decoding: options of decoding, with absolute paths.
        windowing: where long recordings are cut.
        curve: calibration of word confidences, or None.
    """

    origin: Origin
    model: Path
    weights_sha256: str
    decoding: Decoding
    windowing: Windowing
    curve: ConfidenceCurve | None

    def restore(self) -> Any:
        """Load the recogniser.

        Raises:
            ModelError: the model directory is missing, or has other weights now.
            ModelError, ConfigError: see `Recognizer.load`.
        """
        folder = MODELS / self.model
        recognizer = self.origin.load(model=folder, decoding=self.decoding, **self.origin.options)
        if recognizer.config.weights_sha256 != self.weights_sha256:
            raise ModelError(
                f"{folder}: its weights are not those of the recogniser that was pickled; load "
                "and pickle it again"
            )
        recognizer.windowing, recognizer.curve = self.windowing, self.curve
        return recognizer


def relocatable(folder: Path) -> Path:
    """An absolute path, or for a shipped model one relative to the folder of these models."""
    folder = folder.absolute()
    return folder.relative_to(MODELS) if folder.is_relative_to(MODELS) else folder


def absolute_paths(decoding: Decoding) -> Decoding:
    """The options with absolute paths, since another process may have another working directory."""
    lm, lexicon, rnn_lm = decoding.lm, decoding.lexicon, decoding.rnn_lm
    if rnn_lm is not None:
        folder = find_model(rnn_lm)
        rnn_lm = rnn_lm if folder.is_relative_to(MODELS) else folder.absolute()
    return replace(
        decoding,
        lm=lm if lm in (None, GENERAL, NO_LM) else Path(lm).absolute(),
        lexicon=lexicon if lexicon is None else Path(lexicon).absolute(),
        rnn_lm=rnn_lm,
    )


def check_unchanged(network: object, folder: Path, weights_sha256: str) -> None:
    """Check that the weights of a TensorFlow network are still those of its model directory.

    Raises:
        ModelError: a weight was changed, or the weights file is missing or another one.
    """
    if not isinstance(network, Weighted):
        return  # the weights of the other runtimes cannot be changed
    stored = WeightArrays(folder / "weights.npz", weights_sha256)
    for name, variable in network.named_weights().items():
        if not np.array_equal(stored.take(name, *variable.shape), variable.numpy()):
            raise ModelError(
                f"{folder}: the recogniser's weights were changed after they were loaded ({name}); "
                "save it with Recognizer.save and pickle what Recognizer.load makes of that folder"
            )


_latest: tuple[PickledRecognizer, Any] | None = None


def restore(pickled: PickledRecognizer) -> Any:
    """Load a pickled recogniser.

    joblib pickles the recogniser for every task. A worker would load the model for every recording
    if the last one was not kept. It is used again if nothing else holds it, and it is unchanged.
    """
    global _latest
    if _latest is not None:
        unused = sys.getrefcount(_latest[1]) <= 2  # the tuple and the argument
        if unused and _latest[0] == pickled == _latest[1].pickled():
            return _latest[1]
    recognizer = pickled.restore()
    _latest = (pickled, recognizer)
    return recognizer
