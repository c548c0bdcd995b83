"""`Decoding`: the options of decoding."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from asr.decoding.lm_record import MIXTURE_WEIGHTS, NGRAM_WEIGHTS, LmRecord, LmWeights
from asr.errors import ConfigError
from asr.models import find_model

GENERAL, NO_LM = "general", "none"
"""Values of `Decoding.lm` for the recogniser's own language model, and for no language model."""
GENERAL_LM_FILES = ("lm.ngrams", "lm.arpa.gz")
"""Names of the recogniser's own language model in its directory: binary, or ARPA. The directory may
have both (`asr.language.ngram_file`)."""
Fusion = Literal["rescore", "shallow"]


def general_lm(folder: Path) -> Path | None:
    """The recogniser's own language model in its directory, or None without one."""
    return next((folder / name for name in GENERAL_LM_FILES if (folder / name).is_file()), None)


@dataclass(frozen=True)
class Decoding:
    """How a recogniser turns its network's output into text.

    The default is a beam search with the recogniser's own language model, or greedy decoding if it
    has none. `None` means: the value that the language model was tuned with, or the default of
    `LmWeights`.

    >>> Decoding(beam=8, hot_words=("Kubernetes", "New York")).hot_weight
    5.0
    >>> Decoding(beam=0, nbest=3)
    Traceback (most recent call last):
        ...
    asr.errors.ConfigError: an n-best list needs a beam, such as --beam 16

    Attributes:
        beam: prefixes that the beam search keeps; 0 for greedy decoding. Default: the language
            model's tuned beam. Without a language model, 16 if another option needs a beam search,
            else 0.
        lm: word n-gram model, an ARPA file (plain or gzip) or the binary form of one; "general"
            for the recogniser's own; "none" for none. Default: the recogniser's own if it has one,
            and neither `beam` is 0 nor a `lexicon` is given, which states the words itself.
        alpha: weight of the language model's log-probability.
        beta: added for every word, in nats.
        unknown: added for every word that the language model does not know, in nats.
        hot_words: words or phrases to favour.
        hot_weight: added for every word of a hot phrase, in nats. Default 5.
        lexicon: text file with the only words that the transcript may have.
        nbest: alternatives to return, the best text included; 0 for none. Default 0.
        spelling: for a recogniser that finds words by their phones: weight of the
            log-probability of the word's letters.
        share: interpolation weight of the recurrent language model, 0…1.
        rnn_lm: recurrent language model beside `lm`: a shipped model's name or a directory.
        fusion: "rescore" applies the recurrent model to the n-best list of the search (default);
            "shallow" applies it in the search, which is much slower.
        vad: whether words are only found where `asr.decoding.voice_activity` hears a voice (voice
            activity detection). Default True.
    """

    beam: int | None = None
    lm: str | Path | None = None
    alpha: float | None = None
    beta: float | None = None
    unknown: float | None = None
    hot_words: tuple[str, ...] = ()
    hot_weight: float = 5.0
    lexicon: Path | None = None
    nbest: int = 0
    spelling: float | None = None
    share: float | None = None
    rnn_lm: str | Path | None = None
    fusion: Fusion | None = None
    vad: bool = True

    def __post_init__(self) -> None:
        if self.beam is not None and self.beam < 0:
            raise ConfigError(f"beam must be 0 (greedy) or more, found {self.beam}")
        if self.nbest < 0:
            raise ConfigError(f"nbest must be 0 or more, found {self.nbest}")
        for name in (*MIXTURE_WEIGHTS, "hot_weight"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ConfigError(f"{name} must be a finite number, found {value}")
        if self.lm == NO_LM:
            self._check_without_lm()
        if self.rnn_lm is None and (self.share is not None or self.fusion is not None):
            raise ConfigError("share and fusion need a recurrent language model: give --rnn-lm")
        if self.share is not None and not 0 <= self.share <= 1:
            raise ConfigError(f"share must be 0 … 1, found {self.share}")
        option = self._needs_beam()
        if self.beam == 0 and option:
            raise ConfigError(f"{option} needs a beam, such as --beam 16")

    def _check_without_lm(self) -> None:
        """Raise a ConfigError if an option needs a language model."""
        if any(getattr(self, name) is not None for name in NGRAM_WEIGHTS):
            raise ConfigError(f"{', '.join(NGRAM_WEIGHTS)} need a language model: give --lm")
        if self.rnn_lm is not None:
            raise ConfigError("--rnn-lm is interpolated with an n-gram model: give --lm, too")

    @property
    def has_lm(self) -> bool:
        """Whether `lm` names a language model."""
        return self.lm is not None and self.lm != NO_LM

    def _needs_beam(self) -> str:
        """The option that greedy decoding cannot follow; "" if there is none."""
        if self.has_lm:
            return f"{self.lm}: a language model"
        if self.lexicon is not None:
            return f"{self.lexicon}: a lexicon"
        if self.hot_words:
            return "a hot word"
        return "an n-best list" if self.nbest else ""

    def lm_file(self, folder: Path | None = None) -> Path | None:
        """The file of the n-gram model, or None without one.

        Args:
            folder: the recogniser's directory, which has the "general" language model.

        Raises:
            ConfigError: `lm` is "general" and the recogniser has no language model of its own.
        """
        if self.lm is not None and self.lm not in (GENERAL, NO_LM):
            return Path(self.lm)
        own = None if folder is None else general_lm(folder)
        if self.lm == NO_LM or (self.lm is None and (self.beam == 0 or self.lexicon is not None)):
            return None
        if own is None and self.lm == GENERAL:
            raise ConfigError(f"--lm {GENERAL}: this recogniser has no language model of its own")
        return own

    def tuned_file(self, folder: Path | None = None) -> Path | None:
        """The file whose `LmRecord` holds the tuned weights, or None without a language model.

        This is the n-gram model's file. With a recurrent model, whose best weights differ, it is
        "fusion" in the recurrent model's directory.

        Raises:
            ConfigError: see `lm_file`.
            ModelError: there is no such recurrent model.
        """
        lm = self.lm_file(folder)
        return lm if self.rnn_lm is None else find_model(self.rnn_lm) / "fusion"

    def resolve(self, folder: Path | None = None) -> Decoding:
        """Replace every None by the value that decoding uses.

        The values of a language model stay None where there is no language model.

        Args:
            folder: the recogniser's directory.

        Raises:
            ConfigError: see `lm_file`; an option needs a language model and there is none; or the
                language model's record is broken.
            ModelError: there is no such recurrent model.
        """
        if self.lm is None:
            own = GENERAL if self.lm_file(folder) else NO_LM
            return replace(self, lm=own).resolve(folder)
        tuned_file = self.tuned_file(folder)
        tuned = LmWeights() if tuned_file is None else LmRecord.read(tuned_file).weights
        beam = self.beam
        if beam is None:
            beam = max(tuned.beam, self.nbest) if self._needs_beam() else 0
        names: tuple[str, ...] = ()
        if tuned_file is not None:
            names = NGRAM_WEIGHTS if self.rnn_lm is None else MIXTURE_WEIGHTS
        given = {name: getattr(self, name) for name in names}
        weights = {
            name: getattr(tuned, name) if value is None else value for name, value in given.items()
        }
        fusion = None if self.rnn_lm is None else self.fusion or "rescore"
        return replace(self, beam=beam, fusion=fusion, **weights)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            key: str(value) if isinstance(value, Path) else value
            for key, value in dataclasses.asdict(self).items()
        }
