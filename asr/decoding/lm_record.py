"""Weights of a language model in decoding, and the JSON file beside the model that stores them."""

from __future__ import annotations

import json
from dataclasses import field
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT, parse, to_dict
from asr.base.files import atomic_write
from asr.errors import ConfigError, reason
from asr.language.ngram_file import base_name

SCORER_WEIGHTS = ("alpha", "beta", "unknown")
"""Fields of `LmWeights` that the scorer of the beam search applies."""
NGRAM_WEIGHTS = (*SCORER_WEIGHTS, "spelling")
"""Fields of `LmWeights` that an n-gram model uses without a recurrent model beside it."""
MIXTURE_WEIGHTS = (*NGRAM_WEIGHTS, "share")
"""Fields of `LmWeights` that an n-gram model and a recurrent model use together."""


@dataclass(frozen=True, config=STRICT)
class LmWeights:
    """How decoding uses a language model. `asr tune` finds the values.

    Attributes:
        alpha: weight of the model's log-probability. Default 0.5.
        beta: added for every word, in nats. Default 1.
        unknown: added for every word that the model does not know, in nats. Default −5.
        beam: prefixes that the beam search keeps. Default 16.
        spelling: for a recogniser that finds words by their phones: weight of the
            log-probability of the word's letters. Default 0.5.
        share: interpolation weight of a recurrent model beside the n-gram model, 0…1
            (`asr.language.mixture`). Default 0.5.
    """

    alpha: float = 0.5
    beta: float = 1.0
    unknown: float = -5.0
    beam: int = Field(default=16, ge=1)
    spelling: float = Field(default=0.5, ge=0)
    share: float = Field(default=0.5, ge=0, le=1)


@dataclass(frozen=True, config=STRICT)
class LmRecord:
    """The content of the file beside a language model, such as `lm.json` for `lm.ngrams`.

    Attributes:
        weights: how decoding uses the model.
        tuned: command, commit, recogniser, dev set and WER of the run that found the weights.
        made: the text that the model was estimated from, and how.
    """

    weights: LmWeights = field(default_factory=LmWeights)
    tuned: dict[str, Any] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def path(lm: Path) -> Path:
        """The path of the record that belongs to a language model."""
        return lm.with_name(f"{base_name(lm)}.json")

    @classmethod
    def read(cls, lm: Path) -> LmRecord:
        """Read the record of a language model. A model without a record has the defaults.

        Raises:
            ConfigError: the record cannot be read or has a wrong key; the error names it.
        """
        path = cls.path(lm)
        if not path.exists():
            return cls()
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: cannot be read: {reason(error)}") from None
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: expected one JSON object")
        return parse(cls, values, str(path))

    def write(self, lm: Path) -> Path:
        """Write the record beside a language model.

        Returns:
            The path of the record.
        """
        path = self.path(lm)
        with atomic_write(path) as file:
            file.write(json.dumps(to_dict(self), indent=2, ensure_ascii=False) + "\n")
        return path
