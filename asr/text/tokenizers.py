"""Tokenizers: text to the label ids of the CTC head, and back."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.errors import ConfigError, TextError
from asr.text.normalisers import NORMALISERS

BLANK = 0
"""Label id of the CTC blank, everywhere; a tokenizer's units start behind it."""

ENGLISH_ALPHABET = " 'abcdefghijklmnopqrstuvwxyz"
JAMO_ALPHABET = " " + "".join(
    map(chr, [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3)])
)
"""Space, then the modern leading consonants, vowels and trailing consonants."""

PIECE_SPACE = "▁"
"""What sentencepiece's pieces have for a space (U+2581)."""


@dataclass(frozen=True, config=STRICT)
class TokenizerConfig:
    """How text becomes label ids; travels inside every model."""

    kind: Literal["characters", "jamo", "subwords"] = "characters"
    normaliser: Literal["english", "korean", "none"] = "english"
    alphabet: str = ENGLISH_ALPHABET
    """Characters (kind characters); for jamo and subwords it is not used and must be empty."""
    subword_model: str = ""
    """Base64 of the sentencepiece model (kind subwords): what a model needs travels with it."""

    def __post_init__(self) -> None:
        if self.kind == "characters" and (
            not self.alphabet or len(set(self.alphabet)) != len(self.alphabet)
        ):
            raise ConfigError("tokenizer.alphabet: must be non-empty, each character once")
        if self.kind != "characters" and self.alphabet:
            raise ConfigError(f"tokenizer.alphabet: not used by kind {self.kind}, leave it empty")
        if (self.kind == "subwords") != bool(self.subword_model):
            raise ConfigError("tokenizer.subword_model: belongs to kind subwords, and only there")


class Tokenizer:
    """Text ↔ label ids. `labels[BLANK]` is the blank; the others are the units' text."""

    def __init__(self, config: TokenizerConfig) -> None:
        self.config = config
        self._pieces = None
        self._space = PIECE_SPACE if config.kind == "subwords" else " "
        if config.kind == "subwords":
            import base64

            import sentencepiece

            self._pieces = sentencepiece.SentencePieceProcessor()
            self._pieces.LoadFromSerializedProto(base64.b64decode(config.subword_model))
            units = [self._pieces.IdToPiece(i) for i in range(self._pieces.GetPieceSize())]
        else:
            units = list(JAMO_ALPHABET if config.kind == "jamo" else config.alphabet)
        self.labels: list[str] = ["", *units]
        self._ids = {unit: i for i, unit in enumerate(self.labels) if i != BLANK}

    def __len__(self) -> int:
        """Labels, the blank included: the width of the logits."""
        return len(self.labels)

    @property
    def space(self) -> int | None:
        """The label between words; None for subwords, which carry it at their front."""
        return self._ids.get(" ")

    @property
    def spellings(self) -> list[str]:
        """What each label adds to a text, spaces and all."""
        if self._pieces is None:
            return self.labels
        spelled = [label.replace(PIECE_SPACE, " ") for label in self.labels]
        # As sentencepiece spells what it does not know.
        spelled[self._pieces.unk_id() + 1] = " ⁇ "
        return spelled

    def normalise(self, text: str) -> str:
        """Text as the model is trained on and scored by."""
        return NORMALISERS[self.config.normaliser](text)

    def encode(self, text: str, name: str = "text") -> list[int]:
        """Normalise `text` and return its label ids.

        Raises:
            TextError: characters outside the alphabet; the message has `name` and each one's count.
        """
        unknown = self.unknown(text)
        if unknown:
            listed = ", ".join(f"{c!r} (U+{ord(c):04X}) × {n}" for c, n in unknown.most_common())
            raise TextError(f"{name}: characters outside the alphabet: {listed}")
        text = self.normalise(text)
        if self._pieces is not None:
            return [i + 1 for i in self._pieces.EncodeAsIds(text)]
        return [self._ids[unit] for unit in self._units(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """Label ids (no blanks) → text."""
        if self._pieces is not None:
            text = self._pieces.DecodeIds([int(i) - 1 for i in ids])
        else:
            text = "".join(self.labels[i] for i in ids)
        if self.config.kind == "jamo":
            text = unicodedata.normalize("NFC", text)
        return " ".join(text.split())

    def word_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Positions [first, behind the last) in `ids` of each word's labels; spaces are in none."""
        spans: list[tuple[int, int]] = []
        inside = False
        for position, label in enumerate(ids):
            unit = self.labels[label]
            if unit == self._space:
                inside = False
            elif inside and not unit.startswith(self._space):
                spans[-1] = (spans[-1][0], position + 1)
            else:
                spans.append((position, position + 1))
                inside = True
        return spans

    def unknown(self, text: str) -> Counter[str]:
        """Characters of the normalised text that no unit can spell, with their counts."""
        text = self.normalise(text)
        if self._pieces is not None:
            return Counter(
                c
                for c in text
                if not c.isspace() and self._pieces.unk_id() in self._pieces.EncodeAsIds(c)
            )
        return Counter(unit for unit in self._units(text) if unit not in self._ids)

    def _units(self, text: str) -> str:
        # Canonical decomposition takes a Hangul syllable apart into its jamo, and NFC is its exact
        # inverse (Unicode standard, section 3.12): lossless without a table of our own.
        return unicodedata.normalize("NFD", text) if self.config.kind == "jamo" else text


def train_subwords(texts: Sequence[str], size: int, normaliser: str = "english") -> TokenizerConfig:
    """A unigram sentencepiece tokenizer of `size` pieces, trained on normalised `texts`.

    Raises:
        TextError: the texts are too few for so many pieces.
    """
    import base64
    import io

    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter([NORMALISERS[normaliser](t) for t in texts]),
            model_writer=model,
            vocab_size=size,
            model_type="unigram",
            character_coverage=1.0,
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise TextError(f"subwords: {error}") from None
    return TokenizerConfig(
        kind="subwords",
        normaliser=normaliser,  # type: ignore[arg-type]
        alphabet="",
        subword_model=base64.b64encode(model.getvalue()).decode(),
    )
