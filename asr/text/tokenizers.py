"""Tokenizers convert text to the label ids of the CTC head, and back."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.errors import ConfigError, TextError
from asr.text.normalisers import NORMALISERS

LANGUAGES = {"english": "en", "korean": "ko"}
"""Normaliser → ISO 639-1 code of its language."""
BLANK = 0
"""Label id of the CTC blank; the ids of a tokenizer's units start at 1."""
BLANK_LABEL = ""
"""Text of the blank."""

ENGLISH_ALPHABET = " 'abcdefghijklmnopqrstuvwxyz"
JAMO_ALPHABET = " " + "".join(
    map(chr, [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3)])
)
"""Space, then the modern leading consonants, vowels and trailing consonants of Hangul."""

PIECE_SPACE = "▁"
"""The space in the pieces of sentencepiece (U+2581)."""


@dataclass(frozen=True, config=STRICT)
class TokenizerConfig:
    """Settings of a tokenizer. Every model directory contains them.

    Raises:
        ConfigError: the values do not fit each other.
    """

    kind: Literal["characters", "jamo", "subwords"] = "characters"
    normaliser: Literal["english", "korean", "none"] = "english"
    alphabet: str = ENGLISH_ALPHABET
    """Characters of kind `characters`, each once. Must be empty for other kinds."""
    subword_model: str = ""
    """The sentencepiece model of kind `subwords`, in Base64. Must be empty for other kinds."""

    def __post_init__(self) -> None:
        if self.kind == "characters" and (
            not self.alphabet or len(set(self.alphabet)) != len(self.alphabet)
        ):
            raise ConfigError("tokenizer.alphabet: expected one or more characters, each once")
        if self.kind != "characters" and self.alphabet:
            raise ConfigError(f"tokenizer.alphabet: must be empty for kind {self.kind}")
        if (self.kind == "subwords") != bool(self.subword_model):
            raise ConfigError(
                "tokenizer.subword_model: required for kind subwords, empty for other kinds"
            )


class Tokenizer:
    """Converts text to label ids and back.

    >>> from asr import Tokenizer, TokenizerConfig
    >>> tokenizer = Tokenizer(TokenizerConfig())
    >>> tokenizer.encode("Go, 2!")
    [9, 17, 1, 22, 25, 17]
    >>> tokenizer.decode([9, 17, 1, 22, 25, 17])
    'go two'

    Args:
        config: settings.

    Attributes:
        config: settings.
        labels: text of each unit by label id; "" for the blank.
    """

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
        self.labels: list[str] = [BLANK_LABEL, *units]
        self._ids = {unit: i for i, unit in enumerate(self.labels) if i != BLANK}

    def __len__(self) -> int:
        """Number of labels, the blank included; the width of the logits."""
        return len(self.labels)

    @property
    def language(self) -> str | None:
        """ISO 639-1 code of the language that the normaliser is for; None for any language."""
        return LANGUAGES.get(self.config.normaliser)

    @property
    def space(self) -> int | None:
        """Label id of the space; None for subwords, whose first piece contains the space."""
        return self._ids.get(" ")

    @property
    def spellings(self) -> list[str]:
        """The text that each label adds to a transcript, with its spaces."""
        if self._pieces is None:
            return self.labels
        spelled = [label.replace(PIECE_SPACE, " ") for label in self.labels]
        # The unknown piece, as sentencepiece decodes it.
        spelled[self._pieces.unk_id() + 1] = " ⁇ "
        return spelled

    def normalise(self, text: str) -> str:
        """Normalise a text, as for training and scoring."""
        return NORMALISERS[self.config.normaliser](text)

    def encode(self, text: str, name: str = "text") -> list[int]:
        """Convert a text to label ids.

        Args:
            text: any text; it is normalised first.
            name: name of the text in error messages, such as its file; default: "text".

        Returns:
            Label ids, without blanks.

        Raises:
            TextError: the normalised text has characters outside the alphabet; the message has
                `name`, and each such character with its count.
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
        """Convert label ids, without blanks, to text."""
        if self._pieces is not None:
            text = self._pieces.DecodeIds([int(i) - 1 for i in ids])
        else:
            text = "".join(self.labels[i] for i in ids)
        if self.config.kind == "jamo":
            text = unicodedata.normalize("NFC", text)
        return " ".join(text.split())

    def word_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Find the labels of each word.

        Args:
            ids: label ids, without blanks.

        Returns:
            For each word the positions in `ids` of its first label and after its last. Spaces
            belong to no word.
        """
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
        """Count the characters of the normalised text that are outside the alphabet."""
        text = self.normalise(text)
        if self._pieces is not None:
            return Counter(
                c
                for c in text
                if not c.isspace() and self._pieces.unk_id() in self._pieces.EncodeAsIds(c)
            )
        return Counter(unit for unit in self._units(text) if unit not in self._ids)

    def _units(self, text: str) -> str:
        # NFD decomposes a Hangul syllable into its jamo, and NFC is the exact inverse (Unicode
        # standard, section 3.12).
        return unicodedata.normalize("NFD", text) if self.config.kind == "jamo" else text


def train_subwords(texts: Sequence[str], size: int, normaliser: str = "english") -> TokenizerConfig:
    """Train a sentencepiece tokenizer (unigram language model).

    Args:
        texts: training texts; they are normalised first.
        size: number of pieces.
        normaliser: "english", "korean" or "none"; default: "english".

    Raises:
        TextError: there are too few texts for so many pieces.
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
