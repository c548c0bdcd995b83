"""Tokenizers convert text to the label ids of the CTC head, and back."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.errors import ConfigError, TextError
from asr.text.languages import (
    LanguageName,
    check_language_code,
    guess_language,
    language_name,
    listed_characters,
    yaml_line,
)
from asr.text.normalisers import default_normaliser, find_normaliser

ONE_LANGUAGE = {"english": "en", "korean": "ko"}
"""Normalisers for one language → its ISO 639-1 code."""
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

    kind: Literal["characters", "jamo", "subwords"] = None  # type: ignore[assignment]
    """Units. Default: jamo for Korean without an `alphabet`, else characters."""
    normaliser: Literal["english", "korean", "neutral", "none"] = None  # type: ignore[assignment]
    """How a text becomes words: `english` spells out numbers and removes accents; `neutral` keeps
    the letters of any language and spells out digits by num2words; `korean` keeps digits; `none`
    keeps capitals and punctuation. Default: english, or neutral if `language` is another one."""
    alphabet: str = ""
    """Characters of kind `characters`, each once. Default: a–z, space and apostrophe for the
    normaliser `english`; otherwise training collects them from the train texts. Must be empty for
    other kinds."""
    subword_model: str = ""
    """The sentencepiece model of kind `subwords`, in Base64. Training makes it
    (`data.subwords`). Must be empty for other kinds."""
    language: LanguageName = ""
    """ISO 639 code of the texts' language, such as de. In a training configuration, write it at the
    top level. Default: that of the normaliser `english` or `korean`, else unknown."""

    def __post_init__(self) -> None:
        language = self.language and check_language_code(self.language, "tokenizer.language")
        korean = language == "ko" or self.normaliser == "korean"
        normaliser = self.normaliser or (
            "korean" if self.kind == "jamo" and not language else default_normaliser(language)
        )
        own = ONE_LANGUAGE.get(normaliser)
        if own and language not in ("", own):
            raise ConfigError(
                f"tokenizer.normaliser: {normaliser} is for {language_name(own)}, but the "
                f"language is {language_name(language)}; leave the normaliser out"
            )
        kind = self.kind or ("jamo" if korean and not self.alphabet else "characters")
        alphabet = self.alphabet
        if not alphabet and kind == "characters" and normaliser == "english":
            alphabet = ENGLISH_ALPHABET
        # The dataclass is frozen, and what is left open has its value from here on.
        for name, value in (
            ("kind", kind),
            ("normaliser", normaliser),
            ("alphabet", alphabet),
            ("language", language or own or ""),
        ):
            object.__setattr__(self, name, value)
        if len(set(alphabet)) != len(alphabet):
            raise ConfigError("tokenizer.alphabet: expected characters, each once")
        if kind != "characters" and alphabet:
            raise ConfigError(f"tokenizer.alphabet: must be empty for kind {kind}")
        if kind != "subwords" and self.subword_model:
            raise ConfigError(f"tokenizer.subword_model: must be empty for kind {kind}")


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

    Raises:
        ConfigError: the settings have no alphabet or no subword model, which training makes.
    """

    def __init__(self, config: TokenizerConfig) -> None:
        if config.kind == "characters" and not config.alphabet:
            raise ConfigError(
                "tokenizer.alphabet: is empty; training collects it from the train texts"
            )
        if config.kind == "subwords" and not config.subword_model:
            raise ConfigError(
                "tokenizer.subword_model: is empty; set data.subwords to the number of subwords, "
                "and training learns them from the train texts"
            )
        self.config = config
        self._normalise = find_normaliser(config.normaliser, config.language)
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
        """ISO 639-1 code of the texts' language; None for any language."""
        return self.config.language or None

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
        return self._normalise(text)

    def encode(self, text: str, name: str = "text") -> list[int]:
        """Convert a text to label ids.

        Args:
            text: any text; it is normalised first.
            name: name of the text in error messages, such as its file; default: "text".

        Returns:
            Label ids, without blanks.

        Raises:
            TextError: the normalised text has characters outside the alphabet; the message has
                `name`, each such character with its count, and the remedy.
        """
        unknown = self.unknown(text)
        if unknown:
            listed = listed_characters(unknown)
            raise TextError(
                f"{name}: characters outside the alphabet: {listed}{self._remedy(unknown)}"
            )
        text = self.normalise(text)
        if self._pieces is not None:
            return [i + 1 for i in self._pieces.EncodeAsIds(text)]
        return [self._ids[unit] for unit in self.spell(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """Convert label ids, without blanks, to text."""
        if self._pieces is not None:
            text = self._pieces.DecodeIds([int(i) - 1 for i in ids])
        else:
            text = "".join(self.labels[i] for i in ids)
        return " ".join(self.compose(text).split())

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
        return Counter(unit for unit in self.spell(text) if unit not in self._ids)

    def spell(self, text: str) -> str:
        """A normalised text in the characters of the labels: Hangul syllables as jamo."""
        # NFD decomposes a Hangul syllable into its jamo, and NFC is the exact inverse (Unicode
        # standard, section 3.12).
        return unicodedata.normalize("NFD", text) if self.config.kind == "jamo" else text

    def compose(self, spelled: str) -> str:
        """The inverse of `spell`."""
        return unicodedata.normalize("NFC", spelled) if self.config.kind == "jamo" else spelled

    def _remedy(self, unknown: Counter[str]) -> str:
        """What to do about characters outside the alphabet, as the end of a sentence."""
        language = self.language or ""
        if any(c.isnumeric() for c in unknown):
            if not language:
                return "; digits can be read only in a known language: " + yaml_line("")
            return f"; num2words cannot read them in {language_name(language)}: write them as words"
        letters = Counter({c: n for c, n in unknown.items() if c.isalpha()})
        if not letters:
            return "; write them as words, or remove them"
        guessed = guess_language(letters)
        if guessed and guessed != language and self.config.normaliser in ("english", "korean"):
            return f"; to train a model for another language, write {yaml_line(guessed)}"
        return "; the alphabet has the letters of the texts that the model was trained on"


def collect_alphabet(texts: Iterable[str], config: TokenizerConfig) -> str:
    """The characters of normalised texts, the space first, the others by code point.

    Digits and signs are not collected unless the normaliser is `none`: a text that has them after
    normalising is not what is said.
    """
    normalise = find_normaliser(config.normaliser, config.language)
    found: set[str] = set()
    for text in texts:
        found.update(normalise(text))
    if config.normaliser != "none":
        found = {c for c in found if unicodedata.category(c)[0] not in "NS" and c not in "%&@§#"}
    return " " + "".join(sorted(found - {" "}))


def fit_tokenizer(
    config: TokenizerConfig, texts: Sequence[str], subwords: int = 0
) -> TokenizerConfig:
    """Fill in what a configuration leaves to the train texts: the alphabet or the subwords.

    Args:
        config: settings of the tokenizer.
        texts: the train texts, not normalised.
        subwords: number of subwords to learn; 0: use the kind of `config`. Default 0.

    Raises:
        TextError: the texts have no letters, or are too few for so many subwords.
    """
    if subwords:
        return train_subwords(texts, subwords, config.normaliser, config.language)
    if config.kind != "characters" or config.alphabet:
        return config
    alphabet = collect_alphabet(texts, config)
    if not alphabet.strip():
        raise TextError("the train texts have no letters, so there is no alphabet")
    return replace(config, alphabet=alphabet)


def describe_alphabet(tokenizer: Tokenizer) -> str:
    """One line for the user: the language and the characters that a recogniser can write."""
    config = tokenizer.config
    language = language_name(config.language)
    if config.kind != "characters":
        return f"language {language}; {len(tokenizer) - 1} labels: {config.kind}"
    letters = config.alphabet.replace(" ", "")
    return f"language {language}; alphabet: space and {len(letters)} characters, {letters}"


def outside_alphabet(tokenizer: Tokenizer, texts: Iterable[str]) -> str:
    """The characters of texts that a recogniser cannot write, for messages; "" for none."""
    unknown: Counter[str] = Counter()
    for text in texts:
        unknown += tokenizer.unknown(text)
    return listed_characters(unknown)


def train_subwords(
    texts: Sequence[str], size: int, normaliser: str = "english", language: str = ""
) -> TokenizerConfig:
    """Train a sentencepiece tokenizer (unigram language model).

    Args:
        texts: training texts; they are normalised first.
        size: number of pieces.
        normaliser: a key of `NORMALISERS`; default: "english".
        language: ISO 639-1 code of the texts; default: "", that of the normaliser.

    Raises:
        TextError: there are too few texts for so many pieces.
    """
    import base64
    import io

    import sentencepiece

    normalise = find_normaliser(normaliser, language)
    # Sentencepiece's own rules (NFKC) would change letters that these normalisers keep.
    rules = "nmt_nfkc" if normaliser in ONE_LANGUAGE else "identity"
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter([normalise(t) for t in texts]),
            model_writer=model,
            vocab_size=size,
            model_type="unigram",
            character_coverage=1.0,
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
            normalization_rule_name=rules,
        )
    except RuntimeError as error:
        raise TextError(f"subwords: {error}") from None
    return TokenizerConfig(
        kind="subwords",
        normaliser=normaliser,  # type: ignore[arg-type]
        alphabet="",
        subword_model=base64.b64encode(model.getvalue()).decode(),
        language=language,
    )
