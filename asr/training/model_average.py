"""`average_models`: one recogniser whose weights are the mean of those of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from asr.base.provenance import git_commit, this_command
from asr.decoding.decoding_options import Decoding
from asr.errors import ConfigError
from asr.networks.weights import deviation_step, multiples
from asr.recognizer import Recognizer
from asr.training.model_card import recognizer_card

GREEDY = Decoding(beam=0, lm="none")


def average_models(models: Sequence[str | PathLike[str]], out: Path) -> None:
    """Write a recogniser with the mean of the weights of several.

    The mean often makes fewer errors than each of them, at the size and in the time of one, where
    one's training went on from another's weights, or all began with the same ("model soups":
    Wortsman et al., 2022). Check it on a dev set: networks that began apart have no useful mean.

    Args:
        models: names or directories of at least two recognisers of one shape. The settings, the
            language model and the lexicon are those of the last.
        out: the model directory to write.

    Raises:
        ConfigError: a single model, or models of different features, labels or networks.
        ModelError: a model cannot be read.
        OSError: the model cannot be written.
    """
    if len(models) < 2:
        raise ConfigError("an average needs two models or more")
    loaded = [Recognizer.load(model, GREEDY, runtime="tensorflow") for model in models]
    last = loaded[-1]
    for model, recognizer in zip(models, loaded, strict=True):
        if _shape(recognizer) != _shape(last):
            raise ConfigError(
                f"{model}: has other features, labels or another network than {models[-1]}: only "
                "models of one shape have an average"
            )
    weights = [recognizer.acoustic_model.named_weights() for recognizer in loaded]
    for name, variable in weights[-1].items():
        mean = np.mean([own[name].numpy() for own in weights], axis=0)
        # A mean of rounded weights has smaller steps than they have. Saving would keep these.
        variable.assign(multiples(mean, deviation_step).astype(np.float32))
    parts = {str(m): r.config.weights_sha256 for m, r in zip(models, loaded, strict=True)}
    average = {"command": this_command(), "commit": git_commit(), "weights_sha256": parts}
    last.config = replace(last.config, training={**last.config.training, "average": average})
    names = "\n".join(f"- {name}, weights {sha256}" for name, sha256 in parts.items())
    card = f"""{recognizer_card(last.config)}
## Average

The training above is that of the last of these models. The weights are the mean of theirs:

{names}

    {average["command"]}

at commit {average["commit"]}.
"""
    last.save(out, card)


def _shape(recognizer: Recognizer) -> tuple[object, ...]:
    """What two recognisers must share; dropout is nothing but a matter of training."""
    config = recognizer.config
    return config.features, config.tokenizer, replace(config.acoustic, dropout=0.0)
